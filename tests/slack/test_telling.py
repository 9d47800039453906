"""Answers that appear while they are made, against the workspace, which keeps Slack's rules about streams."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.domain.request import Person
from bot.domain.view import AnswerView, Place
from bot.errors import Unavailable
from bot.slack.blocks import render
from bot.slack.channel import SlackChannel
from bot.slack.client import connect
from bot.slack.telling import LOOKING, MOVED
from bot.slack.text import JOINER
from tests.slack.scripted import BREAK, ME, scripted
from tests.workspace.conftest import Running, running

OLIVIA = Person("U0ONCALL", "olivia", "T0TOCSIN")
KEY = "answer:C0:1"
VIEW = AnswerView("Because of v43 [E4]: `retries = 10`.", "openai:small", "i-1", (("E4", "retries 2 → 10", ""),))


@dataclass
class Hours:
    """Time that passes when somebody sleeps, for the bot; the workspace's is ahead by `ahead` seconds."""

    seconds: float = 0.0
    ahead: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.seconds

    def there(self) -> datetime:
        return datetime.fromtimestamp(1_767_362_940 + self.seconds + self.ahead, UTC)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        await asyncio.sleep(0)


@dataclass
class Stage:
    """A workspace, the channel under test, and a question in a thread."""

    workspace: Running
    channel: SlackChannel
    hours: Hours
    asked: Place

    async def replies(self) -> list[dict[str, Any]]:
        """What stands in the thread below the question."""
        return (await self.workspace.messages(self.asked.channel, thread=self.asked.thread))[1:]

    async def only(self) -> dict[str, Any]:
        """The one reply."""
        [reply] = await self.replies()
        return reply

    async def shows(self, words: str) -> dict[str, Any]:
        """The last reply, once it holds these words."""

        async def there() -> dict[str, Any] | None:
            found = await self.replies()
            return found[-1] if found and words in found[-1]["text"] else None

        shown: dict[str, Any] = await self.workspace.until(there)
        return shown

    async def kinds(self) -> list[str]:
        """What happened, in the workspace's words."""
        return [e["kind"] for e in (await self.workspace.see("transcript"))["entries"]]

    async def fault(self, kind: str, method: str, **more: Any) -> None:
        """The next call of this method goes wrong."""
        await self.workspace.do("faults", kind=kind, method=method, **more)


@asynccontextmanager
async def on_stage(channel: str = "C0INCIDENTS") -> AsyncIterator[Stage]:
    hours = Hours()
    async with running(clock=hours.there) as workspace:
        asked = await workspace.do("messages", **{"as": OLIVIA.id}, channel=channel, text="@tocsin why?")
        client = connect(workspace.config.bot_token, f"{workspace.config.base_url}/api/", 5)
        slack = SlackChannel(client, ["github.com"], now=hours.now, sleep=hours.sleep)
        yield Stage(workspace, slack, hours, Place(asked["channel"], asked["ts"], asked["ts"]))


def exactly(view: AnswerView) -> list[str]:
    """The texts of the blocks of a posted view, from top to bottom."""
    return [text for block in render(view, ["github.com"]).blocks for text in texts(block)]


def texts(part: Any) -> list[str]:
    """Every text in a block, task cards left out."""
    if isinstance(part, dict):
        if part.get("type") == "task_card":
            return []
        own = [part["text"]] if isinstance(part.get("text"), str) else []
        return own + [t for k, v in part.items() if k not in ("type", "block_id") for t in texts(v)]
    return [t for item in part for t in texts(item)] if isinstance(part, list | tuple) else []


async def check(stage: Stage, view: AnswerView, place: Place) -> dict[str, Any]:
    """The last reply is exactly this view, complete, and is found by its key."""
    last = (await stage.replies())[-1]
    assert "streaming_state" not in last
    assert texts(last["blocks"]) == exactly(view)
    assert place == Place(stage.asked.channel, last["ts"], stage.asked.thread)
    assert await stage.channel.find(stage.asked.channel, KEY, stage.asked.thread) == place
    return last


async def test_words_appear_while_they_come_and_the_end_adds_evidence_and_buttons() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.words("Because of ")
        growing = await stage.shows("Because of ")
        assert growing["streaming_state"] == "in_progress"
        assert telling.place.ts == growing["ts"]
        for more in ("v43 ", "[E4]: `retr", "ies = ", "10`."):
            await telling.words(more)
        await stage.shows("Because of v43 [E4]: ")
        last = await check(stage, VIEW, await telling.end(VIEW))
        assert "edited" not in last
        assert [e["value"] for b in last["blocks"] if b["type"] == "actions" for e in b["elements"]] == ["i-1", "i-1"]
        assert "refused" not in await stage.kinds()


