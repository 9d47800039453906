"""Slack as a channel, against a server that answers as it likes."""

import logging
from typing import Any

import pytest

from bot.domain.view import NoteView, Place
from bot.errors import BotError, NotAllowed, NotFound, Unavailable
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from bot.slack.pauses import Pauses
from tests.slack.samples import CARD
from tests.slack.scripted import BREAK, HANG, Scripted, scripted

TOKEN = "xoxb-1-very-secret"
POSTED = {"ok": True, "channel": "C0PAYMENTS", "ts": "1767362940.000100"}
NOTE = NoteView("hello")


def channel(server: Scripted, timeout: int = 5) -> SlackChannel:
    return SlackChannel(connect(TOKEN, server.url, timeout), ["github.com"])


def refused(code: str, **more: Any) -> dict[str, Any]:
    return {"ok": False, "error": code, **more}


async def test_a_post_carries_its_key_and_unfurls_nothing() -> None:
    async with scripted(chat_postMessage=[POSTED]) as server:
        place = await channel(server).post(Place("C0PAYMENTS", "", "17.1"), CARD, key="card:i1")
    assert place == Place("C0PAYMENTS", "1767362940.000100", "17.1")
    [(method, body)] = server.asked
    assert method == "chat.postMessage"
    assert body["metadata"] == {"event_type": "tocsin", "event_payload": {"key": "card:i1"}}
    assert (body["unfurl_links"], body["unfurl_media"], body["thread_ts"]) == (False, False, "17.1")
    assert body["text"].startswith("🔴 INC-42")
    assert body["blocks"][0]["type"] == "section"


async def test_an_edit_replaces_the_message() -> None:
    async with scripted() as server:
        await channel(server).edit(Place("C0PAYMENTS", "17.1"), NOTE)
    [(method, body)] = server.asked
    assert (method, body["channel"], body["ts"], body["text"]) == ("chat.update", "C0PAYMENTS", "17.1", "hello")


async def test_an_edit_of_a_message_that_is_gone_says_so() -> None:
    async with scripted(chat_update=[refused("message_not_found")]) as server:
        with pytest.raises(NotFound, match="message is gone"):
            await channel(server).edit(Place("C0PAYMENTS", "17.1"), NOTE)


async def test_a_rate_limit_is_unavailable_and_tells_how_long() -> None:
    limited = (429, {"Retry-After": "7", "Content-Type": "application/json"}, '{"ok":false,"error":"ratelimited"}')
    async with scripted(chat_postMessage=[limited]) as server:
        with pytest.raises(Unavailable) as caught:
            await channel(server).post(Place("C0"), NOTE, key="k")
    assert caught.value.retry_after == 7
    assert caught.value.retry
    assert server.methods() == ["chat.postMessage"]  # nothing was tried again behind our back


async def test_who_asked_us_to_wait_is_not_asked_again_before_that() -> None:
    limited = (429, {"Retry-After": "7", "Content-Type": "application/json"}, '{"ok":false,"error":"ratelimited"}')
    async with scripted(chat_postMessage=[limited, POSTED]) as server:
        slack = channel(server)
        for _ in range(3):
            with pytest.raises(Unavailable) as caught:
                await slack.post(Place("C0"), NOTE, key="k")
        assert 6 < (caught.value.retry_after or 0) <= 7
        assert server.methods() == ["chat.postMessage"]
        await slack.post(Place("C1"), NOTE, key="k")  # the limit is the channel's


def test_a_pause_ends() -> None:
    now = 100.0
    pauses = Pauses(lambda: now)
    with pytest.raises(Unavailable), pauses.kept("chat.update", "C0"):
        raise Unavailable("busy", retry_after=5)
    with pytest.raises(Unavailable, match=r"5\.0 s are left"), pauses.kept("chat.update", "C0"):
        pytest.fail("the call was made")
    now = 105.0
    with pauses.kept("chat.update", "C0"):
        pass


