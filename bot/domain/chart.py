"""What is better looked at than read: plain values that a chat draws, each with the words for those who cannot see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Mark:
    """A moment on the time axis: `kind` is "onset", "alert" or "deploy"; a suspect's deployment has `loud`."""

    at: datetime
    kind: str
    label: str
    loud: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a chart: its name, and (time, value) in order."""

    name: str
    points: tuple[tuple[datetime, float], ...]


@dataclass(frozen=True, slots=True)
class MetricChart:
    """Numbers over time with what happened meanwhile. `unit` is "%", "s", "/s" ... or ""; `usual` is their usual value."""

    title: str
    alt: str
    unit: str
    lines: tuple[Line, ...]
    marks: tuple[Mark, ...] = ()
    usual: float | None = None


@dataclass(frozen=True, slots=True)
class Bar:
    """One change on the suspects' timeline: when it shipped, and what speaks for it (`points`), or why it is out."""

    label: str
    at: datetime
    points: float
    ruled_out: str = ""


@dataclass(frozen=True, slots=True)
class TimelineChart:
    """The suspects in the order in which they shipped, beside onset and alert."""

    title: str
    alt: str
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]


@dataclass(frozen=True, slots=True)
class Rate:
    """A log template: how often it came in the time before and during the trouble."""

    service: str
    text: str
    before: int
    during: int
    new: bool


@dataclass(frozen=True, slots=True)
class GrowthChart:
    """Which log lines are new or have grown, the loudest first."""

    title: str
    alt: str
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True)
class MapChart:
    """One hop around the failing part. `states` of services: "failing", "affected", "external", "" for the rest.

    `calls` are (caller, callee); `notes` say something of a call ("p99 2.1 s, was 0.2 s").
    """

    title: str
    alt: str
    calls: tuple[tuple[str, str], ...]
    states: Mapping[str, str] = field(default_factory=dict)
    notes: Mapping[tuple[str, str], str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """One bar of a history: its label, how many were fine, and how many failed."""

    label: str
    fine: int
    failed: int


@dataclass(frozen=True, slots=True)
class HistoryChart:
    """Deployments over time, a column a week, oldest first; what failed stands out."""

    title: str
    alt: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One service of a comparison; `said` are its other figures in a few words."""

    label: str
    fine: int
    failed: int
    said: str = ""


@dataclass(frozen=True, slots=True)
class ServicesChart:
    """Services side by side: how much each deployed, how much of it failed, and the rest in words."""

    title: str
    alt: str
    rows: tuple[Row, ...]


Chart = MetricChart | TimelineChart | GrowthChart | MapChart | HistoryChart | ServicesChart


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture that the chat keeps: `id` is the chat's id of the file."""

    id: str
    title: str
    alt: str


@dataclass(frozen=True, slots=True)
class DrawnSet:
    """The charts of one message; `looks` is equal for charts that look the same."""

    charts: tuple[Drawn, ...]
    looks: str
