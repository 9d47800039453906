"""What a prompt holds, found without knowing its layout: numbered evidence, labelled suspects, the question, the asked form."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.demo.standin.scripted import Asked, Call, Scripted, text_of

_EVIDENCE = re.compile(r"E\d+")
_SUSPECT = re.compile(r"S\d+")
_NAMED = re.compile(r"\bE\d+\b")
_WORDS = ("text", "says", "said", "content", "value")
ANSWER = "answer"  # the tool by which an agent hands in its answer
_SCHEMA = "JSON schema:\n"  # before a form that the server is not asked to enforce


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence, or one suspect: its label, what it says, its kind, the evidence that it names."""

    label: str
    text: str
    kind: str = ""
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Notes:
    """The pieces of a prompt, in its order."""

    evidence: tuple[Piece, ...]
    suspects: tuple[Piece, ...]
    question: str


def notes(asked: Asked) -> Notes:
    """What the user's messages hold."""
    evidence: dict[str, Piece] = {}
    suspects: dict[str, Piece] = {}
    question = ""
    for message in asked.messages:
        if message.get("role") == "system":
            continue
        for found in _objects(text_of(message)):
            question = str(found.get("question") or question)
            for item in _dicts(found):
                label = next((v for v in item.values() if isinstance(v, str) and _SUSPECT.fullmatch(v)), "")
                if label:
                    suspects.setdefault(label, Piece(label, _said(item), names=tuple(_NAMED.findall(json.dumps(item)))))
                own = next((v for v in item.values() if isinstance(v, str) and _EVIDENCE.fullmatch(v)), "")
                if own and not label:
                    evidence.setdefault(own, Piece(own, _said(item), str(item.get("kind", ""))))
    return Notes(tuple(evidence.values()), tuple(suspects.values()), question)


def form(asked: Asked) -> Mapping[str, Any] | None:
    """The JSON schema that the answer is to keep to: the server's, that of a tool to answer with, or one written out in words."""
    if asked.form is not None:
        return asked.form
    if tool := next((t for t in asked.tools if t.get("name") == ANSWER), None):
        return {"type": "object", **(tool.get("parameters") or {})}
    for message in reversed(asked.messages):
        _, found, rest = text_of(message).rpartition(_SCHEMA)
        if found:
            return next(_objects(rest), None)
    return None


def handed_in(asked: Asked, filled: Mapping[str, Any], between: float = 0.0) -> Scripted:
    """A filled form in the way it was asked for: as the answer, or as a call of the tool to answer with."""
    if asked.form is None and any(tool.get("name") == ANSWER for tool in asked.tools):
        return Scripted(calls=(Call(ANSWER, filled),), between=between)
    return Scripted(form=filled, between=between)


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects that stand in a text."""
    decoder, at = json.JSONDecoder(), text.find("{")
    while at >= 0:
        try:
            value, end = decoder.raw_decode(text, at)
            yield value
        except ValueError:
            end = at + 1
        at = text.find("{", end)


def _dicts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
    below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for inner in below:
        yield from _dicts(inner)


def _said(item: Mapping[str, Any]) -> str:
    """The words of an item: the field that is named so, else its longest text."""
    texts = {k: v for k, v in item.items() if isinstance(v, str)}
    return next((texts[k] for k in _WORDS if texts.get(k)), max(texts.values(), key=len, default=""))