@pytest.mark.parametrize(
    "answer",
    [
        (500, {"Content-Type": "text/plain"}, "oops"),
        (503, {"Content-Type": "text/html"}, "<h1>down</h1>"),
        (500, {"Content-Type": "application/json"}, "not json"),
        (200, {"Content-Type": "text/html"}, "<h1>a proxy</h1>"),
        (200, {"Content-Type": "application/json"}, "{"),
        refused("internal_error"),
        BREAK,
        HANG,
    ],
    ids=str,
)
async def test_trouble_at_slack_is_unavailable_and_the_call_is_made_once(answer: Any) -> None:
    async with scripted(chat_postMessage=[answer]) as server:
        with pytest.raises(Unavailable):
            await channel(server, timeout=1).post(Place("C0"), NOTE, key="k")
    assert server.methods() == ["chat.postMessage"]


async def test_nobody_listening_is_unavailable() -> None:
    async with scripted() as server:
        gone = channel(server)
    with pytest.raises(Unavailable, match=r"chat\.postMessage"):
        await gone.post(Place("C0"), NOTE, key="k")


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        ("not_in_channel", NotAllowed, "/invite @tocsin"),
        ("channel_not_found", NotFound, "/invite @tocsin"),
        ("is_archived", NotAllowed, "Unarchive"),
        ("invalid_auth", Unavailable, "SLACK_BOT_TOKEN"),
        ("missing_scope", Unavailable, "Add the scope"),
        ("invalid_blocks", BotError, "invalid_blocks"),
    ],
)
async def test_a_refusal_says_what_to_do(code: str, kind: type[BotError], advice: str) -> None:
    async with scripted(chat_postMessage=[refused(code, needed="chat:write")]) as server:
        with pytest.raises(kind) as caught:
            await channel(server).post(Place("C0"), NOTE, key="k")
    assert advice in str(caught.value)
    assert caught.value.retry is (kind is Unavailable)  # what waits is posted once somebody has mended the token


async def test_the_token_is_in_no_error_and_no_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    echoing = refused("invalid_blocks", errors=[f"token {TOKEN} seen"])
    async with scripted(chat_postMessage=[echoing, BREAK]) as server:
        for _ in range(2):
            with pytest.raises(BotError) as caught:
                await channel(server).post(Place("C0"), NOTE, key="k")
            assert TOKEN not in f"{caught.value} {caught.value.for_people} {caught.value!r}"
    assert TOKEN not in "".join(r.getMessage() for r in caplog.records if r.name.startswith("bot."))


async def test_a_whisper_is_for_one_person_in_the_thread() -> None:
    async with scripted() as server:
        await channel(server).whisper(Place("C0", "18.1", "17.1"), "U1", NOTE)
    [(method, body)] = server.asked
    assert (method, body["user"], body["thread_ts"]) == ("chat.postEphemeral", "U1", "17.1")


@pytest.mark.parametrize("code", ["not_in_channel", "channel_not_found", "user_not_in_channel"])
async def test_a_whisper_where_the_bot_may_not_speak_becomes_a_direct_message(code: str) -> None:
    async with scripted(chat_postEphemeral=[refused(code)]) as server:
        await channel(server).whisper(Place("C0"), "U1", NOTE)
    assert server.asked[-1][0] == "chat.postMessage"
    assert server.asked[-1][1]["channel"] == "U1"


def message(ts: str, key: str = "", bot: str = "B0TOCSIN", **more: Any) -> dict[str, Any]:
    metadata = {"event_type": "tocsin", "event_payload": {"key": key}}
    return {"ts": ts, "bot_id": bot, "metadata": metadata, **more}


async def test_a_post_that_was_lost_is_found_by_its_key() -> None:
    history = {"ok": True, "messages": [message("3.0", "card:i2"), message("2.0", "card:i1"), {"ts": "1.0"}]}
    async with scripted(conversations_history=[history]) as server:
        assert await channel(server).find("C0", "card:i1") == Place("C0", "2.0")
    assert server.asked[-1][1]["include_all_metadata"] in (True, "1", "true")


async def test_the_key_in_a_message_of_another_app_proves_nothing() -> None:
    history = {"ok": True, "messages": [message("3.0", "card:i1", bot="B0OTHER")]}
    async with scripted(conversations_history=[history]) as server:
        assert await channel(server).find("C0", "card:i1") is None


