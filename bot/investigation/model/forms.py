"""JSON out of an answer, and a sentence about what is wrong with it."""

import json
import re
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from bot.domain.payload import scrubbed
from bot.investigation.model.speech import spoken
from bot.redact import Veil

_FENCE = re.compile(r"```(?:json)?\s*\n(.*?)```", re.DOTALL)
_WORDS = frozenset({"description", "title", "enum", "const", "examples", "default"})  # of a schema: they may name people

Object = dict[str, Any]  # Any: whatever JSON holds


def instruction(form: Mapping[str, object]) -> str:
    """The request for JSON, for models that are not held to a form by their server."""
    schema = json.dumps(form, ensure_ascii=False, separators=(",", ":"))
    return (
        f"Answer with one JSON object and nothing else: no explanation, no code fence. It has to fit this JSON schema:\n{schema}"
    )


def read(text: str) -> Object | None:
    """The JSON object of an answer, also out of a code fence or between words; None if there is none."""
    text = spoken(text).strip()
    candidates = [text, *_FENCE.findall(text)]
    if (start := text.find("{")) >= 0:
        candidates.append(text[start : text.rfind("}") + 1])
    for candidate in candidates:
        try:
            found = json.loads(candidate, strict=False)
        except (ValueError, RecursionError):
            continue
        if isinstance(found, dict):
            return found
    return None


def wrong(found: Mapping[str, object] | None, form: Mapping[str, object]) -> str:
    """What is wrong with an answer by its form, in a sentence for the model; "" if nothing is."""
    if found is None:
        return "Your answer is not one JSON object."
    try:
        error: ValidationError | None = next(iter(Draft202012Validator(form).iter_errors(found)), None)
    except RecursionError:
        return "Your answer is nested too deeply."
    return f"Your answer does not fit the JSON schema: at {error.json_path}, {error.message[:300]}." if error else ""


def revealed(value: Any, veil: Veil) -> Any:
    """The same JSON with personal data put back into its strings."""
    if isinstance(value, str):
        return veil.reveal(value)
    if isinstance(value, list):
        return [revealed(item, veil) for item in value]
    if isinstance(value, dict):
        return {veil.reveal(key): revealed(item, veil) for key, item in value.items()}
    return value


def storable(value: Any) -> Any:
    """The same JSON without characters that no database takes."""
    if isinstance(value, str):
        return scrubbed(value)
    if isinstance(value, list):
        return [storable(item) for item in value]
    if isinstance(value, dict):
        return {scrubbed(key): storable(item) for key, item in value.items()}
    return value


def hidden(schema: Any, veil: Veil, *, words: bool = False) -> Any:
    """A JSON schema whose descriptions, examples and allowed values have passed the veil; its names stay as they are."""
    if isinstance(schema, str):
        return veil.hide(schema) if words else schema
    if isinstance(schema, list | tuple):
        return [hidden(item, veil, words=words) for item in schema]
    if isinstance(schema, Mapping):
        return {str(key): hidden(item, veil, words=words or key in _WORDS) for key, item in schema.items()}
    return schema
