"""Numbers, log lines and spans that an evidence source returned, with how it was asked."""

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
    """One log line; level in upper case (INFO, WARN, ERROR ...), empty where unknown."""

    at: datetime
    service: str
    level: str
    text: str
    trace_id: str = ""


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