async def test_in_a_named_thread_only_that_thread_is_read_page_by_page() -> None:
    first = {"ok": True, "messages": [message("1.0")], "response_metadata": {"next_cursor": "more"}}
    second = {"ok": True, "messages": [message("2.0", "answer:q")]}
    async with scripted(conversations_replies=[first, second]) as server:
        assert await channel(server).find("C0", "answer:q", "1.0") == Place("C0", "2.0", "1.0")
    assert server.methods() == ["auth.test", "conversations.replies", "conversations.replies"]


async def test_a_post_in_a_thread_is_found_among_the_threads_the_bot_speaks_in() -> None:
    ours = message("5.0", "card:i9", reply_users=["U0TOCSIN"], latest_reply="9.0")
    strange = {"ts": "4.0", "reply_users": ["U1"], "latest_reply": "9.5"}
    replies = {"ok": True, "messages": [message("5.0"), message("6.0", "note:1")]}
    async with scripted(
        conversations_history=[{"ok": True, "messages": [ours, strange]}], conversations_replies=[replies]
    ) as server:
        assert await channel(server).find("C0", "note:1") == Place("C0", "6.0", "5.0")
    assert server.methods().count("conversations.replies") == 1


async def test_a_name_becomes_an_id_once_and_an_id_stays() -> None:
    first = {"ok": True, "channels": [{"id": "C1", "name": "a"}], "response_metadata": {"next_cursor": "x"}}
    second = {"ok": True, "channels": [{"id": "C2", "name": "payments"}]}
    async with scripted(conversations_list=[first, second]) as server:
        there = channel(server)
        assert await there.channel_id("#payments") == "C2"
        assert await there.channel_id("payments") == "C2"
        assert await there.channel_id("C0INCIDENTS") == "C0INCIDENTS"
    assert server.methods() == ["conversations.list"] * 2


async def test_an_unknown_name_says_how_to_make_it_known() -> None:
    async with scripted(conversations_list=[{"ok": True, "channels": []}]) as server:
        with pytest.raises(NotFound, match=r"#nowhere.*/invite @tocsin"):
            await channel(server).channel_id("#nowhere")


async def test_a_permalink_is_asked_for_and_may_be_missing() -> None:
    there = {"ok": True, "permalink": "https://example.slack.com/archives/C0/p1"}
    async with scripted(chat_getPermalink=[there, refused("message_not_found")]) as server:
        assert await channel(server).permalink(Place("C0", "1.0")) == there["permalink"]
        assert await channel(server).permalink(Place("C0", "1.0")) == ""


def test_the_client_of_a_loopback_address_uses_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert connect(TOKEN, "http://127.0.0.1:8333/api/").proxy is None
    assert connect(TOKEN).proxy == "http://proxy.example:3128"
    assert connect(TOKEN).retry_handlers == []


@pytest.mark.parametrize("code", ["invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long"])
async def test_a_card_whose_blocks_slack_refuses_is_posted_and_edited_in_plain_words(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with scripted(chat_postMessage=[refused(code), POSTED], chat_update=[refused(code), {"ok": True}]) as server:
        place = await channel(server).post(Place("C0PAYMENTS"), CARD, key="card:i1")
        await channel(server).edit(place, CARD)
    first, posted, _, edited = [body for _, body in server.asked]
    assert first["blocks"]
    assert (posted["blocks"], edited["blocks"]) == ([], [])
    assert posted["text"] == edited["text"] == first["text"]
    assert posted["metadata"] == {"event_type": "tocsin", "event_payload": {"key": "card:i1"}}
    assert caplog.text.count(code) == 2


async def test_a_whisper_whose_blocks_slack_refuses_is_said_in_plain_words() -> None:
    async with scripted(chat_postEphemeral=[refused("invalid_blocks"), {"ok": True}]) as server:
        await channel(server).whisper(Place("C0PAYMENTS"), "U1", CARD)
    assert [bool(body["blocks"]) for _, body in server.asked] == [True, False]
