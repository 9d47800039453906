"""Fills any JSON schema with what somebody wants to say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_ITEMS = 4


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be said: labels in the order of preference, sentences each with the evidence it names, one short reason."""

    labels: Sequence[str]
    sentences: Sequence[tuple[str, str]]  # words, evidence id
    reason: str


def fill(schema: Mapping[str, Any], wish: Wish, name: str = "", number: int = 0) -> Any:
    """A value of this schema that says as much of the wish as fits."""
    if "$ref" in schema or "anyOf" in schema:
        return fill(next(iter(schema.get("anyOf") or [{"type": "string"}])), wish, name, number)
    if "enum" in schema:
        return next((label for label in wish.labels if label in schema["enum"]), schema["enum"][0])
    kind = schema.get("type")
    if kind == "object":
        return {key: fill(inner, wish, key, number) for key, inner in (schema.get("properties") or {}).items()}
    if kind == "array":
        return _items(schema, wish, name, number)
    if kind in ("integer", "number"):
        return schema.get("minimum", 0)
    return False if kind == "boolean" else _words(schema, wish, name, number)


def _items(schema: Mapping[str, Any], wish: Wish, name: str, number: int) -> list[Any]:
    inner = schema.get("items") or {"type": "string"}
    most = int(schema.get("maxItems", MOST_ITEMS))
    if "enum" in inner:
        return [label for label in wish.labels if label in inner["enum"]][:most]
    if inner.get("type") == "string" and name != "claims":
        return [wish.sentences[number][1]] if number < len(wish.sentences) else []
    return [fill(inner, wish, name, n) for n in range(min(len(wish.sentences), most))]


def _words(schema: Mapping[str, Any], wish: Wish, name: str, number: int) -> str:
    said = wish.reason if "reason" in name or number >= len(wish.sentences) else wish.sentences[number][0]
    return said[: int(schema.get("maxLength", 600))]
