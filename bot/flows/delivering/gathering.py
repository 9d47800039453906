"""What happened in a span of time, read from the stores: deployments, incidents and their causes, pages and deeds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Protocol

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.delivery import Blame, OnCallFigures
from bot.domain.evidence import Candidate, Verdict
from bot.domain.incident import Incident
from bot.flows.reaching.paging import NOT_NEEDED
from bot.incidents.delivery.deployments import deployments
from bot.incidents.delivery.figures import WEEK, WEEKS, Past
from bot.incidents.delivery.pages import LATER, Acted, Paged, on_call
from bot.incidents.noise.figures import BY_ITSELF
from bot.incidents.routing import Routing, Target
from bot.investigation.learning.lessons import NOBODY, lesson_of
from bot.ports import (
    ActionStore,
    ChangeStore,
    DiagnosisStore,
    IncidentStore,
    Ledger,
    Reached,
    ReachStore,
    Transaction,
    WatchStore,
)

BEFORE = timedelta(days=30)  # so long before the span, deployments are known of, so that a way back is seen as one
MOST = 5_000  # incidents that are read, the newest
NOT_PAGED = ("channel", "quiet")  # kinds of attempts that wake nobody
BOT = "tocsin"
DAY = timedelta(days=1)


class Record(Protocol):
    """The stores that tell what happened; the desk is one, and so are a command's stores."""

    @property
    def changes(self) -> ChangeStore: ...
    @property
    def incidents(self) -> IncidentStore: ...
    @property
    def diagnoses(self) -> DiagnosisStore: ...
    @property
    def actions(self) -> ActionStore: ...
    @property
    def reach(self) -> ReachStore: ...
    @property
    def watches(self) -> WatchStore: ...
    @property
    def ledger(self) -> Ledger: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be counted: [since, until) of one environment, with the rules that say who is paged, and people's zones."""

    since: datetime
    until: datetime
    environment: str
    routing: Routing
    zones: Mapping[str, tzinfo]  # of people, by Slack user id


def gathered(tx: Transaction, record: Record, asked: Asked) -> tuple[Past, tuple[Change, ...]]:
    """What happened, still without the times of commits, and the pushes that may tell some of them."""
    first = min(asked.since, asked.until - WEEKS * WEEK) - BEFORE
    changes = record.changes.shipments(tx, first, asked.until)
    every = record.incidents.recent(tx, MOST)
    here = [i for i in every if i.environment == asked.environment and (i.resolved_at is None or i.resolved_at >= first)]
    blames, unclear = _blames(tx, here, record)
    past = Past(
        deployments(changes, record.actions.since(tx, first), asked.environment),
        tuple(here),
        blames,
        record.watches.bakes(tx, first),
        on_call=_on_call(tx, every, record, asked),
        notes=tuple(_notes(blames, unclear, changes, every, asked)),
    )
    return past, record.changes.commits(tx, (d.commit for d in past.deployments if d.at >= asked.since))


def _blames(tx: Transaction, incidents: Sequence[Incident], record: Record) -> tuple[tuple[Blame, ...], int]:
    """The changes that were causes; and of how many incidents it is open which change the confirmed words mean."""
    found, unclear = [], 0
    for incident in incidents:
        if incident.merged_into:
            continue
        diagnosis = record.diagnoses.latest(tx, incident.id)
        if incident.confirmed_cause:
            lesson = lesson_of(incident, diagnosis)
            if lesson is None or diagnosis is None:
                unclear += 1
            elif lesson.culprit != NOBODY:
                suspects = (*([diagnosis.cause] if diagnosis.cause else []), *diagnosis.suspects)
                found.append(_blame(incident, next(c for c in suspects if c.key == lesson.culprit), confirmed=True))
        elif diagnosis is not None and diagnosis.verdict is Verdict.CONVICTED and diagnosis.cause is not None:
            found.append(_blame(incident, diagnosis.cause, confirmed=False))
    return tuple(found), unclear


def _blame(incident: Incident, cause: Candidate, *, confirmed: bool) -> Blame:
    return Blame(
        incident.id,
        incident.opened_at,
        incident.resolved_at,
        cause.change_id,
        cause.service,
        cause.version,
        cause.commit,
        confirmed,
    )


