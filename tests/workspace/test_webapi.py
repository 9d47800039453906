"""The Web API answers as Slack does, with Slack's error words."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace.server import ChannelSpec
from tests.workspace.card import CARD, CARD_TEXT
from tests.workspace.conftest import SCHEMA, Running, block_schema, running


async def refused(call: Any) -> str:
    with pytest.raises(SlackApiError) as refusal:
        await call
    return str(refusal.value.response["error"])


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = datetime(2025, 11, 24, 14, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **time: float) -> None:
        self.now += timedelta(**time)


async def test_tokens_are_checked(workspace: Running) -> None:
    base = f"{workspace.config.base_url}/api/"
    assert await refused(AsyncWebClient("xoxb-wrong", base_url=base).auth_test()) == "invalid_auth"
    assert await refused(AsyncWebClient(base_url=base).auth_test()) == "not_authed"
    wrong_kind = AsyncWebClient(workspace.config.app_token, base_url=base)
    assert await refused(wrong_kind.auth_test()) == "not_allowed_token_type"
    assert (await AsyncWebClient(base_url=base).api_test())["ok"]


async def test_posts_are_refused_with_the_words_of_slack() -> None:
    channels = (ChannelSpec("C1", "open"), ChannelSpec("C2", "closed", bot_is_member=False))
    async with running(channels=channels) as workspace:
        slack = workspace.slack
        assert await refused(slack.chat_postMessage(channel="C9", text="x")) == "channel_not_found"
        assert await refused(slack.chat_postMessage(channel="C2", text="x")) == "not_in_channel"
        assert await refused(slack.chat_postMessage(channel="C1", text="")) == "no_text"
        assert await refused(slack.chat_postMessage(channel="C1", text="x" * 40_001)) == "msg_too_long"
        assert await refused(slack.chat_postMessage(channel="C1", text="x", thread_ts="1.2")) == "thread_not_found"
        assert await refused(slack.chat_update(channel="C1", ts="1.2", text="x")) == "message_not_found"
        assert await refused(slack.api_call("chat.nonsense")) == "unknown_method"
        person = await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C1", text="mine")
        assert await refused(slack.chat_update(channel="C1", ts=person["ts"], text="x")) == "cant_update_message"
        assert await refused(slack.chat_delete(channel="C1", ts=person["ts"])) == "cant_delete_message"
        await slack.conversations_join(channel="C2")
        await slack.chat_postMessage(channel="C2", text="now it goes")


async def test_bad_blocks_are_refused_with_their_path(workspace: Running) -> None:
    header = {"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}
    with pytest.raises(SlackApiError) as refusal:
        await workspace.slack.chat_postMessage(channel="C0ALERTS", text="x", blocks=[header])
    assert refusal.value.response["error"] == "invalid_blocks"
    [says] = refusal.value.response["response_metadata"]["messages"]
    assert says == "[ERROR] must be less than 151 characters [json-pointer:/blocks/0/text/text]"


@pytest.mark.shared_data
@pytest.mark.skipif(not SCHEMA.exists(), reason="the block schema beside the project is absent")
async def test_with_a_schema_unknown_fields_are_refused_and_the_card_is_taken() -> None:
    async with running(block_schema=block_schema()) as workspace:
        await workspace.slack.chat_postMessage(channel="C0ALERTS", text=CARD_TEXT, blocks=CARD)
        odd = [{"type": "divider", "colour": "red"}]
        call = workspace.slack.chat_postMessage(channel="C0ALERTS", text="x", blocks=odd)
        assert await refused(call) == "invalid_blocks"


async def test_metadata_is_kept_and_shown_on_request(workspace: Running) -> None:
    metadata = {"event_type": "incident", "event_payload": {"id": "INC-42"}}
    slack = workspace.slack
    posted = await slack.chat_postMessage(channel="C0INCIDENTS", text="card", metadata=metadata)
    whole = await slack.conversations_history(channel="C0INCIDENTS", include_all_metadata=True)
    assert whole["messages"][0]["metadata"] == metadata
    brief = await slack.conversations_history(channel="C0INCIDENTS")
    assert brief["messages"][0]["metadata"] == {"event_type": "incident"}
    await slack.chat_update(channel="C0INCIDENTS", ts=posted["ts"], text="card, newer")
    exactly = {"latest": posted["ts"], "inclusive": True}
    again = await slack.conversations_history(channel="C0INCIDENTS", include_all_metadata=True, **exactly)
    assert [(m["text"], m["metadata"]) for m in again["messages"]] == [("card, newer", metadata)]


async def test_history_is_newest_first_in_pages_and_replies_are_oldest_first(workspace: Running) -> None:
    slack = workspace.slack
    stamps = [(await slack.chat_postMessage(channel="C0ALERTS", text=str(n)))["ts"] for n in range(5)]
    assert stamps == sorted(set(stamps))
    first = await slack.conversations_history(channel="C0ALERTS", limit=3)
    rest = await slack.conversations_history(channel="C0ALERTS", limit=3, cursor=first["response_metadata"]["next_cursor"])
    assert [m["text"] for m in [*first["messages"], *rest["messages"]]] == ["4", "3", "2", "1", "0"]
    assert (first["has_more"], rest["has_more"]) == (True, False)
    for text in ("a", "b"):
        await slack.chat_postMessage(channel="C0ALERTS", text=text, thread_ts=stamps[0])
    thread = await slack.conversations_replies(channel="C0ALERTS", ts=stamps[0])
    assert [m["text"] for m in thread["messages"]] == ["0", "a", "b"]
    assert thread["messages"][0]["reply_count"] == 2
    assert len((await slack.conversations_history(channel="C0ALERTS"))["messages"]) == 5


async def test_an_ephemeral_is_seen_by_its_person_only(workspace: Running) -> None:
    await workspace.slack.chat_postEphemeral(channel="C0ALERTS", user="U0OUTSIDER", text="for you")
    assert [m["text"] for m in await workspace.messages("C0ALERTS", "U0OUTSIDER")] == ["for you"]
    assert await workspace.messages("C0ALERTS", "U0ONCALL") == []
    assert (await workspace.slack.conversations_history(channel="C0ALERTS"))["messages"] == []


async def test_a_direct_message_is_opened_by_the_person(workspace: Running) -> None:
    opened = await workspace.slack.conversations_open(users="U0APPROVER")
    await workspace.slack.chat_postMessage(channel=opened["channel"]["id"], text="psst")
    await workspace.slack.chat_postMessage(channel="U0APPROVER", text="again")
    seen = await workspace.messages(opened["channel"]["id"], "U0APPROVER")
    assert [m["text"] for m in seen] == ["psst", "again"]
    other = await workspace.see("messages", **{"as": "U0ONCALL"}, channel=opened["channel"]["id"])
    assert not other["ok"]


async def test_reactions_and_pins(workspace: Running) -> None:
    slack = workspace.slack
    where = {"channel": "C0ALERTS", "timestamp": (await slack.chat_postMessage(channel="C0ALERTS", text="x"))["ts"]}
    await slack.reactions_add(name="eyes", **where)
    assert await refused(slack.reactions_add(name="eyes", **where)) == "already_reacted"
    assert await refused(slack.reactions_add(name="no-such-emoji", **where)) == "invalid_name"
    got = await slack.reactions_get(**where)
    assert got["message"]["reactions"] == [{"name": "eyes", "users": ["U0TOCSIN"], "count": 1}]
    await slack.reactions_remove(name="eyes", **where)
    await slack.pins_add(**where)
    assert len((await slack.pins_list(channel="C0ALERTS"))["items"]) == 1
    await slack.pins_remove(**where)
    assert await refused(slack.pins_remove(**where)) == "no_pin"


async def test_people_and_groups_are_known(workspace: Running) -> None:
    slack = workspace.slack
    assert (await slack.users_info(user="U0ONCALL"))["user"]["real_name"] == "Olivia"
    assert (await slack.users_lookupByEmail(email="amir@example.com"))["user"]["id"] == "U0APPROVER"
    assert await refused(slack.users_info(user="U9")) == "user_not_found"
    assert {m["id"] for m in (await slack.users_list())["members"]} >= {"U0ONCALL", "U0TOCSIN"}
    group = (await slack.usergroups_list())["usergroups"][0]
    assert (await slack.usergroups_users_list(usergroup=group["id"]))["users"] == ["U0ONCALL"]
    assert len((await slack.users_conversations(types="public_channel"))["channels"]) == 3
    assert "U0TOCSIN" in (await slack.conversations_members(channel="C0ALERTS"))["members"]


async def test_a_file_is_uploaded_shared_and_handed_out(workspace: Running) -> None:
    slack = workspace.slack
    await slack.files_upload_v2(channel="C0ALERTS", filename="log.txt", content="line 1\n<b>", title="Output")
    [message] = await workspace.messages("C0ALERTS")
    [file] = message["files"]
    answer = await workspace.http.get(file["url_private"])
    assert (answer.text, answer.headers["content-type"]) == ("line 1\n<b>", "text/plain; charset=utf-8")
    await slack.files_upload_v2(channel="C0ALERTS", filename="evil.html", content="<script>1</script>")
    page = (await workspace.messages("C0ALERTS"))[1]["files"][0]
    assert (await workspace.http.get(page["url_private"])).headers["content-type"] == "application/octet-stream"


async def test_an_uploaded_chart_is_shown_in_an_image_block(workspace: Running) -> None:
    slack = workspace.slack
    chart = {"type": "image", "slack_file": {"id": "F9"}, "alt_text": "Errors per minute"}
    assert await refused(slack.chat_postMessage(channel="C0ALERTS", text="x", blocks=[chart])) == "invalid_blocks"
    uploaded = await slack.files_upload_v2(filename="errors.png", content=b"\x89PNG\r\n\x1a\n")
    chart["slack_file"] = {"id": uploaded["file"]["id"]}
    await slack.chat_postMessage(channel="C0ALERTS", text="Errors", blocks=[chart])
    page = await workspace.http.get("/page/messages", params={"as": "U0ONCALL", "channel": "C0ALERTS"})
    [shown] = page.json()["messages"]
    [address] = re.findall(r'<img src="([^"]+)" alt="Errors per minute"', shown["html"])
    assert (await workspace.http.get(address)).headers["content-type"] == "image/png"


async def test_a_stream_is_written_stopped_and_dies_after_five_minutes() -> None:
    clock = Hand()
    async with running(clock=clock) as workspace:
        slack = workspace.slack
        asked = await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0ALERTS", text="why?")
        thread = {"channel": "C0ALERTS", "thread_ts": asked["ts"]}
        to = {"recipient_team_id": "T0TOCSIN", "recipient_user_id": "U0ONCALL"}
        assert await refused(slack.chat_startStream(**thread)) == "missing_recipient_team_id"
        stream = await slack.chat_stream(**thread, **to)
        await stream.append(markdown_text="**be" + "c" * 300)
        await stream.append(markdown_text="ause**")
        await stream.stop(blocks=[{"type": "divider"}])
        reply = (await workspace.messages("C0ALERTS", thread=asked["ts"]))[1]
        assert [b["type"] for b in reply["blocks"]] == ["markdown", "divider"]
        assert reply["blocks"][0]["text"] == "**be" + "c" * 300 + "ause**"
        started = await slack.chat_startStream(**thread, **to, markdown_text="slow")
        where = {"channel": "C0ALERTS", "ts": started["ts"]}
        assert await refused(slack.chat_update(**where, text="x")) == "streaming_state_conflict"
        clock.pass_(minutes=4, seconds=59)
        await slack.chat_appendStream(**where, markdown_text=" and slower")
        clock.pass_(seconds=1)
        assert await refused(slack.chat_appendStream(**where, markdown_text="x")) == "message_not_in_streaming_state"
        await slack.chat_update(**where, text="rolled over")


async def test_a_status_is_accepted_and_an_unknown_chunk_is_not(workspace: Running) -> None:
    asked = await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0ALERTS", text="why?")
    slack = workspace.slack
    await slack.assistant_threads_setStatus(channel_id="C0ALERTS", thread_ts=asked["ts"], status="is thinking…")
    chunks = [{"type": "dance"}]
    to = {"recipient_team_id": "T0TOCSIN", "recipient_user_id": "U0ONCALL"}
    call = slack.chat_startStream(channel="C0ALERTS", thread_ts=asked["ts"], chunks=chunks, **to)
    assert await refused(call) == "invalid_chunks"


async def test_a_status_stays_until_the_app_posts_or_for_two_minutes() -> None:
    hand = Hand()
    async with running(clock=hand) as workspace:
        slack = workspace.slack
        asked = await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0ALERTS", text="why?")
        thread = {"channel_id": "C0ALERTS", "thread_ts": asked["ts"]}
        assert (
            await refused(slack.assistant_threads_setStatus(**{**thread, "thread_ts": "1.1"}, status="x")) == "invalid_thread_ts"
        )
        many = ["…"] * 11
        assert (
            await refused(slack.assistant_threads_setStatus(**thread, status="x", loading_messages=many)) == "invalid_arguments"
        )

        async def shown() -> str:
            query = {"as": "U0ONCALL", "channel": "C0ALERTS", "thread_ts": asked["ts"]}
            status: str = (await workspace.http.get("/page/messages", params=query)).json()["status"]
            return status

        for clears in (119.0, 120.0):
            await slack.assistant_threads_setStatus(**thread, status="is looking")
            hand.now += timedelta(seconds=clears)
            assert await shown() == ("is looking" if clears < 120 else "")
        await slack.assistant_threads_setStatus(**thread, status="is looking")
        await slack.chat_postMessage(channel="C0ALERTS", thread_ts=asked["ts"], text="because")
        assert await shown() == ""


async def test_suggested_prompts_are_at_most_four_and_go_once_the_person_writes(workspace: Running) -> None:
    slack = workspace.slack
    direct = "D00ONCALL"

    async def suggested() -> Any:
        return (await workspace.see("suggestions", **{"as": "U0ONCALL"}))["suggestions"]

    prompts = [{"title": f"Why {n}?", "message": f"Why did INC-{n} happen?"} for n in range(5)]
    assert await refused(slack.assistant_threads_setSuggestedPrompts(channel_id=direct, prompts=prompts)) == "invalid_arguments"
    wrong = slack.assistant_threads_setSuggestedPrompts(channel_id=direct, prompts=[{"title": "no message"}])
    assert await refused(wrong) == "invalid_arguments"
    await slack.assistant_threads_setSuggestedPrompts(channel_id=direct, thread_ts="1.1", prompts=prompts[:4])
    assert await suggested() is None  # an agent's prompts belong to no thread
    await slack.assistant_threads_setSuggestedPrompts(channel_id=direct, title="Ask", prompts=prompts[:4])
    assert await suggested() == {"title": "Ask", "prompts": prompts[:4]}
    posted = await workspace.do("messages", **{"as": "U0ONCALL"}, channel="U0TOCSIN", text="hello")
    assert await suggested() is None
    title = {"channel_id": direct, "thread_ts": posted["ts"], "title": "About INC-1"}
    assert (await slack.assistant_threads_setTitle(**title))["ok"]
    assert await refused(slack.assistant_threads_setTitle(**{**title, "thread_ts": "1.1"})) == "invalid_thread_ts"
