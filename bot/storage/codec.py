"""Domain values as JSON text, so that a store keeps an aggregate in one column beside a few indexed ones."""

from collections.abc import Hashable
from functools import lru_cache
from typing import Any, TypeVar, cast

import msgspec

T = TypeVar("T")


def dump(value: object) -> str:
    """A frozen dataclass, or a container of such, as JSON; equal values have equal texts."""
    return _ENCODER.encode(value).decode()


def load(kind: type[T], text: str | bytes) -> T:
    """The value that `dump` wrote: dataclasses, tuples, enums, mappings, times with their zone.

    A field that the class gained since then takes its default; one that it lost is ignored. Anything else that does
    not fit is a ValueError naming the class and the path.
    """
    try:
        value: T = _decoder(cast(Hashable, kind)).decode(text)
    except msgspec.ValidationError as error:
        name = getattr(kind, "__name__", kind)
        raise ValueError(f"What is stored as {name} cannot be read: {error}.") from error
    return value


_ENCODER = msgspec.json.Encoder(order="deterministic")


@lru_cache(maxsize=256)
def _decoder(kind: Hashable) -> "msgspec.json.Decoder[Any]":  # Any: the cache cannot carry T
    return msgspec.json.Decoder(kind)