async def test_steps_are_shown_and_all_done_in_the_end() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.step("Reading the logs of <!channel>", done=False)
        [card] = (await stage.only())["blocks"]
        assert (card["type"], card["status"]) == ("task_card", "in_progress")
        assert "<!" not in card["title"]
        await telling.step("Reading the logs of <!channel>", done=True)
        await telling.step("Comparing the diffs", done=False)
        await telling.words(VIEW.markdown)
        last = await check(stage, VIEW, await telling.end(VIEW))
        cards = [b for b in last["blocks"] if b["type"] == "task_card"]
        assert [c["status"] for c in cards] == ["complete", "complete"]


async def test_the_first_word_waits_for_no_step() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.step("Looking", done=False)
        await telling.words("Because ")
        await stage.shows("Because ")
        assert stage.hours.slept[0] <= 0.3


async def test_an_answer_that_nobody_streamed_is_one_post() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await check(stage, VIEW, await telling.end(VIEW))
        assert "streamed" not in await stage.kinds()


async def test_a_status_is_shown_until_something_stands_there() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.end(VIEW)
        entries = (await stage.workspace.see("transcript"))["entries"]
        assert [(e["kind"], e["text"]) for e in entries if e["kind"] == "status"] == [("status", LOOKING)]
        kinds = [e["kind"] for e in entries]
        assert kinds.index("status") < len(kinds) - 1 - kinds[::-1].index("posted")


@pytest.mark.parametrize(
    "pieces", [("Tell <!chan", "nel> now "), ("Tell <", "!here> now "), ("Ask @chan", "nel now "), ("Ask <@U0APP", "ROVER> now ")]
)
async def test_a_broadcast_in_two_pieces_reaches_nobody(pieces: tuple[str, str]) -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        seen = []
        for piece in pieces:
            await telling.words(piece)
            seen += [m["text"] for m in await stage.replies()]
        seen.append((await stage.shows("now "))["text"])
        assert not [s for s in seen if "<!" in s or "<@" in s or "@channel" in s]
        assert JOINER in seen[-1]
        view = AnswerView("".join(pieces), "rules")
        await check(stage, view, await telling.end(view))


async def test_a_link_in_two_pieces_leads_nowhere_strange() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        for piece in ("See [the runbook](https://evil.", "example/x) and [the diff](https://git", "hub.com/a) end "):
            await telling.words(piece)
        shown = (await stage.shows(" end "))["text"]
        assert "the runbook (`https://evil.example/x`)" in shown
        assert "[the diff](https://github.com/a)" in shown


async def test_a_burst_of_words_is_few_calls() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        for number in range(200):
            await telling.words(f"word{number} ")
        await stage.shows("word199 ")
        assert (await stage.kinds()).count("streamed") <= 4
        assert all(s <= 1 for s in stage.hours.slept)


async def test_what_the_model_said_otherwise_in_the_end_replaces_what_stood_there() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.words("I believe that it was the moon. ")
        await stage.shows("moon")
        last = await check(stage, VIEW, await telling.end(VIEW))
        assert "moon" not in last["text"]


async def test_an_answer_longer_than_a_message_ends_like_a_posted_one() -> None:
    view = AnswerView("It was **retries**. " * 900, "openai:small", "i-1", VIEW.evidence)
    assert len(view.markdown) > 12_000
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        for at in range(0, len(view.markdown), 3000):
            await telling.words(view.markdown[at : at + 3000])
        await stage.shows("It was")
        await check(stage, view, await telling.end(view))


async def test_a_stream_that_slack_ended_goes_on_by_editing() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.words("Because ")
        await stage.shows("Because ")
        stage.hours.ahead = 301  # Slack's clock; ours believes that there is time left
        await telling.words("of v43 ")
        edited = await stage.shows("of v43")
        assert (edited["text"], "edited" in edited) == ("Because of v43", True)
        assert len(await stage.replies()) == 1
        await check(stage, VIEW, await telling.end(VIEW))


async def test_a_stream_that_slack_ended_before_the_end_is_edited() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.words("Because ")
        await stage.shows("Because ")
        stage.hours.ahead = 301
        await check(stage, VIEW, await telling.end(VIEW))
        await stage.only()


async def test_a_long_answer_goes_on_in_a_second_message_before_slack_ends_the_first() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.step("Looking", done=False)
        await telling.words("Because ")
        await stage.shows("Because ")
        stage.hours.seconds += 240
        await telling.words("of v43 ")
        second = await stage.shows("Because of v43 ")
        assert second["streaming_state"] == "in_progress"
        await check(stage, VIEW, await telling.end(VIEW))
        first, _ = await stage.replies()
        assert texts(first["blocks"]) == [f"_{MOVED}_"]


async def test_a_rate_limit_in_the_middle_is_waited_for_and_loses_no_word() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.words("Because ")
        await stage.fault("ratelimited", "chat.appendStream", retry_after=7)
        await telling.words("of v43 ")
        await stage.shows("Because of v43 ")
        assert 7 in [round(s) for s in stage.hours.slept]
        await check(stage, VIEW, await telling.end(VIEW))


