"""Which typed steps fit an incident and how far the bot may go with them now, from stored facts and the rules of now.

Nothing here is counted up: what people confirmed, what ran and what is under way is read from actions and incidents each time.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import Protocol

from bot.actions.automation import Facts, fit, limits_of, page_tier, read_page, rule_degree, trusted, wanted_by
from bot.actions.policy import BOT, Moment, Policies, World, decide
from bot.domain.action import BUSY, Action, ActionStatus, Authority
from bot.domain.automation import Degree, Offer, Ruled, TypedStep
from bot.domain.document import Document
from bot.domain.evidence import Diagnosis, Verdict, named_cause
from bot.domain.incident import Incident
from bot.domain.service import Catalogue, Service
from bot.domain.suggestion import reference
from bot.errors import Unavailable
from bot.flows.desk import Desk
from bot.flows.locking.telling import supposed
from bot.ports import ActionStore, Clock, DiagnosisStore, IncidentStore, LockStore, SwitchStore, Transaction
from bot.topology.impact import HOPS, reach

SWITCH, OFF, ON = "automation", "off", "on"
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
NEVER_RAN = (ActionStatus.REFUSED, ActionStatus.EXPIRED)
_PERSON = re.compile(r"[UW][A-Z0-9]{2,}")


class Books(Protocol):
    """Something that has all documents."""

    @property
    def documents(self) -> Sequence[Document]:
        """All of them."""


class Records(Protocol):
    """What a step is weighed by; a desk has all of it, and a command needs no more."""

    @property
    def clock(self) -> Clock:
        """What time it is."""

    @property
    def policies(self) -> Callable[[], Policies]:
        """The rules in force."""

    @property
    def catalogue(self) -> Callable[[], Catalogue]:
        """The services and who depends on whom."""

    @property
    def library(self) -> Books:
        """The pages."""

    @property
    def incidents(self) -> IncidentStore:
        """Incidents."""

    @property
    def diagnoses(self) -> DiagnosisStore:
        """What was found."""

    @property
    def actions(self) -> ActionStore:
        """What was done."""

    @property
    def locks(self) -> LockStore:
        """What people keep from being changed."""

    @property
    def switches(self) -> SwitchStore:
        """The master switch."""


def pages(of: Records) -> Iterator[tuple[Document, TypedStep]]:
    """Every step of every page that policies.yaml trusts with actions."""
    rules = of.policies().file.automation
    for page in of.library.documents:
        if page.actions and not trusted(page, rules):
            yield from ((page, step) for step in read_page(page).steps)


def offers(tx: Transaction, incident: Incident, diagnosis: Diagnosis | None, of: Records) -> tuple[Offer, ...]:
    """The steps that fit this incident now, the furthest degree first; none while something of it is under way."""
    if diagnosis is None or not incident.live:
        return ()
    fitting = list(_fitting(incident, diagnosis, of))
    if not fitting:
        return ()
    mine = of.actions.of_incident(tx, incident.id)
    found = []
    for step, service, tier in fitting:
        plan = planned(step, service.name, mine)
        if _taken_up(plan, mine) or _helped(step, service.name, mine):
            continue
        ruled = weigh(tx, step, service, incident, diagnosis, plan or _tried(step, service.name, mine), of)
        made = (plan.id, plan.target) if plan else ("", "")
        found.append(Offer(step, service.name, incident.environment, tier, ruled, *made))
    return tuple(sorted(found, key=lambda o: (-list(Degree).index(o.ruled.degree), o.step.label)))


def _fitting(incident: Incident, diagnosis: Diagnosis, of: Records) -> Iterator[tuple[TypedStep, Service, str]]:
    catalogue = of.catalogue()
    for page, step in pages(of):
        fits = fit(step, page_tier(page, incident, diagnosis), incident, diagnosis, catalogue)
        if not fits.why_not:
            yield step, catalogue.get(fits.service), fits.tier


def offer_of(tx: Transaction, incident_id: str, ref: str, of: Records) -> tuple[Incident, Diagnosis, Offer] | None:
    """One step of an incident by the reference that a button or a piece of work carries; None if it fits no longer."""
    incident = of.incidents.get(tx, incident_id)
    diagnosis = of.diagnoses.latest(tx, incident.id) if incident else None
    if incident is None or diagnosis is None:
        return None
    found = next((o for o in offers(tx, incident, diagnosis, of) if reference(o.step.id) == ref), None)
    return (incident, diagnosis, found) if found else None


def planned(step: TypedStep, service: str, actions: Iterable[Action]) -> Action | None:
    """The plan that the bot made beforehand for this step and that waits for one press."""
    waits = (a for a in actions if a.status is ActionStatus.AWAITING and a.requested_by == BOT)
    return next((a for a in waits if a.step == step.id and a.service == service), None)


def _tried(step: TypedStep, service: str, actions: Iterable[Action]) -> Action | None:
    """What became of the bot's plan for this step, the newest first: it makes one in an incident."""
    return next((a for a in actions if a.requested_by == BOT and a.step == step.id and a.service == service), None)


