"""What each message of ours shows now, and where it first appears; see `announce` for the keys."""

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from bot.actions.cancel import AT_THE_VENDOR, HEARD
from bot.actions.sequence import in_order, ordered, standing
from bot.domain.action import UNDECIDED, Action, ActionStatus, Claim
from bot.domain.alert import Severity
from bot.domain.evidence import Diagnosis, Verdict
from bot.domain.incident import Incident, Status
from bot.domain.view import (
    ActionView,
    BatchView,
    ChartsView,
    ConfirmView,
    DraftView,
    EvidenceView,
    HomeView,
    IncidentView,
    Place,
    PointerView,
    Shown,
    ThoughtView,
)
from bot.flows.asking.spending import notice
from bot.flows.automating.weighing import offers
from bot.flows.desk import Desk
from bot.flows.grouping.together import together
from bot.flows.quiet.quieting import noise_notices
from bot.flows.runbooks.needs import lacks_runbook
from bot.incidents.routing import Quiet, Route
from bot.ports import Transaction

EPOCH = datetime.fromtimestamp(0, tz=UTC)


def pointer_channels(incident: Incident, diagnosis: Diagnosis | None, desk: Desk) -> tuple[str, ...]:
    """The other channels that should know: those of every service involved, and the overview."""
    services = [*incident.services, *((diagnosis.cause.service,) if diagnosis and diagnosis.cause else ())]
    wanted = [route_of(incident, s, desk).channel for s in services]
    overview = desk.routing().overview
    return tuple(c for c in dict.fromkeys((*wanted, *((overview,) if overview else ()))) if c != incident.channel)


def route_of(incident: Incident, service: str, desk: Desk) -> Route:
    """Where things about this service of this incident go."""
    owner = desk.catalogue().get(service).owner
    return desk.routing().route(
        owner=owner,
        service=service,
        severity=incident.severity,
        environment=incident.environment,
        at=incident.opened_at,
    )


def quiet_for(incident: Incident, desk: Desk) -> Quiet | None:
    """Whether nobody is to be disturbed about this incident now."""
    return desk.routing().quiet(incident.severity, desk.clock())


def build(tx: Transaction, key: str, desk: Desk) -> tuple[Shown, Place] | None:
    """What the message with this key shows now, and where it first appears; None if there is nothing to show."""
    kind, id, *rest = key.split(":", 2)
    if kind == "action":
        return _build_action(tx, id, desk)
    if kind == "batch":
        return _build_batch(tx, id, desk)
    if kind == "draft":
        return _build_draft(tx, id, desk)
    incident = desk.incidents.get(tx, id)
    if incident is None:
        return None
    diagnosis = desk.diagnoses.latest(tx, incident.id)
    if kind == "card":
        incident = _at_home(tx, incident, diagnosis, desk)
        return incident_view(tx, incident, desk), Place(incident.channel)
    card = desk.cards.get(tx, f"card:{incident.id}")
    if card is None or not card.place.ts:
        return None
    thread = Place(card.place.channel, "", card.place.ts)
    if kind == "evidence":
        return (EvidenceView(incident, diagnosis), thread) if diagnosis else None
    if kind in ("charts", "map"):
        kept = desk.charts.get(tx, incident.id if kind == "charts" else f"{incident.id}:map")
        return (ChartsView(incident.key, kept.charts), thread) if kept else None
    if kind == "thought":
        stands = desk.cards.get(tx, key)
        return _build_thought(incident, diagnosis, stands is not None and bool(stands.place.ts), thread)
    if kind == "confirm":
        return ConfirmView(incident, diagnosis, quiet_for(incident, desk) is not None, lacks_runbook(tx, incident, desk)), thread
    return PointerView(incident, why=_why(incident, diagnosis, rest[0], desk), card=card.place), Place(rest[0])


def _build_thought(incident: Incident, diagnosis: Diagnosis | None, stands: bool, thread: Place) -> tuple[Shown, Place] | None:
    """What the model thinks; that it failed is told by the card alone unless an earlier thought stands in the thread."""
    if diagnosis is None or diagnosis.thought is None or (diagnosis.thought.failure and not stands):
        return None
    return ThoughtView(incident.key, diagnosis.thought), thread


