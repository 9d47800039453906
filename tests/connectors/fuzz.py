"""Payloads spoiled in every way that a sender, a proxy or an attacker spoils them; the same number spoils the same way."""

import copy
import json
import random
from collections.abc import Iterator

DEEP: object = json.loads("[" * 150 + "]" * 150)
ODD: tuple[object, ...] = (
    None, True, False, 0, -1, 7, 10**400, -(10**25), 1e308, float("nan"), float("inf"),
    "", " ", "\0", "\ud800", "é" * 5000, "x" * 20_000,
    "1e999", "9" * 5000, "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999-23:59", "2026-02-30", "javascript:alert(1)",
    "{}", '{"a":', "[" * 3000, [], [[]], [None], {}, {"": None}, {"a": {"b": []}}, DEEP,
)  # fmt: skip


def spoiled(body: bytes, number: int) -> bytes:
    """One to three values of a JSON document deleted, replaced, doubled or renamed; or it is cut, or bytes of it changed."""
    chance = random.Random(number)
    if chance.random() < 0.15:
        return _torn(body, chance)
    payload = json.loads(body)
    for _ in range(chance.randint(1, 3)):
        _spoil(payload, chance)
    try:
        return json.dumps(payload).encode()
    except ValueError:  # a number of more digits than Python writes
        return body[:-1]


def _torn(body: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(body))
    return chance.choice((body[:at], body[:at] + bytes(chance.randrange(256) for _ in range(3)) + body[at + 3 :]))


def _spoil(payload: object, chance: random.Random) -> None:
    places = list(_places(payload))
    if not places:
        return
    parent, key = chance.choice(places)
    deed = chance.randrange(4)
    if deed == 0:
        del parent[key]  # type: ignore[index, arg-type]  # a parent of _places takes its key
    elif deed == 1 and isinstance(parent, dict):
        parent[f"{key}_"] = parent.pop(key)
    elif deed == 2 and isinstance(parent, list):
        parent.extend(parent[:] * 3)
    else:
        parent[key] = copy.deepcopy(chance.choice(ODD))  # type: ignore[index, call-overload]  # a parent of _places takes its key


def _places(value: object) -> Iterator[tuple[object, object]]:
    below: list[object] = [value]
    while below:
        here = below.pop()
        pairs = list(here.items()) if isinstance(here, dict) else list(enumerate(here)) if isinstance(here, list) else []
        for key, inner in pairs:
            yield here, key
            below.append(inner)