def _taken_up(plan: Action | None, actions: Iterable[Action]) -> bool:
    """Something else is planned or under way for the incident: a person is on it, or another step."""
    return any(not a.ended and a.status is not ActionStatus.PLANNED and (plan is None or a.id != plan.id) for a in actions)


def _helped(step: TypedStep, service: str, actions: Iterable[Action]) -> bool:
    return any(a.step == step.id and a.service == service and a.status is ActionStatus.SUCCEEDED for a in actions)


def weigh(
    tx: Transaction,
    step: TypedStep,
    service: Service,
    incident: Incident,
    diagnosis: Diagnosis,
    plan: Action | None,
    of: Records,
) -> Ruled:
    """How far the bot may go with this step on this service now."""
    policies = of.policies()
    own = wanted_by(step, service, incident.environment, policies)
    if own is None or own.degree is Degree.SUGGEST:
        return Ruled(Degree.SUGGEST, Degree.SUGGEST, (), own.name if own else "")
    facts = gathered(tx, step, service, incident, diagnosis, plan, of)
    return rule_degree(own, facts, limits_of(policies.file.automation, own))


def gathered(
    tx: Transaction,
    step: TypedStep,
    service: Service,
    incident: Incident,
    diagnosis: Diagnosis,
    plan: Action | None,
    of: Records,
) -> Facts:
    """All that a ruling looks at, as it is now; `plan` itself counts for nothing in it."""
    now, own = of.clock(), plan.id if plan else ""
    rule = of.policies().rule_for(step.kind, service, incident.environment)
    history = [a for a in of.actions.of_step(tx, step.id, service.name, incident.environment) if a.id != own]
    alone = [a for a in of.actions.stepped(tx, now - DAY) if a.id != own and ran_alone(a)]
    unfinished = [a for a in of.actions.unfinished(tx) if a.id != own]
    world = World(of.policies(), service, now, of.incidents.live(tx), of.locks.held(tx, now))
    wish = plan or supposed(step.kind, service.name, incident.environment, BOT, now)
    ruling = decide(wish, BOT, Moment.REQUEST, world)
    cause = diagnosis.cause if diagnosis.verdict is Verdict.CONVICTED else None
    convicted = cause is not None and of.catalogue().get(cause.service).name == service.name
    return Facts(
        service=service,
        verdict=diagnosis.verdict,
        rule=rule,
        standing="" if ruling.allowed or rule is None else ruling.reason,
        reach=reach(of.catalogue(), [service.name], HOPS),
        guilty=cause.version if cause and convicted else "",
        switched_off=of.switches.get(tx, SWITCH) == OFF,
        confirmed=confirmations(tx, history, of),
        last=next((a for a in history if a.run or a.status not in (*NEVER_RAN, ActionStatus.AWAITING)), None),
        today=sum(1 for a in alone if _same(a, step) and a.service == service.name),
        this_hour=sum(1 for a in alone if a.created_at >= now - HOUR),
        near=tuple(dict.fromkeys(a.service for a in unfinished if ran_alone(a) and _near(a.service, service.name, of))),
        busy=_busy(unfinished, service.name, incident.environment),
        plan=plan,
    )


