"""An unmodified slack-bolt app works against the workspace over a real socket."""

from typing import Any

import pytest

from tests.workspace.conftest import Running, bolt, connected

BUTTON = {
    "type": "actions",
    "block_id": "deed",
    "elements": [
        {
            "type": "button",
            "action_id": "approve",
            "text": {"type": "plain_text", "text": "Approve"},
            "value": "act-1",
        }
    ],
}
MODAL = {
    "type": "modal",
    "callback_id": "why",
    "title": {"type": "plain_text", "text": "Why?"},
    "submit": {"type": "plain_text", "text": "Send"},
    "blocks": [
        {
            "type": "input",
            "block_id": "reason",
            "label": {"type": "plain_text", "text": "Reason"},
            "element": {"type": "plain_text_input", "action_id": "text"},
        }
    ],
}


async def test_a_mention_arrives_and_the_answer_is_seen_in_the_thread(workspace: Running) -> None:
    app = bolt(workspace)

    @app.event("app_mention")
    async def mentioned(event: dict[str, Any], say: Any) -> None:
        await say(text=f"You said {event['text']}", thread_ts=event["ts"])

    @app.event("message")
    async def heard() -> None:
        return None

    async with connected(workspace, app):
        posted = await workspace.do("messages", **{"as": "U0ONCALL"}, channel="C0INCIDENTS", text="@tocsin hello <b>")
        replies = await workspace.until(lambda: _thread(workspace, posted["ts"]))
    assert replies[1]["text"] == "You said <@U0TOCSIN> hello &lt;b&gt;"
    assert replies[1]["bot_id"] == "B0TOCSIN"


async def _thread(workspace: Running, ts: str) -> list[Any] | None:
    found = await workspace.messages(thread=ts)
    return found if len(found) > 1 else None


async def test_a_command_is_answered_in_private(workspace: Running) -> None:
    app = bolt(workspace)

    @app.command("/incident")
    async def incident(ack: Any, respond: Any, command: dict[str, Any]) -> None:
        await ack()
        await respond(f"{command['text']}: none open")

    async with connected(workspace, app):
        done = await workspace.do("commands", **{"as": "U0ONCALL"}, channel="C0INCIDENTS", command="/incident", text="list")
        assert done["acked"]
        seen = await workspace.until(lambda: _ephemerals(workspace, "U0ONCALL"))
    assert [m["text"] for m in seen] == ["list: none open"]
    assert await _ephemerals(workspace, "U0OUTSIDER") == []


async def _ephemerals(workspace: Running, user: str) -> list[Any]:
    found: list[Any] = (await workspace.see("ephemerals", **{"as": user}))["messages"]
    return found


@pytest.mark.parametrize("workspace", [1.0], indirect=True)
async def test_a_command_nobody_acknowledges_is_said_to_have_failed(workspace: Running) -> None:
    async with connected(workspace):
        done = await workspace.do("commands", **{"as": "U0ONCALL"}, channel="C0ALERTS", command="/deploy", text="x")
    assert not done["acked"]
    [seen] = await _ephemerals(workspace, "U0ONCALL")
    assert seen["text"].startswith("/deploy failed because the app did not respond")


async def test_a_button_edits_its_message(workspace: Running) -> None:
    app = bolt(workspace)

    @app.action("approve")
    async def approve(ack: Any, body: dict[str, Any], client: Any, action: dict[str, Any]) -> None:
        await ack()
        text = f"{action['value']} approved by <@{body['user']['id']}>"
        await client.chat_update(channel=body["channel"]["id"], ts=body["message"]["ts"], text=text, blocks=[])

    async with connected(workspace, app):
        card = await app.client.chat_postMessage(channel="#incidents", text="Roll back?", blocks=[BUTTON])
        done = await workspace.do("actions", **{"as": "U0APPROVER"}, channel="C0INCIDENTS", ts=card["ts"], action_id="approve")
        assert done["acked"]
        await workspace.until(lambda: _text_is(workspace, "act-1 approved by <@U0APPROVER>"))
    [message] = await workspace.messages()
    assert "blocks" not in message
    assert message["edited"]


async def _text_is(workspace: Running, text: str) -> bool:
    return [m["text"] for m in await workspace.messages()] == [text]


async def test_a_modal_is_filled_refused_corrected_and_closed(workspace: Running) -> None:
    app = bolt(workspace)
    submitted: list[str] = []

    @app.command("/why")
    async def why(ack: Any, client: Any, command: dict[str, Any]) -> None:
        await ack()
        await client.views_open(trigger_id=command["trigger_id"], view=MODAL)

    @app.view("why")
    async def sent(ack: Any, view: dict[str, Any]) -> None:
        reason = view["state"]["values"]["reason"]["text"]["value"]
        if reason == "because":
            await ack(response_action="errors", errors={"reason": "Not a reason"})
            return
        submitted.append(reason)
        await ack()

    async with connected(workspace, app):
        await workspace.do("commands", **{"as": "U0ONCALL"}, channel="C0INCIDENTS", command="/why")
        modal = await workspace.until(lambda: _modal(workspace))
        ask = {"as": "U0ONCALL", "view_id": modal["id"]}
        empty = await workspace.do("modals/submit", **ask)
        assert empty["errors"] == {"reason": "Please complete this required field."}
        refused = await workspace.do("modals/submit", **ask, values={"reason": {"text": "because"}})
        assert refused["acked"]
        assert refused["errors"] == {"reason": "Not a reason"}
        done = await workspace.do("modals/submit", **ask, values={"reason": {"text": "the provider is down"}})
    assert done["acked"]
    assert done["errors"] == {}
    assert submitted == ["the provider is down"]
    assert await _modal(workspace) is None


async def _modal(workspace: Running) -> Any:
    found = (await workspace.see("modals", **{"as": "U0ONCALL"}))["modals"]
    return found[-1] if found else None
