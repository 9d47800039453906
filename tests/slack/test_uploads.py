"""Files handed to Slack in its three steps, and messages that show them."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from bot.domain.chart import Drawn
from bot.domain.view import ChartsView, Place
from bot.errors import Unavailable
from bot.slack.blocks import render
from bot.slack.channel import PICTURE_TRIES, SlackChannel
from bot.slack.client import connect
from tests.slack.scripted import Scripted, scripted

DONE = {"ok": True, "files": [{"id": "F1", "title": "Errors"}]}
POSTED = {"ok": True, "channel": "C0", "ts": "1.000100"}
TOO_EARLY = {"ok": False, "error": "invalid_blocks"}
VIEW = ChartsView("INC-42", (Drawn("F1", "Errors of checkout", "Errors rose from 0.2 % to 18 % at 14:02"),))


def no_pause(slept: list[float]) -> Callable[[float], Awaitable[None]]:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    return sleep


def taking(server: Scripted) -> dict[str, Any]:
    return {"ok": True, "upload_url": f"{server.url}taken", "file_id": "F1"}


async def test_a_picture_goes_up_in_three_steps_and_is_shown_by_nobody_yet() -> None:
    async with scripted(files_completeUploadExternal=[DONE]) as server:
        server.answers["files.getUploadURLExternal"] = [taking(server)]
        id = await SlackChannel(connect("xoxb-1-x", server.url)).upload("errors.png", b"PNG", title="Errors", alt="They rose")
    assert id == "F1"
    assert server.methods() == ["files.getUploadURLExternal", "taken", "files.completeUploadExternal"]
    assert server.asked[0][1]["alt_txt"] == "They rose"
    assert "channel_id" not in server.asked[2][1]


async def test_a_file_for_a_thread_is_shared_there() -> None:
    async with scripted(files_completeUploadExternal=[DONE]) as server:
        server.answers["files.getUploadURLExternal"] = [taking(server)]
        await SlackChannel(connect("xoxb-1-x", server.url)).upload("a.md", b"# A", title="A", place=Place("C0", "", "17.1"))
    assert (server.asked[2][1]["channel_id"], server.asked[2][1]["thread_ts"]) == ("C0", "17.1")


async def test_a_file_that_slack_does_not_take_is_tried_again_later() -> None:
    async with scripted() as server:
        server.answers["files.getUploadURLExternal"] = [taking(server)]
        server.answers["taken"] = [(500, {}, "busy")]
        with pytest.raises(Unavailable):
            await SlackChannel(connect("xoxb-1-x", server.url)).upload("a.png", b"P", title="A")


async def test_a_picture_that_slack_still_reads_is_waited_for() -> None:
    slept: list[float] = []
    async with scripted(chat_postMessage=[TOO_EARLY, TOO_EARLY, POSTED]) as server:
        channel = SlackChannel(connect("xoxb-1-x", server.url), sleep=no_pause(slept))
        await channel.post(Place("C0", "", "17.1"), VIEW, key="charts:i1")
    assert len(slept) == 2
    image = next(b for b in server.asked[-1][1]["blocks"] if b["type"] == "image")
    assert image["slack_file"] == {"id": "F1"}
    assert image["alt_text"] == "Errors of checkout. Errors rose from 0.2 % to 18 % at 14:02"


async def test_a_picture_that_slack_never_shows_is_told_in_words() -> None:
    slept: list[float] = []
    async with scripted(chat_postMessage=[*[TOO_EARLY] * (PICTURE_TRIES + 1), POSTED]) as server:
        channel = SlackChannel(connect("xoxb-1-x", server.url), sleep=no_pause(slept))
        await channel.post(Place("C0", "", "17.1"), VIEW, key="charts:i1")
    assert server.asked[-1][1]["blocks"] == []
    assert "Errors rose from 0.2 %" in server.asked[-1][1]["text"]


def test_words_of_a_chart_ring_nobody() -> None:
    drawn = Drawn("F1", "Logs", "<!channel> and <@U1> see http://planted.example")
    message = render(ChartsView("INC-1", (drawn,)))
    assert "<!channel" not in json.dumps([message.text, *message.blocks])
    assert "<@U1" not in json.dumps([message.text, *message.blocks])
