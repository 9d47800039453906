"""Numbers, log lines, spans, edges and happenings that an evidence source returned, with how it was asked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class SourceStatus(StrEnum):
    """What became of a question to a source."""

    OK = "ok"
    NO_DATA = "no_data"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, UTC, start before end."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Series:
    """One metric of one service: points (time, value) in order."""

    service: str
    metric: str
    points: tuple[tuple[datetime, float], ...]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One log line; level in upper case (INFO, WARN, ERROR ...), empty where unknown.

    `fields` is what a structured line says besides its text: a stack, a peer, a record's id. `stands_for` is how many lines
    of the source it speaks for, where a limit let only a sample of them through.
    """

    at: datetime
    service: str
    level: str
    text: str
    trace_id: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    stands_for: float = 1.0


@dataclass(frozen=True, slots=True)
class Span:
    """One span of a trace; `failed` by its own status."""

    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str
    start: datetime
    duration_ms: float
    failed: bool = False
    error: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Edge:
    """What passed from one service to another in one span of time that begins at `at`.

    `calls` and `errors` are per second; `latency_ms` is the mean as the caller or, if only it measures, the callee saw it.
    """

    at: datetime
    caller: str
    callee: str
    calls: float
    errors: float = 0.0
    latency_ms: float = 0.0


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that a platform says happened to a service: a pod was killed, a probe fails, a provider has an incident.

    `reason` is the platform's own word ("OOMKilled", "FailedScheduling", "major_outage"), `about` the thing it happened to
    ("pod/checkout-5d8f"); `bad` if it is no part of ordinary life.
    """

    at: datetime
    service: str
    reason: str
    text: str
    about: str = ""
    bad: bool = True
    count: int = 1


@dataclass(frozen=True, slots=True)
class Readings:
    """What one source answered to one question: the exact query, the window, the outcome and its reason."""

    source: str
    query: str
    window: Window
    status: SourceStatus
    reason: str = ""
    link: str = ""
    series: tuple[Series, ...] = ()
    logs: tuple[LogLine, ...] = ()
    spans: tuple[Span, ...] = ()
    edges: tuple[Edge, ...] = ()
    happenings: tuple[Happening, ...] = ()
