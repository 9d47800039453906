"""Domain values as JSON text, so that a store keeps an aggregate in one column beside a few indexed ones."""

from collections.abc import Hashable
from threading import Lock
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
    decoder = _DECODERS.get(cast(Hashable, kind)) or _built(cast(Hashable, kind))
    try:
        value: T = decoder.decode(text)
    except msgspec.ValidationError as error:
        name = getattr(kind, "__name__", kind)
        raise ValueError(f"What is stored as {name} cannot be read: {error}.") from error
    return value


_ENCODER = msgspec.json.Encoder(order="deterministic")


_DECODERS: "dict[Hashable, msgspec.json.Decoder[Any]]" = {}  # Any: the mapping cannot carry T
_BUILDING = Lock()


def _built(kind: Hashable) -> "msgspec.json.Decoder[Any]":
    """A decoder, built by one thread at a time: msgspec keeps what it knows of a class on the class, half of it at first.

    Another thread that builds meanwhile finds that half, and the process ends with a segmentation fault.
    """
    with _BUILDING:
        if kind not in _DECODERS:
            _DECODERS[kind] = msgspec.json.Decoder(kind)
        return _DECODERS[kind]