def ran_alone(action: Action) -> bool:
    """A step stands behind it in place of people, and it was not stopped before it began."""
    by = action.stand_in
    return by is not None and by.authority is Authority.STEP and action.status not in NEVER_RAN


def _same(action: Action, step: TypedStep) -> bool:
    """The same step by its label: a limit holds also where somebody reworded the step meanwhile."""
    return action.step.rpartition("@")[0] == step.label


def _near(one: str, other: str, of: Records) -> bool:
    hops = of.catalogue().whole.distance(one, other)
    return hops is not None and hops <= HOPS


def _busy(unfinished: Iterable[Action], service: str, environment: str) -> str:
    other = next((a for a in unfinished if (a.service, a.environment) == (service, environment) and a.status in BUSY), None)
    return f"a {other.kind.value} of {service} to {other.target} is {other.status.value}" if other else ""


def confirmations(tx: Transaction, history: Iterable[Action], of: Records) -> tuple[str, ...]:
    """The incidents, by their keys, in which people approved it, it helped, and a person agreed that this was it."""
    found: dict[str, None] = {}
    for action in history:
        incident = of.incidents.get(tx, action.incident_id) if action.incident_id else None
        if incident is None or action.status is not ActionStatus.SUCCEEDED or not action.approvers:
            continue
        if _over_for_good(incident, action) and _agreed(tx, incident, of):
            found[incident.key] = None
    return tuple(found)


def _over_for_good(incident: Incident, action: Action) -> bool:
    """It is over, nothing took its problems over, and it was not opened again after the action."""
    again = incident.waiting_since is not None and incident.waiting_since > action.updated_at
    return not incident.live and not incident.merged_into and not again


def _agreed(tx: Transaction, incident: Incident, of: Records) -> bool:
    """A person confirmed the cause that was named, or resolved it and named no other."""
    if incident.confirmed_by:
        return incident.confirmed_cause == named_cause(of.diagnoses.latest(tx, incident.id))
    return _PERSON.fullmatch(incident.resolved_by) is not None


def surely_read(desk: Desk) -> None:
    """Raise Unavailable while a process that has just begun has not read the pages yet: no step fits there, and all may."""
    if not desk.library.ready:
        raise Unavailable("The runbooks are being read since the bot started; that takes a moment.")


def automatic_now(tx: Transaction, action: Action, desk: Desk) -> frozenset[str]:
    """The step behind an approved action if it may still act alone: looked at again right before the start, with all of it.

    From here until the transaction ends nobody turns the switch, so that "off" comes before the start or after it.
    """
    if not ran_alone(action):
        return frozenset()
    desk.actions.hold(tx)
    why = _why_no_more(tx, action, desk)
    if not why:
        return frozenset({action.step})
    desk.ledger.append(tx, desk.clock(), BOT, "automation refused", action.id, {"step": action.step, "why": why[:500]})
    return frozenset()


def _why_no_more(tx: Transaction, action: Action, of: Records) -> str:
    incident = of.incidents.get(tx, action.incident_id)
    diagnosis = of.diagnoses.latest(tx, action.incident_id)
    if incident is None or diagnosis is None:
        return "its incident is no longer kept"
    for step, service, _ in _fitting(incident, diagnosis, of):
        if step.id == action.step and service.name == action.service and incident.environment == action.environment:
            ruled = weigh(tx, step, service, incident, diagnosis, action, of)
            return "" if ruled.degree is Degree.AUTOMATIC else "; ".join(ruled.why_not(Degree.AUTOMATIC)) or "it is not automatic"
    return "the step does not fit any more"
