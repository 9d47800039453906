"""Problems of one service that follow each other in time, and what else they can be matched by."""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.alert import Alert, Severity
from bot.domain.service import Catalogue

NAMELESS = frozenset({"", "unknown"})
MACHINES = ("node", "nodename", "kubernetes_node", "host", "hostname")  # as different senders call the same thing
ZONES = ("zone", "availability_zone", "topology_kubernetes_io_zone", "availability-zone", "az", "cell")
PLACES = (
    *("rack", "volume", "persistentvolume", "database", "datname", "db_instance", "dbinstance_identifier"),
    *("queue", "topic", "bucket", "load_balancer"),
)
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

    @property
    def fingerprints(self) -> set[str]:
        """Of all its problems."""
        return {one.fingerprint for one in self.arrivals}

    @property
    def loud(self) -> bool:
        """One of its problems is more than a notice."""
        return any(one.alert.severity is not Severity.SEV4 for one in self.arrivals)


def hooks_of(alert: Alert, catalogue: Catalogue, changes: Iterable[str] = ()) -> tuple[str, ...]:
    """What an alert can be matched by besides its service: where it runs, what changed; if nobody described its service,
    name and group."""
    if not alert.readable:
        return ()
    machines = [alert.labels[key] for key in MACHINES if alert.labels.get(key)] or _machine(alert.labels.get("instance", ""))
    found = [f"node={machine}" for machine in dict.fromkeys(machines)]
    found += [f"at={machine} {alert.name}" for machine in dict.fromkeys(machines)]
    found += [f"{key}={alert.labels[key]}" for key in PLACES if alert.labels.get(key)]
    found += [f"change={change}" for change in changes]
    zones = dict.fromkeys(alert.labels[key] for key in ZONES if alert.labels.get(key))
    found += [f"zone={zone}" for zone in zones]
    found += [f"in={zone} {alert.name}" for zone in zones]
    found.append(f"every={alert.name}")
    if catalogue.resolve(alert.service) is None:
        found.append(f"alert={alert.name}")
        group = {k: v for k, v in alert.group.items() if k not in GENERIC and v}
        if group:
            found.append("group=" + ", ".join(f"{k}={v}" for k, v in sorted(group.items())))
    return tuple(hook[:200] for hook in found)


def _machine(instance: str) -> list[str]:
    """The machine that `instance` names (host:port), where it is a name: addresses of pods name no machine."""
    host = instance.rpartition(":")[0] or instance
    return [host] if host and not re.fullmatch(r"[\d.]+|\[?[0-9a-fA-F:]+\]?", host) else []


def arrival(
    fingerprint: str, alert: Alert, catalogue: Catalogue, now: datetime, touching: Mapping[str, Iterable[str]] | None = None
) -> Arrival:
    """The arrival of a problem; `touching` are the recent changes of each service, in words."""
    changes = (touching or {}).get(alert.service, ())
    return Arrival(fingerprint, alert, min(alert.started_at, now), hooks_of(alert, catalogue, changes))


def bundled(arrivals: Iterable[Arrival], window: timedelta, judged: Container[str] = ()) -> list[Bundle]:
    """The bundles of a batch, ordered by what they are; the order of the arrivals changes nothing.

    A problem that a person once put somewhere (`judged`, fingerprints) is a bundle of its own.
    """
    bundles: list[Bundle] = []
    latest: dict[tuple[str, ...], Bundle] = {}
    for one in sorted(arrivals, key=lambda a: (a.at, a.fingerprint)):
        alert = one.alert
        key: tuple[str, ...] = (alert.environment, alert.service)
        if alert.service in NAMELESS or not alert.readable:
            key = (*key, alert.connector, alert.name, *one.hooks[:1])
        if one.fingerprint in judged:
            key = (*key, one.fingerprint)
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
