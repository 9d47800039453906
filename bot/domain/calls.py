"""One side of a call as its span tells it: what the two services of an edge are put together from."""

from dataclasses import dataclass
from enum import IntEnum


class Side(IntEnum):
    """Which side of a call a span is; the numbers are OpenTelemetry's kinds of spans."""

    SERVER = 2
    CLIENT = 3
    PRODUCER = 4
    CONSUMER = 5

    @property
    def calls(self) -> bool:
        """It is the caller's side."""
        return self in (Side.CLIENT, Side.PRODUCER)


@dataclass(frozen=True, slots=True)
class CallSpan:
    """One span at the border of a service. `start` in seconds since 1970, `ms` its length; `failed` by its own status.

    `other` is the span of the other side for a callee's side: its parent, or what it is linked to. `peer` is whom a caller's
    side says it called, `outside` if that is an address, a database or a queue alone.
    """

    trace: str
    span: str
    other: str
    service: str
    side: Side
    start: float
    ms: float
    failed: bool = False
    peer: str = ""
    outside: bool = False
