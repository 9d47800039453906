"""What a person does reaches slack-bolt in the shape that Slack sends."""

import asyncio
from typing import Any

import aiohttp
import pytest

from bot.workspace.server import Shortcut
from tests.workspace.conftest import Running, bolt, connected, running
from tests.workspace.test_bolt_over_socket_mode import MODAL

AS = {"as": "U0ONCALL"}


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def options(*names: str) -> list[dict[str, Any]]:
    return [{"text": plain(n.title()), "value": n} for n in names]


ELEMENTS = [
    {"type": "overflow", "action_id": "more", "options": options("catchup", "timeline")},
    {"type": "static_select", "action_id": "service", "options": options("payments", "checkout")},
    {"type": "multi_static_select", "action_id": "several", "options": options("a", "b", "c")},
    {"type": "users_select", "action_id": "person"},
    {"type": "datepicker", "action_id": "day", "initial_date": "2025-11-24"},
    {"type": "checkboxes", "action_id": "ticks", "options": options("x", "y")},
    {"type": "radio_buttons", "action_id": "one", "options": options("p", "q")},
]


async def test_each_kind_of_choice_arrives_with_its_own_key(workspace: Running) -> None:
    app = bolt(workspace)
    seen: dict[str, Any] = {}
    bodies: list[dict[str, Any]] = []

    @app.action({"block_id": "pick"})
    async def picked(ack: Any, action: dict[str, Any], body: dict[str, Any]) -> None:
        await ack()
        seen[action["action_id"]] = action
        bodies.append(body)

    async with connected(workspace, app):
        block = {"type": "actions", "block_id": "pick", "elements": ELEMENTS}
        posted = await app.client.chat_postMessage(channel="C0ALERTS", text="Pick", blocks=[block])
        where = {**AS, "channel": "C0ALERTS", "ts": posted["ts"]}
        choices = {
            "more": "timeline",
            "service": "checkout",
            "several": ["a", "c"],
            "person": "U0APPROVER",
            "day": "2025-12-01",
            "ticks": ["y"],
            "one": "p",
        }
        for action_id, value in choices.items():
            assert (await workspace.do("actions", **where, action_id=action_id, value=value))["acked"]
    assert seen["more"]["selected_option"]["value"] == "timeline"
    assert seen["service"]["selected_option"]["text"]["text"] == "Checkout"
    assert [o["value"] for o in seen["several"]["selected_options"]] == ["a", "c"]
    assert seen["person"]["selected_user"] == "U0APPROVER"
    assert seen["day"]["selected_date"] == "2025-12-01"
    assert [o["value"] for o in seen["ticks"]["selected_options"]] == ["y"]
    state = bodies[-1]["state"]["values"]["pick"]
    assert state["service"]["selected_option"]["value"] == "checkout"
    assert state["day"]["selected_date"] == "2025-12-01"
    assert bodies[-1]["container"] == {
        "type": "message",
        "message_ts": posted["ts"],
        "channel_id": "C0ALERTS",
        "is_ephemeral": False,
    }
    assert bodies[-1]["message"]["bot_id"] == "B0TOCSIN"


async def test_an_option_that_is_not_there_is_refused_by_name(workspace: Running) -> None:
    block = {"type": "actions", "elements": ELEMENTS}
    posted = await workspace.slack.chat_postMessage(channel="C0ALERTS", text="Pick", blocks=[block])
    where = {**AS, "channel": "C0ALERTS", "ts": posted["ts"]}
    wrong = await workspace.do("actions", **where, action_id="service", value="storefront")
    assert "payments, checkout" in wrong["error"]
    nothing = await workspace.do("actions", **where, action_id="explode")
    assert "service" in nothing["error"]


@pytest.mark.parametrize("workspace", [1.0], indirect=True)
async def test_a_press_that_nobody_acknowledges_says_so(workspace: Running) -> None:
    block = {"type": "actions", "elements": ELEMENTS[:1]}
    posted = await workspace.slack.chat_postMessage(channel="C0ALERTS", text="Pick", blocks=[block])
    where = {**AS, "channel": "C0ALERTS", "ts": posted["ts"], "action_id": "more", "value": "catchup"}
    nobody = await workspace.do("actions", **where)
    assert (nobody["acked"], nobody["status"]) == (False, "no app is connected")
    async with connected(workspace):
        late = await workspace.do("actions", **where)
    assert (late["acked"], late["status"]) == (False, "the app did not acknowledge within 1 s")
    assert late["waited_ms"] >= 1000


async def test_an_ephemeral_is_replaced_and_deleted_by_its_response_url(workspace: Running) -> None:
    app = bolt(workspace)

    @app.action("go")
    async def go(ack: Any, respond: Any, action: dict[str, Any]) -> None:
        await ack()
        if action["value"] == "replace":
            await respond(text="second", blocks=[button("delete")], replace_original=True)
        else:
            await respond(delete_original=True)

    def button(value: str) -> dict[str, Any]:
        return {
            "type": "actions",
            "elements": [{"type": "button", "action_id": "go", "text": plain("Go"), "value": value}],
        }

    async with connected(workspace, app):
        posted = await app.client.chat_postEphemeral(
            channel="C0ALERTS", user="U0ONCALL", text="first", blocks=[button("replace")]
        )
        where = {**AS, "channel": "C0ALERTS", "ts": posted["message_ts"], "action_id": "go"}
        await workspace.do("actions", **where)
        await workspace.until(lambda: _texts(workspace, ["second"]))
        await workspace.do("actions", **where)
        await workspace.until(lambda: _texts(workspace, []))


async def _texts(workspace: Running, texts: list[str]) -> bool:
    return [m["text"] for m in await workspace.messages("C0ALERTS")] == texts


