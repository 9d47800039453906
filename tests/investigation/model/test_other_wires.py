"""Anthropic and Ollama, against a tiny server that speaks as their documentation says; never tried against the vendors here.

Formats: https://docs.anthropic.com/en/docs/build-with-claude/streaming and https://github.com/ollama/ollama/blob/main/docs/api.md.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from bot.domain.conversation import Abilities, Failure
from tests.investigation.model.room import FORM, GOOD, Ear, a_model, asking

Lines = Callable[[dict[str, Any]], list[bytes]]


@dataclass
class Wire:
    """A server whose every answer is some lines."""

    lines: Lines
    url: str = ""
    status: int = 200
    asked: list[tuple[str, dict[str, str], dict[str, Any]]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append((request.path, {k.lower(): v for k, v in request.headers.items()}, body))
        if self.status != 200:
            error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
            return web.json_response(error, status=self.status)
        kind = "text/event-stream" if "messages" in request.path else "application/x-ndjson"
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        for line in self.lines(body):
            await response.write(line)
        return response


@asynccontextmanager
async def speaking(lines: Lines) -> AsyncIterator[Wire]:
    """The server, listening."""
    wire = Wire(lines)
    app = web.Application()
    app.router.add_post("/{tail:.*}", wire.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert runner.addresses
    wire.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield wire
    finally:
        await runner.cleanup()


def claude(body: dict[str, Any]) -> list[bytes]:
    """An answer in Anthropic's events: words, or the tool that has to be called."""
    usage = {"input_tokens": 1000, "output_tokens": 1, "cache_read_input_tokens": 0, "cache_creation_input_tokens": 0}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": body["model"], "usage": usage}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {**message, "stop_reason": None, "stop_sequence": None}}]
    if tools := body.get("tools"):
        block = {"type": "tool_use", "id": "toolu_1", "name": tools[0]["name"], "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": part} for part in ("", json.dumps(GOOD)[:9], json.dumps(GOOD)[9:])]
    else:
        block = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": part} for part in ("Ask [EMA", "IL_1] ", "first.")]
    events.append({"type": "content_block_start", "index": 0, "content_block": block})
    events += [{"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas]
    events.append({"type": "content_block_stop", "index": 0})
    reason = "tool_use" if tools else "end_turn"
    events.append(
        {
            "type": "message_delta",
            "delta": {"stop_reason": reason, "stop_sequence": None},
            "usage": {**usage, "output_tokens": 100},
        }
    )
    events.append({"type": "message_stop"})
    return [f"event: {e['type']}\ndata: {json.dumps(e)}\n\n".encode() for e in events]


def llama(body: dict[str, Any]) -> list[bytes]:
    """Ollama's answers: what a model can do, or words line by line."""
    if "messages" not in body:
        shown = {
            "capabilities": ["completion", "tools"],
            "model_info": {"general.architecture": "qwen3", "qwen3.context_length": 40960},
        }
        return [json.dumps(shown).encode()]
    head = {"model": body["model"], "created_at": "2026-01-01T00:00:00Z"}
    parts = [json.dumps(GOOD)[:7], json.dumps(GOOD)[7:]] if body.get("format") else ["Roll ", "it ", "back."]
    lines: list[dict[str, Any]] = [{**head, "message": {"role": "assistant", "content": part}, "done": False} for part in parts]
    end = {"done": True, "done_reason": "stop", "prompt_eval_count": 26, "eval_count": 5, "total_duration": 1}
    lines.append({**head, "message": {"role": "assistant", "content": ""}, **end})
    return [json.dumps(line).encode() + b"\n" for line in lines]


async def test_claude_streams_words_and_is_priced() -> None:
    ear = Ear()
    async with speaking(claude) as wire:
        reply = await a_model(wire.url, "anthropic:claude-sonnet-4-5", key="k").ask(asking("By jane.doe@example.com?"), ear)
    assert reply.failure is None, reply.why
    assert reply.text == "".join(ear.heard) == "Ask jane.doe@example.com first."
    assert (reply.tokens_in, reply.tokens_out, reply.cost_known, reply.model_answered) == (1000, 100, True, "claude-sonnet-4-5")
    path, headers, body = wire.asked[0]
    assert (path, body["max_tokens"], body["stream"]) == ("/v1/messages", 2000, True)
    assert headers["authorization"] == "Bearer k"


async def test_claude_keeps_to_a_form_by_the_tool_it_has_to_call() -> None:
    async with speaking(claude) as wire:
        reply = await a_model(wire.url, "anthropic:claude-sonnet-4-5", key="k").ask(asking(form=FORM))
    assert (reply.parsed, reply.failure) == (GOOD, None)
    assert wire.asked[0][2]["tool_choice"] == {"type": "tool", "name": "answer"}


async def test_an_overloaded_claude_is_a_failure() -> None:
    async with speaking(claude) as wire:
        wire.status = 529
        reply = await a_model(wire.url, "anthropic:claude-sonnet-4-5", key="k").ask(asking())
    assert (reply.failure, reply.calls) == (Failure.BROKEN, 3)


async def test_ollama_streams_words_and_says_what_it_can_do() -> None:
    ear = Ear()
    async with speaking(llama) as wire:
        model = a_model(wire.url, "ollama:qwen3:8b")
        reply = await model.ask(asking(), ear)
        abilities = await model.abilities()
    assert reply.failure is None, reply.why
    assert reply.text == "".join(ear.heard) == "Roll it back."
    assert (reply.tokens_in, reply.tokens_out, reply.cost_known) == (26, 5, False)
    assert abilities == Abilities(tools=True, json_schema=True, context=40960, small=True)


async def test_ollama_keeps_to_a_form_by_its_own_format() -> None:
    async with speaking(llama) as wire:
        reply = await a_model(wire.url, "ollama:qwen3:8b").ask(asking(form=FORM))
    assert (reply.parsed, reply.failure) == (GOOD, None)
    assert wire.asked[-1][2]["format"] == FORM


async def test_an_ollama_that_is_not_there_is_unreachable() -> None:
    reply = await a_model("http://127.0.0.1:9", "ollama:qwen3:8b").ask(asking())
    assert reply.failure is Failure.UNREACHABLE
