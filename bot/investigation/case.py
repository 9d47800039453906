"""A case: everything that one look at one incident may use, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.alert import Alert
from bot.domain.change import Change, Commit
from bot.domain.document import Found
from bot.domain.service import ServiceGraph
from bot.domain.telemetry import Edge, Happening, LogLine, Readings, Series, SourceStatus, Span

NOBODY = ServiceGraph()


@dataclass(frozen=True, slots=True)
class Pattern:
    """A log template that a source counted itself: `before` while all was well, `during` the trouble."""

    service: str
    text: str
    before: int
    during: int
    negative: bool
    first: datetime | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """The inputs of a diagnosis; `diagnose(case)` is a pure function of them.

    `commits` are by full sha. `carries` tells which commits a change brought, newest first, where that is known.
    `external` are the names of services outside our estate. `alert_at` is when the first alert began.
    """

    alerts: tuple[Alert, ...]
    alert_at: datetime
    now: datetime
    changes: tuple[Change, ...] = ()
    commits: Mapping[str, Commit] = field(default_factory=dict)
    carries: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    readings: tuple[Readings, ...] = ()
    patterns: tuple[Pattern, ...] = ()
    graph: ServiceGraph = NOBODY
    external: frozenset[str] = frozenset()
    runbooks: tuple[Found, ...] = ()
    past: tuple[Found, ...] = ()
    searched: bool = True  # False: the search for runbooks did not answer in time
    healthy_until: datetime | None = None

    @property
    def services(self) -> tuple[str, ...]:
        """The services that alert, the first one first."""
        ordered = sorted(self.alerts, key=lambda a: (a.started_at, a.service))
        return tuple(dict.fromkeys(a.service for a in ordered if a.service))

    @property
    def series(self) -> tuple[Series, ...]:
        """Every series that was read."""
        return tuple(s for r in self.readings for s in r.series)

    @property
    def logs(self) -> tuple[LogLine, ...]:
        """Every log line that was read, oldest first."""
        return tuple(sorted((line for r in self.readings for line in r.logs), key=lambda line: line.at))

    @property
    def spans(self) -> tuple[Span, ...]:
        """Every span that was read, oldest first."""
        return tuple(sorted((s for r in self.readings for s in r.spans), key=lambda s: (s.start, s.span_id)))

    @property
    def edges(self) -> tuple[Edge, ...]:
        """What was measured between services, oldest first."""
        return tuple(sorted((e for r in self.readings for e in r.edges), key=lambda e: (e.at, e.caller, e.callee)))

    @property
    def happenings(self) -> tuple[Happening, ...]:
        """What platforms say happened, oldest first."""
        return tuple(sorted((h for r in self.readings for h in r.happenings), key=lambda h: (h.at, h.service, h.reason)))

    @property
    def failed_readings(self) -> tuple[Readings, ...]:
        """The questions that got no answer."""
        return tuple(r for r in self.readings if r.status is not SourceStatus.OK)

    @property
    def known_graph(self) -> ServiceGraph:
        """Who calls whom: the given graph, and what spans and edges show."""
        calls = {a: list(b) for a, b in self.graph.calls.items()}
        for edge in self.edges:
            if edge.callee not in calls.setdefault(edge.caller, []) and edge.callee != edge.caller:
                calls[edge.caller].append(edge.callee)
        for span, parent in parents(self.spans):
            if parent.service != span.service:
                calls.setdefault(parent.service, [])
                if span.service not in calls[parent.service]:
                    calls[parent.service].append(span.service)
        return ServiceGraph({a: tuple(b) for a, b in calls.items()})


def parents(spans: Sequence[Span]) -> tuple[tuple[Span, Span], ...]:
    """The spans with their parents: of the same trace, or else the only span with that id at all."""
    exact = {(s.trace_id, s.span_id): s for s in spans}
    by_id: dict[str, list[Span]] = {}
    for s in spans:
        by_id.setdefault(s.span_id, []).append(s)
    found = []
    for s in spans:
        alone = by_id.get(s.parent_id, [])
        parent = exact.get((s.trace_id, s.parent_id)) or (alone[0] if len(alone) == 1 else None)
        if s.parent_id and parent and parent is not s:
            found.append((s, parent))
    return tuple(found)
