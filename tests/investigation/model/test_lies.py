"""A model server that means harm: what it sends is bounded in size, time and count, and can be kept in any database."""

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.conversation import Failure
from bot.investigation.model.late import LateModel
from bot.ports import Tool
from bot.storage.codec import dump
from tests.investigation.model.room import FORM, a_model, asking

Lie = Callable[[asyncio.StreamWriter], Awaitable[None]]
STREAM = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n"


@contextlib.asynccontextmanager
async def lying(lie: Lie) -> AsyncIterator[str]:
    """A server that answers every request with a lie, until the client hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b"content-length: " in head:
                await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
            await lie(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
    finally:
        server.close()


def event(delta: object, usage: object = None, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    known = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "liar\ud800"}
    body = {**known, "choices": [choice], "usage": usage}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def endless(first: bytes, then: bytes) -> Lie:
    async def lie(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + b"\r\n" + first)
        while True:
            writer.write(then)
            await writer.drain()

    return lie


def whole(text: str, usage: object) -> Lie:
    async def lie(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + b"\r\n" + event({"content": text}) + event({}, usage, "stop") + b"data: [DONE]\n\n")
        await writer.drain()

    return lie


def called(arguments: str) -> bytes:
    call = {"index": 0, "id": "c1", "type": "function", "function": {"name": "answer", "arguments": arguments}}
    return event({"role": "assistant", "tool_calls": [call]})


async def test_a_stream_of_thoughts_without_an_end_is_cut_by_its_bytes() -> None:
    async with lying(endless(b"", event({"reasoning_content": "a" * 60_000}))) as url:
        reply = await a_model(url).ask(asking(deadline=10.0))
    assert (reply.failure, "more than any answer" in reply.why) == (Failure.BROKEN, True)


async def test_a_line_without_an_end_is_cut_by_its_bytes() -> None:
    async with lying(endless(b"data: ", b"a" * 65_536)) as url:
        reply = await a_model(url).ask(asking(deadline=10.0))
    assert (reply.failure, "more than any answer" in reply.why) == (Failure.BROKEN, True)


async def test_a_body_that_is_packed_although_nobody_asked_for_it_is_not_unpacked() -> None:
    async def lie(writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM + b"content-encoding: gzip\r\n\r\n" + gzip.compress(b"a" * 50_000_000))
        await writer.drain()

    async with lying(lie) as url:
        reply = await a_model(url).ask(asking())
    assert (reply.failure, "packed" in reply.why) == (Failure.BROKEN, True)


async def test_the_arguments_of_a_call_without_an_end_are_cut_and_counted() -> None:
    async with lying(endless(called('{"cause": "'), called("a" * 3000))) as url:
        reply = await a_model(url).ask(asking(form=FORM, deadline=10.0))
    assert reply.failure is Failure.TRUNCATED
    assert 0 < reply.tokens_out < 10_000


async def test_an_agent_whose_call_has_no_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look(_arguments: object) -> str:
        return "nothing"

    tool = Tool("look", "Looks.", {"type": "object", "properties": {}}, look)
    async with lying(endless(called('{"cause": "'), called("a" * 3000))) as url:
        model = a_model(url, small=False)
        able = replace(await LateModel.abilities(a_model(url, small=True)), tools=True, small=False)
        monkeypatch.setattr(model, "_known", able)
        reply = await model.ask(asking(form=FORM, tools=(tool,), deadline=10.0))
    assert reply.failure is Failure.TRUNCATED


@pytest.mark.parametrize("count", [-(10**12), 10**40])
async def test_counts_of_tokens_that_cannot_be_neither_lower_a_budget_nor_break_the_journal(count: int) -> None:
    usage = {"prompt_tokens": count, "completion_tokens": count, "total_tokens": 2 * count}
    async with lying(whole("The pool is full.", usage)) as url:
        reply = await a_model(url).ask(asking())
    assert (reply.text, reply.failure) == ("The pool is full.", None)
    assert 0 <= reply.tokens_out <= 100_000_000
    assert 0 < reply.tokens_in <= 100_000_000
    assert reply.cost >= 0
    dump(reply)


async def test_half_characters_and_null_characters_can_be_kept() -> None:
    async with lying(whole("The pool \ud800 is full\0.", None)) as url:
        reply = await a_model(url).ask(asking())
    assert reply.text == "The pool ? is full."
    assert "\ud800" not in dump(reply)


async def test_half_characters_in_an_object_can_be_kept() -> None:
    async with lying(whole('{"cause": "C1\\ud800\\u0000", "confidence": 3}', None)) as url:
        reply = await a_model(url, small=True).ask(asking(form=FORM))
    assert reply.parsed == {"cause": "C1?", "confidence": 3}


async def test_a_list_of_models_that_trickles_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.investigation.model.vendors._LISTING", 0.3)

    async def lie(writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.05)

    async with lying(lie) as url:
        reply = await asyncio.wait_for(a_model(url, "openai-compatible").ask(asking()), 15)
    assert reply.failure is Failure.SLOW
    assert timedelta(milliseconds=reply.latency_ms) < timedelta(seconds=15)


async def test_a_claude_that_breaks_off_is_a_failure_and_no_exception() -> None:
    async def lie(writer: asyncio.StreamWriter) -> None:
        start = {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": []}}
        said = b"event: message_start\ndata: " + json.dumps(start).encode() + b"\n\n"
        writer.write(STREAM + b"transfer-encoding: chunked\r\n\r\n" + b"%x\r\n" % len(said) + said + b"\r\n")
        await writer.drain()

    async with lying(lie) as url:
        reply = await a_model(url.removesuffix("/v1"), "anthropic:claude-sonnet-4-5", key="k").ask(asking())
    assert reply.failure is Failure.BROKEN
