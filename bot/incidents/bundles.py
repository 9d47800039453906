"""Problems of one service that follow each other in time, and what else they can be matched by."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.alert import Alert
from bot.domain.service import Catalogue

NAMELESS = frozenset({"", "unknown"})
PLACES = ("node", "nodename", "kubernetes_node", "host", "hostname", "rack", "volume", "database", "datname", "queue", "topic")
GENERIC = frozenset({"alertname", "severity", "priority", "receiver", "environment", "env", "stage", "team", "owner"})


@dataclass(frozen=True, slots=True)
class Arrival:
    """A problem that needs a place: its first alert, and when that began (never in the future)."""

    fingerprint: str
    alert: Alert
    at: datetime
    hooks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """An arrival with its place in an incident and the reason why it belongs there."""

    arrival: Arrival
    reason: str


@dataclass(slots=True)
class Span:
    """From the first to the last moment."""

    first: datetime
    last: datetime

    def gap(self, other: "Span") -> timedelta:
        """The time between two spans; none if they overlap."""
        return max(timedelta(0), self.first - other.last, other.first - self.last)

    def cover(self, at: datetime) -> None:
        """Reach to this moment too."""
        self.first, self.last = min(self.first, at), max(self.last, at)


@dataclass(slots=True)
class Bundle:
    """Problems of one service that followed each other within the window."""

    service: str
    environment: str
    span: Span
    arrivals: list[Arrival]
    alone: bool  # unreadable: nothing to link it by
    hooks: dict[str, Span] = field(default_factory=dict)


def hooks_of(alert: Alert, catalogue: Catalogue) -> tuple[str, ...]:
    """What an alert can be matched by besides its service: where it runs; if nobody described its service, name and group."""
    if not alert.readable:
        return ()
    found = [f"{key}={alert.labels[key]}" for key in PLACES if alert.labels.get(key)]
    if catalogue.resolve(alert.service) is None:
        found.append(f"alert={alert.name}")
        group = {k: v for k, v in alert.group.items() if k not in GENERIC and v}
        if group:
            found.append("group=" + ", ".join(f"{k}={v}" for k, v in sorted(group.items())))
    return tuple(hook[:200] for hook in found)


def arrival(fingerprint: str, alert: Alert, catalogue: Catalogue, now: datetime) -> Arrival:
    """The arrival of a problem."""
    return Arrival(fingerprint, alert, min(alert.started_at, now), hooks_of(alert, catalogue))


def bundled(arrivals: Iterable[Arrival], window: timedelta) -> list[Bundle]:
    """The bundles of a batch, ordered by what they are; the order of the arrivals changes nothing."""
    bundles: list[Bundle] = []
    latest: dict[tuple[str, ...], Bundle] = {}
    for one in sorted(arrivals, key=lambda a: (a.at, a.fingerprint)):
        alert = one.alert
        key: tuple[str, ...] = (alert.environment, alert.service)
        if alert.service in NAMELESS or not alert.readable:
            key = (*key, alert.connector, alert.name)
        bundle = latest.get(key)
        if bundle is None or one.at - bundle.span.last > window:
            bundle = Bundle(alert.service, alert.environment, Span(one.at, one.at), [], not alert.readable)
            latest[key] = bundle
            bundles.append(bundle)
        bundle.span.cover(one.at)
        bundle.arrivals.append(one)
        for hook in one.hooks:
            bundle.hooks.setdefault(hook, Span(one.at, one.at)).cover(one.at)
    return bundles


def members(bundle: Bundle, reason: str) -> Iterator[Joined]:
    """Everyone in a bundle: the first with the bundle's reason, the others by service and time."""
    before = None
    for one in bundle.arrivals:
        where = bundle.service if bundle.service not in NAMELESS else one.alert.name
        yield Joined(one, reason if before is None else f"also {where}, {apart(one.at - before)}")
        before = one.at


def apart(gap: timedelta) -> str:
    """A gap as people say it: "12 s apart"."""
    seconds = abs(gap.total_seconds())
    if seconds < 1:
        return "at the same moment"
    if seconds < 120:
        return f"{seconds:.0f} s apart"
    return f"{seconds / 60:.0f} min apart" if seconds < 7200 else f"{seconds / 3600:.0f} h apart"
