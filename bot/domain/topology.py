"""Who was seen calling whom: by which source, since when, how often; the facts that the graph of services is made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

DECLARED = "catalogue"  # the source of what people wrote down


@dataclass(frozen=True, slots=True)
class SeenCall:
    """What one source saw between two services over one window: `calls` and `errors` per second, the mean latency.

    `external`: the callee is known by an address, a database or a queue alone, so that nobody's spans or metrics name it.
    """

    caller: str
    callee: str
    calls: float = 0.0
    errors: float = 0.0
    latency_ms: float = 0.0
    external: bool = False


@dataclass(frozen=True, slots=True)
class KnownCall:
    """A call as it is kept, one per source; the numbers are those of the last time that the source saw it."""

    caller: str
    callee: str
    source: str
    first_seen: datetime
    last_seen: datetime
    calls: float = 0.0
    errors: float = 0.0
    latency_ms: float = 0.0
    external: bool = False


@dataclass(frozen=True, slots=True)
class CallMinute:
    """What passed between two services in the minute that begins at `at`: counts, and all their milliseconds together."""

    at: datetime
    caller: str
    callee: str
    calls: int
    errors: int = 0
    total_ms: float = 0.0
    external: bool = False


@dataclass(frozen=True, slots=True)
class EdgeOrigin:
    """Why an edge is in the graph: every source that knows it, with when it last saw it (None: it was declared)."""

    caller: str
    callee: str
    sources: Mapping[str, datetime | None] = field(default_factory=dict)
    calls: float = 0.0
    errors: float = 0.0
    latency_ms: float = 0.0
    external: bool = False

    @property
    def declared(self) -> bool:
        """People wrote it down."""
        return DECLARED in self.sources

    @property
    def last_seen(self) -> datetime | None:
        """When any source last saw it; None if none ever did."""
        return max((at for at in self.sources.values() if at is not None), default=None)