def _on_call(tx: Transaction, incidents: Sequence[Incident], record: Record, asked: Asked) -> OnCallFigures:
    pages = [_paged(one, asked) for one in record.reach.since(tx, asked.since) if _was_page(one)]
    taken: dict[str, datetime] = {}
    for incident, at in record.ledger.done(tx, "acknowledged", asked.since):
        taken.setdefault(incident, at)
    acted: dict[str, list[Acted]] = {}
    for incident, deed in (*_deeds(tx, incidents, record, asked), *((id, Acted(at, more=False)) for id, at in taken.items())):
        acted.setdefault(incident, []).append(deed)
    return on_call(pages, acted, incidents, taken, asked.since, asked.until)


def _was_page(one: Reached) -> bool:
    return one.state == "done" and one.how not in NOT_PAGED and one.detail != NOT_NEEDED


def _paged(one: Reached, asked: Asked) -> Paged:
    target = Target(one.how, one.target)
    rota = asked.routing.rota(one.target) if one.how == "rota" else None
    if rota is not None:
        return Paged(one.at, one.incident_id, str(target), rota.zone, DAY if rota.weekday is None else WEEK)
    return Paged(one.at, one.incident_id, str(target), asked.zones.get(one.target, asked.routing.zone))


def _deeds(tx: Transaction, incidents: Sequence[Incident], record: Record, asked: Asked) -> Iterator[tuple[str, Acted]]:
    """What people did about incidents beyond acknowledging them."""
    for incident in incidents:
        by_hand = incident.resolved_by not in BY_ITSELF and not incident.resolved_by.startswith(("verified", "merged"))
        if incident.resolved_at is not None and by_hand:
            yield incident.id, Acted(incident.resolved_at, more=True)
    for action in record.actions.since(tx, asked.since - LATER):
        if action.incident_id and action.requested_by != BOT:
            yield action.incident_id, Acted(action.created_at, more=True)
        yield from ((action.incident_id, Acted(d.at, more=True)) for d in action.decisions if action.incident_id)
    for deed in ("confirmed cause", "asked for a ticket"):
        yield from ((id, Acted(at, more=True)) for id, at in record.ledger.done(tx, deed, asked.since))


def _notes(
    blames: Sequence[Blame], unclear: int, changes: Sequence[Change], incidents: Sequence[Incident], asked: Asked
) -> Iterator[str]:
    """What the figures leave out, counted."""
    if changes and changes[0].at > asked.since:
        yield f"whatever was before {changes[0].at:%Y-%m-%d}, when Tocsin first heard of a change"
    within = [c for c in changes if asked.since <= c.at < asked.until]
    others = [c for c in within if c.shipped and c.kind is not ChangeKind.DEPLOY]
    lost = [c for c in within if c.kind is ChangeKind.DEPLOY and c.status is ChangeStatus.FAILED]
    if others:
        yield f"{len(others)} changes of configuration, flags, infrastructure and the like, which are no deployments"
    if lost:
        yield f"{len(lost)} deployments that did not get through: nothing new ran"
    ids = {c.id: c for c in changes}
    by_others = [b for b in blames if b.change_id in ids and ids[b.change_id].kind is not ChangeKind.DEPLOY]
    if by_others:
        yield f"{len(by_others)} incidents that other changes than deployments caused"
    if unclear:
        yield f"{unclear} incidents whose confirmed cause names no change that is clear"
    if len(incidents) == MOST and incidents[-1].opened_at >= asked.since:
        yield f"incidents before {incidents[-1].key}: only the newest {MOST:,} are read"


def slack_people(tx: Transaction, record: Record, since: datetime) -> tuple[str, ...]:
    """The people who were paged by their Slack id since a time, whose zones are worth asking for."""
    return tuple(
        dict.fromkeys(one.target for one in record.reach.since(tx, since) if one.how == "person" and "@" not in one.target)
    )


def of_service(past: Past, service: str) -> Past:
    """The same of one service; pages are of all."""
    return replace(
        past,
        deployments=tuple(d for d in past.deployments if d.service == service),
        incidents=tuple(i for i in past.incidents if i.service == service),
    )
