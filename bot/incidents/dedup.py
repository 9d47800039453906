"""What an alert event means, given what is known of its problem: news, a repeat, an end."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.alert import Alert, Severity, fingerprint, instance_key
from bot.domain.noise import CRITICAL, Hold
from bot.ports import Problem

LATE = timedelta(minutes=2)  # redundant senders deliver copies of an alert for about this long after its end


class Verdict(StrEnum):
    """What one alert event means for its instance; the word that is logged, counted and shown."""

    NEW = "new"
    REPEAT = "repeat"
    REFIRED = "fires again"
    CLEARED = "cleared"
    CLEARED_UNSEEN = "cleared, never seen firing"


BEGINS = frozenset({Verdict.NEW, Verdict.REFIRED})


def judge(alert: Alert, began: datetime | None, ended: datetime | None, now: datetime) -> Verdict:
    """What the event means; `began` is set while its instance fires, `ended` when it fired before and was cleared.

    An end that lies before the present beginning is about an earlier time, and a firing copy that arrives shortly after
    its own end is late: both change nothing. A copy that arrives later is taken for a new fire, since an alert told
    twice does less harm than one never told.
    """
    if alert.resolved:
        if began is None:
            return Verdict.CLEARED_UNSEEN if ended is None else Verdict.REPEAT
        return Verdict.CLEARED if (alert.ended_at or now) >= began else Verdict.REPEAT
    if began is not None:
        return Verdict.REPEAT
    if ended is None:
        return Verdict.NEW
    late = alert.started_at < ended and now - ended < LATE
    return Verdict.REPEAT if late else Verdict.REFIRED


@dataclass(frozen=True, slots=True)
class Event:
    """An alert with the identities of its problem and of its instance."""

    alert: Alert
    fingerprint: str
    instance: str

    @property
    def at(self) -> datetime:
        """When it happened, by its sender's clock."""
        return (self.alert.ended_at or self.alert.started_at) if self.alert.resolved else self.alert.started_at


def identified(batch: Iterable[Alert]) -> list[Event]:
    """The events of a batch in the order in which they happened, whatever order they came in."""
    events = [Event(alert, mark := fingerprint(alert), instance_key(alert, mark)) for alert in batch]
    return sorted(events, key=lambda e: (e.at, e.alert.resolved, e.fingerprint, e.instance))


class News:
    """What a batch tells of one problem: how it was, how it is, and each event with its verdict."""

    def __init__(self, first: Event, before: Problem | None) -> None:
        self.before = before
        self.events: list[tuple[Event, Verdict]] = []
        self._problem = before or Problem(first.fingerprint, first.alert.name, first.alert.service)
        self._firing = dict(self._problem.firing)
        self._cleared = dict(self._problem.cleared)
        self._count = self._problem.count

    def take(self, event: Event, now: datetime) -> Verdict:
        """Judge the next event and remember what it changes."""
        key, alert = event.instance, event.alert
        began = self._firing.get(key)
        verdict = judge(alert, began, self._cleared.get(key), now)
        if verdict in BEGINS:
            self._firing[key] = alert.started_at
            self._cleared.pop(key, None)
            self._count += 1
        elif verdict is Verdict.REPEAT and began is not None and not alert.resolved:
            self._firing[key] = max(began, alert.started_at)
        elif verdict in (Verdict.CLEARED, Verdict.CLEARED_UNSEEN):
            self._count -= 1 if verdict is Verdict.CLEARED else 0
            self._firing.pop(key, None)
            self._cleared[key] = alert.ended_at or now
        elif self._untold(event, verdict):
            verdict = Verdict.NEW
        self.events.append((event, verdict))
        return verdict

    def _untold(self, event: Event, verdict: Verdict) -> bool:
        """Its end came before its beginning, and it is too grave for nobody to have heard of it: it is over, but told."""
        alert, problem = event.alert, self._problem
        late = verdict is Verdict.REPEAT and not alert.resolved and event.instance not in self._firing
        return late and alert.severity in CRITICAL and not problem.incident_id and not self.begins

    @property
    def fingerprint(self) -> str:
        """Whose news it is."""
        return self._problem.fingerprint

    @property
    def incident_id(self) -> str:
        """The incident that the problem belonged to so far, or ""."""
        return self._problem.incident_id

    @property
    def firing(self) -> int:
        """How many instances fire now."""
        return self._count

    @property
    def begins(self) -> tuple[Alert, ...]:
        """The alerts of it that began to fire, the first one first."""
        return tuple(e.alert for e, v in self.events if v in BEGINS)

    @property
    def cleared_now(self) -> bool:
        """Its last firing instance cleared in this batch."""
        return self._count == 0 and any(v is Verdict.CLEARED for _, v in self.events)

    @property
    def severity(self) -> Severity:
        """The worst severity among its alerts."""
        return Severity.worst(*(e.alert.severity for e, _ in self.events))

    def problem(self, now: datetime, incident_id: str) -> Problem:
        """The problem as it is after the batch."""
        ended = self._problem.resolved_at or now
        return replace(
            self._problem,
            incident_id=incident_id,
            firing=self._firing,
            cleared=self._cleared,
            count=self._count,
            events=self._problem.events + len(self.events),
            last_at=now,
            resolved_at=None if self._count else now if self.cleared_now else ended,
        )


def tell(events: Sequence[Event], known: Mapping[str, Problem], now: datetime) -> dict[str, News]:
    """The news of a batch, by fingerprint."""
    told: dict[str, News] = {}
    for event in events:
        news = told.get(event.fingerprint)
        if news is None:
            news = told[event.fingerprint] = News(event, known.get(event.fingerprint))
        news.take(event, now)
    return told


def released(problem: Problem, hold: Hold, now: datetime) -> News:
    """A problem that was held and still fires, as the news that it would have been; its instances stay as they are kept."""
    event = Event(hold.alert, problem.fingerprint, hold.instance)
    news = News(event, replace(problem, count=problem.count - 1, events=problem.events - 1, firing={}, cleared={}))
    news.take(event, now)
    return news
