"""The metrics that motivated an action, read before and after it; what cannot be read is said, and the alerts decide."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.actions.effect import WARM, again, baseline, belongs, cited, span_before
from bot.actions.verify import in_effect
from bot.domain.action import Action, ActionStatus
from bot.domain.evidence import Diagnosis
from bot.domain.telemetry import Series, Window
from bot.domain.verification import Verification
from bot.flows.desk import Desk
from bot.flows.watching.reading import Read, read
from bot.ports import Transaction

EVERY = timedelta(seconds=10)  # metrics are read this often at most
MOST_SERVICES = 5
SECOND = timedelta(seconds=1)  # vendors cut the fractions of their times
NO_SOURCE = "no source of metrics is set up"


@dataclass(frozen=True, slots=True)
class _Sight:
    """What is to be read: of which services, since when the action has effect, and from when on it was bad before."""

    services: tuple[str, ...]
    began: datetime
    since: datetime
    onset: datetime | None
    diagnosis: Diagnosis | None


def effective_since(tx: Transaction, action: Action, desk: Desk) -> datetime:
    """Since when the target of an action runs, by what was told of it."""
    changes = desk.changes.between(tx, action.created_at - SECOND, action.updated_at)
    return in_effect(action, changes)


async def measure(action: Action, desk: Desk) -> Verification:
    """What is known of the effect by now; the sources are asked again only after a while."""
    seen, now = action.verification or Verification(), desk.clock()
    if not desk.number_sources:
        return replace(seen, doubt=NO_SOURCE)
    if seen.at is not None and now - seen.at < min(EVERY, desk.limits.verify / 8):
        return seen
    sight = await desk.db.read(lambda tx: _sight(tx, action, desk))
    before = span_before(sight.began, sight.onset)
    window = Window(sight.since if seen.measured else before.start, now + SECOND)
    found = await read(sight.services, window, desk, desk.limits.gather.total_seconds())
    series = [s for s in found.series if belongs(s, action.environment, desk.default_environment)]
    named = cited(sight.diagnosis, series)
    measured = seen.measured or baseline(series, named, before, action.service)
    doubt = _doubt(action, found, series, bool(measured))
    if series or found.whole:
        measured = again(measured, series, Window(sight.since + desk.limits.verify / WARM, window.end))
    return replace(seen, measured=measured, doubt=doubt, at=now)


def _sight(tx: Transaction, action: Action, desk: Desk) -> _Sight:
    incident = desk.incidents.get(tx, action.incident_id) if action.incident_id else None
    diagnosis = desk.diagnoses.latest(tx, incident.id) if incident else None
    alerting = dict.fromkeys(m.service for m in incident.members if m.service) if incident else {}
    services = tuple(dict.fromkeys((action.service, *alerting)))[:MOST_SERVICES]
    onset = (diagnosis.onset if diagnosis else None) or (incident.opened_at if incident else None)
    began = action.since(ActionStatus.EXECUTING) or action.updated_at
    return _Sight(services, began, effective_since(tx, action, desk), onset, diagnosis)


def _doubt(action: Action, found: Read, series: Sequence[Series], compared: bool) -> str:
    if compared:
        return "" if found.whole else "a source of metrics did not answer"
    if not found.whole:
        return "the sources of metrics did not answer"
    return "too little was measured before it" if series else f"no source has metrics of {action.service}"
