"""What the bot tells its door at the start, over a pipe: secrets are in it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec


@dataclass(frozen=True, slots=True)
class Orders:
    """All that the door's process knows. It never reads the settings itself: they may have changed since the bot did."""

    database: str = field(repr=False)  # may hold a password
    connectors: Mapping[str, Mapping[str, object]] = field(repr=False)  # hold secrets
    house: str  # the Unix socket of the bot's own pages
    most_bytes: int
    most_waiting: int
    log_level: str


def line_of(orders: "Orders | SpanOrders") -> bytes:
    """One line of JSON."""
    return msgspec.json.encode(orders) + b"\n"


def orders_in(line: bytes) -> Orders:
    """What `line_of` wrote. Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=Orders)


@dataclass(frozen=True, slots=True)
class SpanOrders:
    """All that the process which receives spans knows; without a token everybody may send."""

    token: str = field(repr=False)
    log_level: str


def span_orders_in(line: bytes) -> SpanOrders:
    """What `line_of` wrote of these. Raises msgspec.DecodeError."""
    return msgspec.json.decode(line, type=SpanOrders)