def _build_action(tx: Transaction, id: str, desk: Desk) -> tuple[Shown, Place] | None:
    action = desk.actions.get(tx, id)
    if action is None:
        return None
    incident = desk.incidents.get(tx, action.incident_id) if action.incident_id else None
    service = desk.catalogue().get(action.service)
    rule = desk.policies().rule_for(action.kind, service, action.environment)
    asked = desk.policies().members(rule.approve) if rule else ()
    able = tuple(p for p in asked if desk.policies().may_approve(p, action, service).allowed)
    if action.claim is Claim.BREAK_GLASS and action.status in UNDECIDED:  # whoever may ask for that may approve it alone
        able = tuple(dict.fromkeys((action.requested_by, *able)))
    groups = desk.policies().chat_groups(rule.approve) if rule and action.status in UNDECIDED else ()
    began = action.since(action.status) or action.updated_at
    going = action.status in (ActionStatus.EXECUTING, ActionStatus.VERIFYING)
    view = ActionView(
        action,
        incident,
        as_of=action.updated_at,
        approvers=able,
        groups=groups,
        cancels=_cancels(action, desk),
        minutes=int((desk.clock() - began).total_seconds() // 60) if going else 0,
    )
    return view, _home(tx, action, incident, f"action:{id}", desk)


def _build_batch(tx: Transaction, id: str, desk: Desk) -> tuple[Shown, Place] | None:
    parts = in_order(desk.actions.of_batch(tx, id))
    if not parts:
        return None
    first = parts[0]
    incident = desk.incidents.get(tx, first.incident_id) if first.incident_id else None
    policies, catalogue = desk.policies(), desk.catalogue()
    able: dict[str, None] = {}
    for part in (p for p in parts if p.status in UNDECIDED):
        rule = policies.rule_for(part.kind, catalogue.get(part.service), part.environment)
        asked = policies.members(rule.approve) if rule else ()
        able |= dict.fromkeys(p for p in asked if policies.may_approve(p, part, catalogue.get(part.service)).allowed)
    view = BatchView(
        id,
        parts,
        incident,
        as_of=max(p.updated_at for p in parts),
        note=ordered([p.service for p in parts], catalogue.whole, first.kind).said,
        standing=standing(parts),
        approvers=tuple(able),
        cancels=any(p.status is ActionStatus.EXECUTING and _cancels(p, desk) for p in parts),
    )
    return view, _home(tx, first, incident, f"batch:{id}", desk)


def _home(tx: Transaction, action: Action, incident: Incident | None, key: str, desk: Desk) -> Place:
    """Where the message of an action appears: in the thread of its incident, else where it was asked for."""
    card = desk.cards.get(tx, f"card:{incident.id}") if incident else None
    if card is not None and card.place.ts:
        return Place(card.place.channel, "", card.place.ts)
    whole = desk.cards.get(tx, f"batch:{action.batch}") if action.batch and key.startswith("action:") else None
    if whole is not None and whole.place.ts:
        return Place(whole.place.channel, "", whole.place.thread or whole.place.ts)
    own = desk.cards.get(tx, key)
    if own is not None and own.place.channel:
        return own.place
    default = desk.routing().default.channel
    return Place(default if incident is None else route_of(incident, action.service, desk).channel)


def _cancels(action: Action, desk: Desk) -> bool:
    """It can be stopped still: at once before it has begun, later where its deployer can be asked."""
    if action.status is ActionStatus.APPROVED:
        return True
    heard = action.cancel is not None and action.cancel.state in HEARD
    deployer = desk.deployers.get(action.deployer)
    return action.status in AT_THE_VENDOR and not heard and deployer is not None and deployer.cancels


def _build_draft(tx: Transaction, id: str, desk: Desk) -> tuple[Shown, Place] | None:
    """A drafted runbook stands in the thread of its incident."""
    draft = desk.drafts.get(tx, id)
    incident = desk.incidents.get(tx, draft.incident_id) if draft else None
    card = desk.cards.get(tx, f"card:{incident.id}") if incident else None
    if draft is None or incident is None or card is None or not card.place.ts:
        return None
    return DraftView(draft, incident.key, goes_to(desk)), Place(card.place.channel, "", card.place.ts)


def goes_to(desk: Desk) -> str:
    """Where an approved draft goes, for people."""
    goes = desk.drafting
    if goes.proposals is not None:
        return f"a pull request of {goes.repository}"
    return f"the folder {goes.folder.name}" if goes.folder else "the incident's thread, as a file"


def _at_home(tx: Transaction, incident: Incident, diagnosis: Diagnosis | None, desk: Desk) -> Incident:
    """The incident with its home channel, chosen once: the owner of the convicted service, else of the first one alerting."""
    if incident.channel:
        return incident
    convicted = diagnosis is not None and diagnosis.cause is not None
    service = diagnosis.cause.service if convicted and diagnosis and diagnosis.cause else incident.service
    route = route_of(incident, service, desk)
    return desk.incidents.save(tx, replace(incident, channel=route.channel, on_call=route.on_call))


def incident_view(tx: Transaction, incident: Incident, desk: Desk) -> IncidentView:
    """All that the card tells."""
    diagnosis = desk.diagnoses.latest(tx, incident.id)
    actions = tuple(a for a in desk.actions.of_incident(tx, incident.id) if not a.dry)
    quiet = quiet_for(incident, desk) if incident.status is Status.OPEN else None
    return IncidentView(
        incident=incident,
        diagnosis=diagnosis,
        action=actions[0] if actions else None,
        may_propose=rollback_target(tx, incident, diagnosis, actions, desk),
        may_propose_with=together(tx, diagnosis.cause, incident, desk) if diagnosis and diagnosis.cause else (),
        as_of=desk.clock(),
        looking=diagnosis is None,
        notices=(
            notice(tx, incident, diagnosis, desk),
            *_stranger(incident, desk),
            *noise_notices(tx, desk, incident),
            *(f"ticket {t.ref}" for t in desk.tickets.of_incident(tx, incident.id)),
            *_reached(tx, incident, desk),
        ),
        quiet_until=quiet.until if quiet else None,
        steps=offers(tx, incident, diagnosis, desk),
    )


def _stranger(incident: Incident, desk: Desk) -> tuple[str, ...]:
    """Of something bad people should know that nobody said whose it is: neither owner nor dependants are known."""
    bad = incident.live and incident.severity.rank <= Severity.SEV2.rank
    if not bad or desk.catalogue().resolve(incident.service) is not None:
        return ()
    return (f"service {incident.service} is not in services.yaml: /incident unmatched says whose it is",)


def _reached(tx: Transaction, incident: Incident, desk: Desk) -> tuple[str, ...]:
    """What people should know of who was told how, the latest escalation only."""
    rows = [r for r in desk.reach.of(tx, incident.id) if not r.key.startswith("carry:") and r.how != "quiet"]
    outlet = [r for r in rows if ":outlet:" in r.key and r.state == "done" and r.page]
    told = [f"while Slack was away, told through {r.how} at {r.at:%H:%M} UTC" for r in outlet[:1]]
    steps = [r for r in rows if ":outlet:" not in r.key]
    if steps and incident.status is Status.OPEN:
        last = steps[-1]
        name = f"{last.how}:{last.target}" if last.how not in ("person", "channel") and last.target else last.target or last.how
        state = {"done": "called", "due": "being called", "failed": "could not be called"}[last.state]
        told.append(f"{name} {state} at {last.at:%H:%M} UTC")
    return tuple(told)


def rollback_target(
    tx: Transaction, incident: Incident, diagnosis: Diagnosis | None, actions: tuple[Action, ...], desk: Desk
) -> str:
    """The version that a rollback would bring back, or "" where none is offered.

    It is offered only for a convicted change of a service that we can deploy, while nothing else is under way for it.
    """
    if diagnosis is None or diagnosis.verdict is not Verdict.CONVICTED or diagnosis.cause is None or not incident.live:
        return ""
    cause = diagnosis.cause
    if not desk.catalogue().get(cause.service).deployer or any(not a.ended for a in actions):
        return ""
    if any(a.status is ActionStatus.SUCCEEDED and a.service == cause.service for a in actions):
        return ""
    before = [
        c
        for c in desk.changes.between(tx, desk.clock() - timedelta(days=30), cause.shipped_at or desk.clock())
        if c.shipped and cause.service in c.services and c.version and c.version != cause.version
    ]
    return before[-1].version if before else "the version before"


def _why(incident: Incident, diagnosis: Diagnosis | None, channel: str, desk: Desk) -> str:
    cause = diagnosis.cause if diagnosis else None
    if cause is not None and route_of(incident, cause.service, desk).channel == channel:
        return f"{cause.service} is the likely cause"
    here = [s for s in incident.services if route_of(incident, s, desk).channel == channel]
    return f"{', '.join(here)} is affected" if len(here) == 1 else f"{', '.join(here)} are affected" if here else "overview"


def digest(view: Shown | HomeView) -> str:
    """Equal for views that look the same to people; the time of looking does not count."""
    same = replace(view, as_of=EPOCH) if isinstance(view, IncidentView | ActionView | HomeView) else view
    if isinstance(same, IncidentView | EvidenceView | ConfirmView) and same.diagnosis is not None:
        same = replace(same, diagnosis=replace(same.diagnosis, at=EPOCH, trace_id="", thought=None))
    return hashlib.sha256(repr(same).encode()).hexdigest()[:24]
