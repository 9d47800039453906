"""Requests that an OpenAI-compatible server turns down, with the error bodies that OpenAI documents.

Shapes: https://platform.openai.com/docs/guides/error-codes; the rules of strict schemas:
https://platform.openai.com/docs/guides/structured-outputs#supported-schemas.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bot.demo.standin.scripted import Asked

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_KINDS = {400: "invalid_request_error", 401: "invalid_request_error", 404: "invalid_request_error", 429: "requests"}
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


@dataclass(frozen=True, slots=True)
class Offers:
    """What a server can do. Without a `key` it asks for none; `context` is the length in tokens that /v1/models tells."""

    models: tuple[str, ...] = ("stand-in",)
    tools: bool = True
    json_schema: bool = True
    json_object: bool = True
    key: str = ""
    context: int | None = None


class Refused(Exception):
    """The request is turned down."""

    def __init__(self, status: int, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.body = error_body(status, message, param=param, code=code)


def error_body(status: int, message: str, *, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """OpenAI's error object."""
    kind = _KINDS.get(status, "server_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code or _CODES.get(status)}}


def check(asked: Asked, offers: Offers) -> None:
    """Raise Refused unless a server with these offers would answer."""
    body = asked.body
    if offers.key and asked.headers.get("authorization") != f"Bearer {offers.key}":
        raise Refused(401, "Incorrect API key provided. You can find your API key in your account's settings.")
    if body.get("model") not in offers.models:
        raise Refused(404, f"The model `{body.get('model')}` does not exist or you do not have access to it.", param="model")
    if not asked.messages:
        raise Refused(400, "Invalid 'messages': empty array. Expected an array with minimum length 1.", param="messages")
    for fault in (*_tools(asked, offers), *_format(asked, offers), *_options(body)):
        raise fault


def _tools(asked: Asked, offers: Offers) -> Iterator[Refused]:
    names = [str(tool.get("name")) for tool in asked.tools]
    choice = asked.body.get("tool_choice")
    if asked.body.get("tools") and not offers.tools:
        words = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
        yield Refused(400, words, param="tools")
    for name in names:
        if not _NAME.fullmatch(name):
            yield Refused(400, f"Invalid 'tools[].function.name': {name!r} does not match '^[a-zA-Z0-9_-]+$'.", param="tools")
    if choice is not None and not names:
        yield Refused(400, "Invalid value for 'tool_choice': 'tool_choice' is only allowed when 'tools' are specified.")
    if isinstance(choice, Mapping) and (choice.get("function") or {}).get("name") not in names:
        yield Refused(400, "Invalid value for 'tool_choice': the function is not among 'tools'.", param="tool_choice")
    for tool in asked.tools:
        if tool.get("strict"):
            yield from _schema(tool.get("parameters") or {}, f"function '{tool.get('name')}'")


def _format(asked: Asked, offers: Offers) -> Iterator[Refused]:
    wanted = asked.body.get("response_format") or {}
    kind = wanted.get("type", "text")
    offered = {"text": True, "json_schema": offers.json_schema, "json_object": offers.json_object}
    if not offered.get(kind, False):
        yield Refused(400, f"Invalid parameter: 'response_format' of type '{kind}' is not supported.", param="response_format")
    if kind == "json_object" and "json" not in asked.text.lower():
        words = "'messages' must contain the word 'json' in some form, to use 'response_format' of type 'json_object'."
        yield Refused(400, words, param="messages")
    if kind == "json_schema":
        named = wanted.get("json_schema") or {}
        if not _NAME.fullmatch(str(named.get("name", ""))) or asked.form is None:
            yield Refused(400, "Missing required parameter: 'response_format.json_schema'.", param="response_format")
        elif named.get("strict"):
            yield from _schema(asked.form, f"response_format '{named['name']}'")


def _options(body: Mapping[str, Any]) -> Iterator[Refused]:
    if body.get("stream_options") is not None and not body.get("stream"):
        yield Refused(400, "The 'stream_options' parameter is only allowed when 'stream' is enabled.", param="stream_options")


def _schema(schema: Mapping[str, Any], where: str, path: tuple[str, ...] = ()) -> Iterator[Refused]:
    """The faults of a strict schema: every object closed, every property required."""
    context = f"Invalid schema for {where}: In context={path!r}, "
    properties = schema.get("properties")
    if schema.get("type") == "object" or properties is not None:
        if schema.get("additionalProperties") is not False:
            words = context + "'additionalProperties' is required to be supplied and to be false."
            yield Refused(400, words, code="invalid_json_schema")
        missing = sorted(set(properties or {}) - set(schema.get("required") or ()))
        if missing:
            words = context + f"'required' is required to be supplied and to include every key. Missing '{missing[0]}'."
            yield Refused(400, words, code="invalid_json_schema")
    below = {**(properties or {}), **(schema.get("$defs") or {})}
    if isinstance(schema.get("items"), Mapping):
        below["items"] = schema["items"]
    below |= {f"anyOf[{n}]": each for n, each in enumerate(schema.get("anyOf") or ())}
    for name, inner in below.items():
        if isinstance(inner, Mapping):
            yield from _schema(inner, where, (*path, name))