async def test_the_home_tab_is_published_and_its_button_works(workspace: Running) -> None:
    app = bolt(workspace)
    pressed: list[dict[str, Any]] = []
    button = {"type": "button", "action_id": "refresh", "text": plain("Refresh")}
    view = {"type": "home", "blocks": [{"type": "actions", "elements": [button]}]}

    @app.event("app_home_opened")
    async def opened(event: dict[str, Any], client: Any) -> None:
        await client.views_publish(user_id=event["user"], view=view)

    @app.action("refresh")
    async def refresh(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        pressed.append(body)

    async with connected(workspace, app):
        await workspace.do("home", **AS)
        home = await workspace.until(lambda: _home(workspace))
        assert (await workspace.do("actions", **AS, view_id=home["id"], action_id="refresh"))["acked"]
    assert pressed[0]["container"] == {"type": "view", "view_id": home["id"]}
    assert pressed[0]["view"]["type"] == "home"


async def _home(workspace: Running) -> Any:
    return (await workspace.see("home", **AS))["view"]


async def test_shortcuts_open_push_and_close_modals() -> None:
    shortcuts = (Shortcut("explain", "Explain this"), Shortcut("declare", "Declare an incident", "global"))
    async with running(ack_seconds=1.0, shortcuts=shortcuts) as workspace:
        app = bolt(workspace)
        heard: list[Any] = []

        @app.shortcut("explain")
        async def explain(ack: Any, shortcut: dict[str, Any], client: Any) -> None:
            await ack()
            heard.append(shortcut["message"]["text"])
            await client.views_open(trigger_id=shortcut["trigger_id"], view={**MODAL, "notify_on_close": True})

        @app.shortcut("declare")
        async def declare(ack: Any, shortcut: dict[str, Any]) -> None:
            await ack()
            heard.append(shortcut["type"])

        @app.view("why")
        async def pushed(ack: Any) -> None:
            await ack(response_action="push", view={**MODAL, "callback_id": "again", "notify_on_close": True})

        @app.view_closed("again")
        async def closed(ack: Any, body: dict[str, Any]) -> None:
            await ack()
            heard.append(body["is_cleared"])

        async with connected(workspace, app):
            said = await workspace.slack.chat_postMessage(channel="C0ALERTS", text="what is this?")
            await workspace.do("shortcuts", **AS, callback_id="explain", channel="C0ALERTS", ts=said["ts"])
            [first] = await workspace.until(lambda: _modals(workspace))
            await workspace.do("modals/submit", **AS, view_id=first["id"], values={"reason": {"text": "x"}})
            stack = await _modals(workspace)
            assert [v["callback_id"] for v in stack] == ["why", "again"]
            assert stack[1]["previous_view_id"] == first["id"]
            await workspace.do("modals/close", **AS, view_id=stack[1]["id"])
            assert len(await _modals(workspace)) == 1
            await workspace.do("shortcuts", **AS, callback_id="declare")
        assert heard == ["what is this?", False, "shortcut"]


async def _modals(workspace: Running) -> list[Any]:
    found: list[Any] = (await workspace.see("modals", **AS))["modals"]
    return found


async def test_a_mention_comes_as_app_mention_and_as_message_with_one_ts(workspace: Running) -> None:
    async with aiohttp.ClientSession() as session:
        opened = await workspace.slack.apps_connections_open(app_token=workspace.config.app_token)
        async with session.ws_connect(opened["url"]) as socket:
            await socket.receive_json()
            await workspace.do("messages", **AS, channel="C0ALERTS", text="hi @tocsin, see #incidents <!channel> <b>")
            events = []
            for _ in range(2):
                envelope = await socket.receive_json(timeout=30)
                await socket.send_json({"envelope_id": envelope["envelope_id"]})
                events.append(envelope["payload"]["event"])
            await workspace.do("messages", **AS, channel="U0TOCSIN", text="just us")
            direct = (await socket.receive_json(timeout=30))["payload"]["event"]
    assert {e["type"] for e in events} == {"app_mention", "message"}
    assert len({e["ts"] for e in events}) == 1
    assert events[0]["text"] == "hi <@U0TOCSIN>, see <#C0INCIDENTS|incidents> <!channel> &lt;b&gt;"
    assert (direct["type"], direct["channel_type"]) == ("message", "im")


async def test_a_reaction_arrives_as_an_event(workspace: Running) -> None:
    app = bolt(workspace)
    heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @app.event("reaction_added")
    async def reacted(event: dict[str, Any]) -> None:
        await heard.put(event)

    async with connected(workspace, app):
        posted = await app.client.chat_postMessage(channel="C0ALERTS", text="x")
        await workspace.do("reactions", **AS, channel="C0ALERTS", ts=posted["ts"], name=":eyes:")
        event = await asyncio.wait_for(heard.get(), 30)
        twice = await workspace.do("reactions", **AS, channel="C0ALERTS", ts=posted["ts"], name="eyes")
    assert (event["reaction"], event["item"]["ts"], event["item_user"]) == ("eyes", posted["ts"], "U0TOCSIN")
    assert twice["error"] == "already_reacted"


async def test_the_workspace_echoes_pings(workspace: Running) -> None:
    opened = await workspace.slack.apps_connections_open(app_token=workspace.config.app_token)
    async with aiohttp.ClientSession() as session:
        async with session.ws_connect(opened["url"], autoping=False) as socket:
            await socket.receive_json()
            await socket.ping(b"sdk-ping-pong:1")
            pong = await socket.receive(timeout=30)
    assert (pong.type, bytes(pong.data)) == (aiohttp.WSMsgType.PONG, b"sdk-ping-pong:1")
