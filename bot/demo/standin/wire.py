"""The documented shapes of a chat completion, whole and in chunks, and of the list of models.

Shapes: https://platform.openai.com/docs/api-reference/chat/object and .../chat-streaming/streaming.
"""

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bot.demo.standin.refusals import Offers
from bot.demo.standin.scripted import Asked, Scripted

CREATED = 1_790_000_000
CHARACTERS_PER_TOKEN = 4
_PIECES = re.compile(r"\s*\S+\s?|\s+")


def models(offers: Offers) -> dict[str, Any]:
    """GET /v1/models; the context length under the name that vLLM gives it."""
    more = {"max_model_len": offers.context} if offers.context else {}
    listed = [{"id": name, "object": "model", "created": CREATED, "owned_by": "stand-in", **more} for name in offers.models]
    return {"object": "list", "data": listed}


def tokens(text: str) -> int:
    """About how many tokens a text has."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def most_tokens(asked: Asked) -> int | None:
    """How long the answer may become."""
    found = asked.body.get("max_completion_tokens") or asked.body.get("max_tokens")
    return int(found) if found else None


def pieces(asked: Asked, reply: Scripted) -> Iterator[str]:
    """The answer's text word by word, up to the asked length."""
    most = most_tokens(asked)
    text = reply.content or "and "
    source = itertools.chain.from_iterable(_PIECES.findall(text) for _ in (itertools.count() if reply.endless else (0,)))
    if not reply.content and not reply.endless:
        return
    used = 0
    for piece in source:
        used += len(piece)
        if most is not None and used > most * CHARACTERS_PER_TOKEN:
            return
        yield piece


def finish_reason(reply: Scripted, *, cut: bool) -> str:
    """Why the answer ended."""
    if reply.finish:
        return reply.finish
    if reply.calls:
        return "tool_calls"
    return "length" if cut else "stop"


def usage(asked: Asked, reply: Scripted, said: str) -> dict[str, Any]:
    """What it took."""
    written = said + "".join(call.name + call.written for call in reply.calls)
    given = reply.tokens_in if reply.tokens_in is not None else tokens(asked.text)
    made = reply.tokens_out if reply.tokens_out is not None else tokens(written)
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": reply.tokens_cached, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": reply.tokens_reasoning, "audio_tokens": 0},
    }


def whole(asked: Asked, reply: Scripted, number: int) -> dict[str, Any]:
    """The answer as one object."""
    said = "".join(pieces(asked, reply))
    message: dict[str, Any] = {"role": "assistant", "content": said or None, "refusal": reply.refusal or None}
    if reply.calls:
        message["tool_calls"] = [_call(reply, number, n) for n in range(len(reply.calls))]
    reason = finish_reason(reply, cut=reply.endless or len(said) < len(reply.content))
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
    return {**_head(asked, number, "chat.completion"), "choices": [choice], "usage": usage(asked, reply, said)}


def chunks(asked: Asked, reply: Scripted, number: int) -> Iterator[dict[str, Any]]:
    """The answer piece by piece; usage last, where it was asked for."""
    head = _head(asked, number, "chat.completion.chunk")
    counted = bool((asked.body.get("stream_options") or {}).get("include_usage"))
    more: dict[str, Any] = {"usage": None} if counted else {}

    def chunk(delta: Mapping[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}], **more}

    yield chunk({"role": "assistant", "content": None if reply.calls else "", "refusal": None})
    length = 0
    kept: list[str] = []
    for piece in pieces(asked, reply):
        length += len(piece)
        if not reply.endless:
            kept.append(piece)
        yield chunk({"content": piece})
    if reply.refusal:
        yield chunk({"refusal": reply.refusal})
    for n, called in enumerate(reply.calls):
        first = _call(reply, number, n)
        yield chunk({"tool_calls": [{"index": n, **first, "function": {"name": called.name, "arguments": ""}}]})
        for part in _PIECES.findall(called.written):
            yield chunk({"tool_calls": [{"index": n, "function": {"arguments": part}}]})
    yield chunk({}, finish_reason(reply, cut=reply.endless or length < len(reply.content)))
    if counted:
        said = "".join(kept) or " " * length
        yield {**head, "choices": [], "usage": usage(asked, reply, said)}


def event(value: Mapping[str, Any] | str) -> bytes:
    """One server-sent event."""
    return f"data: {value if isinstance(value, str) else json.dumps(value)}\n\n".encode()


def _head(asked: Asked, number: int, kind: str) -> dict[str, Any]:
    made = {"id": f"chatcmpl-standin{number}", "object": kind, "created": CREATED + number}
    return {**made, "model": asked.body["model"], "service_tier": "default", "system_fingerprint": "fp_standin"}


def _call(reply: Scripted, number: int, n: int) -> dict[str, Any]:
    called = reply.calls[n]
    return {"id": f"call_{number}_{n}", "type": "function", "function": {"name": called.name, "arguments": called.written}}