async def test_the_end_waits_for_a_short_rate_limit_and_leaves_a_long_one_to_the_work() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.words("Because ")
        await stage.fault("ratelimited", "chat.stopStream", retry_after=12)
        await check(stage, VIEW, await telling.end(VIEW))
        assert 12 in [round(s) for s in stage.hours.slept]
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await stage.fault("ratelimited", "chat.postMessage", retry_after=300)
        with pytest.raises(Unavailable) as caught:
            await telling.end(VIEW)
        assert caught.value.retry_after == 300


@pytest.mark.parametrize("kind", ["drop", "drop_before", "error"])
@pytest.mark.parametrize("method", ["chat.appendStream", "chat.stopStream"])
async def test_a_broken_connection_doubles_and_loses_nothing(kind: str, method: str) -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.words("Because ")
        await stage.fault(kind, method)
        await telling.words("of v43 ")
        await stage.shows("of v43")
        await check(stage, VIEW, await telling.end(VIEW))
        await stage.only()


async def test_an_end_that_was_never_answered_is_found_by_its_key() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await stage.fault("drop", "chat.postMessage")
        with pytest.raises(Unavailable):
            await telling.end(VIEW)
        place = await stage.channel.find(stage.asked.channel, KEY, stage.asked.thread)
        assert place is not None
        await check(stage, VIEW, place)


async def test_a_stream_left_by_a_crash_is_made_whole_by_an_edit() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.words("Because ")
        place = telling.place
        assert await stage.channel.find(place.channel, KEY, place.thread) is None
        await stage.channel.edit(place, VIEW)
        last = await stage.only()
        assert texts(last["blocks"]) == exactly(VIEW)


async def test_a_message_that_somebody_deleted_meanwhile_is_posted_again() -> None:
    async with on_stage() as stage:
        telling = await stage.channel.tell(stage.asked, OLIVIA, key=KEY)
        await telling.words("Because ")
        await stage.workspace.slack.chat_delete(channel=telling.place.channel, ts=telling.place.ts)
        await check(stage, VIEW, await telling.end(VIEW))


async def test_a_direct_message_needs_no_recipient() -> None:
    async with on_stage("U0TOCSIN") as stage:
        telling = await stage.channel.tell(stage.asked, Person("", "", ""), key=KEY)
        await telling.words("Because ")
        await stage.shows("Because ")
        await check(stage, VIEW, await telling.end(VIEW))


@pytest.mark.parametrize("answer", ["not_allowed", "missing_scope", "unknown_method", "not_in_channel", BREAK])
async def test_where_slack_takes_no_stream_the_answer_is_posted(answer: str) -> None:
    refusal = answer if answer == BREAK else {"ok": False, "error": answer}
    posted = {"ok": True, "channel": "C0", "ts": "18.1"}
    async with scripted(chat_startStream=[refusal], chat_postMessage=[posted]) as server:
        channel = SlackChannel(connect("xoxb-1", server.url, 5))
        telling = await channel.tell(Place("C0", "17.1", "17.1"), OLIVIA, key=KEY)
        for more in ("Because ", "of ", "v43 "):
            await telling.words(more)
        await telling.step("Looking", done=False)
        assert await telling.end(VIEW) == Place("C0", "18.1", "17.1")
    assert server.methods().count("chat.startStream") == 1
    [body] = [b for m, b in server.asked if m == "chat.postMessage"]
    assert body["metadata"]["event_payload"] == {"key": KEY}
    assert texts(body["blocks"]) == exactly(VIEW)


async def test_without_a_reader_a_channel_gets_no_stream() -> None:
    async with scripted(auth_test=[{**ME, "team_id": "T0"}], chat_postMessage=[{"ok": True, "ts": "18.1"}]) as server:
        telling = await SlackChannel(connect("xoxb-1", server.url, 5)).tell(Place("C0", "", "17.1"), Person(""), key=KEY)
        await telling.words("Because ")
        await telling.end(VIEW)
    assert "chat.startStream" not in server.methods()


async def test_the_workspace_of_a_reader_whose_payload_named_none_is_the_bots() -> None:
    async with scripted(chat_startStream=[{"ok": True, "channel": "C0", "ts": "18.1"}]) as server:
        telling = await SlackChannel(connect("xoxb-1", server.url, 5)).tell(Place("C0", "", "17.1"), Person("U1"), key=KEY)
        await telling.words("Because ")
        await telling.end(VIEW)
    [body] = [b for m, b in server.asked if m == "chat.startStream"]
    assert (body["recipient_user_id"], body["recipient_team_id"], body["thread_ts"]) == ("U1", "T0", "17.1")
