"""What a person does with the app: press, choose, command, submit. Each is one payload and its acknowledgement."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bot.workspace import messages, views
from bot.workspace.errors import PersonaError, SlackError
from bot.workspace.site import Site
from bot.workspace.socketmode import Ack
from bot.workspace.state import Channel, JsonObject, Message, View

REASONS = {
    "timeout": "the app did not acknowledge within {seconds:g} s",
    "no_connection": "no app is connected",
    "http_timeout": "the app did not answer within {seconds:g} s",
    "connection_failed": "the app's address cannot be reached",
    "http_error": "the app answered with an error",
    "connection_closed": "the app's connection was closed",
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whether the app acknowledged, after how long, and what it answered with."""

    acked: bool
    says: str
    milliseconds: int
    payload: Any = None


async def deliver(site: Site, kind: str, payload: JsonObject, what: str, **details: Any) -> Outcome:
    """Sends an interaction to the app and says, in the transcript too, how it was taken."""
    started = site.workspace.clock()
    ack: Ack = await site.delivery.interact(kind, payload)
    took = int((site.workspace.clock() - started).total_seconds() * 1000)
    says = "acked" if ack.ok else REASONS[ack.reason].format(seconds=site.config.ack_seconds)
    site.workspace.record(what, outcome=says, ms=took, **details)
    return Outcome(ack.ok, says, took, ack.payload)


def common(site: Site, user: str, kind: str) -> JsonObject:
    """What every payload of this person holds."""
    person = site.workspace.people[user]
    config = site.config
    return {
        "type": kind,
        "token": "verification-token-is-not-used",
        "api_app_id": config.bot.app_id,
        "team": {"id": config.team_id, "domain": "workspace"},
        "user": {"id": user, "username": person.name, "name": person.name, "team_id": config.team_id},
        "enterprise": None,
        "is_enterprise_install": False,
    }


def _channel_part(channel: Channel) -> JsonObject:
    return {"id": channel.id, "name": "directmessage" if channel.is_im else channel.name}


def find_element(
    blocks: list[JsonObject], action_id: str, block_id: str | None, value: str | None = None
) -> tuple[JsonObject, JsonObject]:
    """The block and the element with this action_id; block_id or the button's value decide between several."""
    found = [
        (block, element)
        for block in blocks
        for element in views.elements_of(block)
        if element["action_id"] == action_id and (block_id is None or block["block_id"] == block_id)
    ]
    exact = [pair for pair in found if value is None or pair[1].get("value") == value]
    if not (exact or found):
        there = ", ".join(e["action_id"] for b in blocks for e in views.elements_of(b)) or "none"
        raise PersonaError(f"There is no element {action_id!r} here. Its elements are: {there}.", 404)
    return (exact or found)[0]


def action_of(site: Site, block: JsonObject, element: JsonObject, given: Mapping[str, Any]) -> JsonObject:
    """The entry of `actions` for this element. `given` holds `value`: what was chosen, typed or pressed."""
    kind = element["type"]
    action: JsonObject = {
        "type": kind,
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "action_ts": site.workspace.next_ts(),
    }
    if kind in ("button", "icon_button", "workflow_button"):
        action |= {key: element[key] for key in ("text", "value", "style", "url") if key in element}
        return action
    if kind == "feedback_buttons":
        side = "negative_button" if given.get("value") in ("negative", element["negative_button"]["value"]) else None
        chosen = element[side or "positive_button"]
        return action | {"value": chosen["value"], "text": chosen["text"]}
    return action | chosen_value(element, given.get("value"))


def chosen_value(element: JsonObject, value: Any) -> JsonObject:
    """What the element's state becomes when a person enters `value` (an option's value, a text, a list)."""
    kind = element["type"]
    if kind == "overflow":
        return {"type": kind, "selected_option": _option(element, value)}
    if kind not in views.STATEFUL:
        raise PersonaError(f"A {kind} cannot be filled in.")
    key = views.STATEFUL[kind][0]
    if key == "selected_option":
        return {"type": kind, key: None if value in (None, "") else _option(element, value)}
    if key == "selected_options":
        wanted = [value] if isinstance(value, str) else list(value or [])
        return {"type": kind, key: [_option(element, v) for v in wanted]}
    if key.endswith("s") and key.startswith("selected_"):
        return {"type": kind, key: [value] if isinstance(value, str) else list(value or [])}
    if kind == "datetimepicker":
        return {"type": kind, key: int(value) if value not in (None, "") else None}
    return {"type": kind, key: None if value in (None, "") else str(value)}


def _option(element: JsonObject, value: Any) -> JsonObject:
    options = list(element.get("options") or [])
    options += [o for g in element.get("option_groups") or [] for o in g.get("options", [])]
    for option in options:
        if option.get("value") == value or (option.get("text") or {}).get("text") == value:
            return dict(option)
    if element["type"].endswith("external_select"):
        return {"text": {"type": "plain_text", "text": str(value)}, "value": str(value)}
    there = ", ".join(str(o.get("value")) for o in options)
    raise PersonaError(f"{element['action_id']!r} has no option {value!r}. Its options are: {there}.")


async def press(site: Site, user: str, message: Message, given: Mapping[str, Any]) -> Outcome:
    """Presses a button or chooses an option on a message. `given`: action_id, block_id?, value?."""
    value = given.get("value")
    block, element = find_element(message.blocks, str(given.get("action_id")), given.get("block_id"), value)
    action = action_of(site, block, element, given)
    if element["type"] in views.STATEFUL:
        state = {k: v for k, v in action.items() if k not in ("action_id", "block_id", "action_ts")}
        message.choices[(user, block["block_id"], element["action_id"])] = state
    channel = site.workspace.channels[message.channel]
    container: JsonObject = {
        "type": "message",
        "message_ts": message.ts,
        "channel_id": channel.id,
        "is_ephemeral": message.only_for is not None,
    }
    if message.thread_ts:
        container["thread_ts"] = message.thread_ts
    payload = {
        **common(site, user, "block_actions"),
        "container": container,
        "trigger_id": site.exchange.trigger(user),
        "channel": _channel_part(channel),
        "state": {"values": _message_state(message, user)},
        "response_url": site.exchange.response_url(user, channel.id, message.ts, message.thread_ts),
        "actions": [action],
    }
    if message.only_for is None:
        payload["message"] = messages.message_json(site.workspace, message)
    details = {"user": user, "channel": channel.id, "ts": message.ts, "action_id": element["action_id"]}
    return await deliver(site, "interactive", payload, "pressed", **details)


def _message_state(message: Message, user: str) -> JsonObject:
    values: JsonObject = {}
    for block in message.blocks:
        for element in views.elements_of(block):
            if element["type"] in views.STATEFUL:
                key = (user, block["block_id"], element["action_id"])
                state = message.choices.get(key) or views.initial_value(element)
                values.setdefault(block["block_id"], {})[element["action_id"]] = state
    return values


async def press_in_view(site: Site, view: View, given: Mapping[str, Any]) -> Outcome:
    """Presses a button or chooses an option in a modal or on the Home tab."""
    value = given.get("value")
    block, element = find_element(view.blocks, str(given.get("action_id")), given.get("block_id"), value)
    action = action_of(site, block, element, given)
    if element["type"] in views.STATEFUL:
        state = {k: v for k, v in action.items() if k not in ("action_id", "block_id", "action_ts")}
        view.values.setdefault(block["block_id"], {})[element["action_id"]] = state
        silent = block["type"] == "input" and not block.get("dispatch_action")
        if silent:
            return Outcome(True, "kept until the modal is submitted", 0)
    payload = {
        **common(site, view.user, "block_actions"),
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": site.exchange.trigger(view.user, view.id),
        "view": views.view_json(site, view),
        "actions": [action],
    }
    details = {"user": view.user, "view_id": view.id, "action_id": element["action_id"]}
    return await deliver(site, "interactive", payload, "pressed", **details)


async def command(site: Site, user: str, channel: Channel, name: str, text: str) -> Outcome:
    """Runs a slash command. An answer in the acknowledgement is shown; none in time is said to the person."""
    known = {c.name for c in site.config.commands}
    if known and name not in known:
        messages.post_as_slackbot(site, channel.id, user, f"`{name}` is not a valid command.")
        return Outcome(False, "not a valid command", 0)
    payload: JsonObject = {
        "token": "verification-token-is-not-used",
        "team_id": site.config.team_id,
        "team_domain": "workspace",
        "channel_id": channel.id,
        "channel_name": "directmessage" if channel.is_im else channel.name,
        "user_id": user,
        "user_name": site.workspace.people[user].name,
        "command": name,
        "text": text,
        "api_app_id": site.config.bot.app_id,
        "is_enterprise_install": "false",
        "response_url": site.exchange.response_url(user, channel.id),
        "trigger_id": site.exchange.trigger(user),
    }
    details = {"user": user, "channel": channel.id, "text": f"{name} {text}".strip()}
    outcome = await deliver(site, "slash_commands", payload, "command", **details)
    if not outcome.acked:
        says = f"{name} failed because the app did not respond (dispatch_failed: {outcome.says})."
        messages.post_as_slackbot(site, channel.id, user, says)
    elif isinstance(outcome.payload, dict) and (outcome.payload.get("text") or outcome.payload.get("blocks")):
        answer(site, user, channel, outcome.payload)
    return outcome


def answer(site: Site, user: str, channel: Channel, body: Mapping[str, Any], thread_ts: str | None = None) -> Message:
    """Shows what the app answered: to this person alone unless `response_type` is `in_channel`."""
    text, blocks = str(body.get("text") or ""), list(body.get("blocks") or [])
    if not text and not blocks:
        raise SlackError("no_text", status=400)
    site.check_message(text, blocks)
    only_for = None if body.get("response_type") == "in_channel" else user
    return messages.post_as_app(site, channel, text, blocks, only_for=only_for, thread_ts=thread_ts)


async def shortcut(site: Site, user: str, callback_id: str, message: Message | None) -> Outcome:
    """Uses a shortcut: of the message menu if a message is given, else a global one."""
    kind = "message_action" if message else "shortcut"
    payload = {
        **common(site, user, kind),
        "callback_id": callback_id,
        "trigger_id": site.exchange.trigger(user),
        "action_ts": site.workspace.next_ts(),
    }
    if message:
        channel = site.workspace.channels[message.channel]
        payload |= {
            "message_ts": message.ts,
            "message": messages.message_json(site.workspace, message),
            "channel": _channel_part(channel),
            "response_url": site.exchange.response_url(user, channel.id, message.ts, message.thread_ts),
        }
    return await deliver(site, "interactive", payload, "shortcut", user=user, callback_id=callback_id)


async def suggest(site: Site, user: str, blocks: list[JsonObject], given: Mapping[str, Any]) -> list[JsonObject]:
    """Asks the app for the options of an external select; an empty list if it does not answer."""
    block, element = find_element(blocks, str(given.get("action_id")), given.get("block_id"))
    payload = {
        **common(site, user, "block_suggestion"),
        "action_id": element["action_id"],
        "block_id": block["block_id"],
        "value": str(given.get("value") or ""),
    }
    outcome = await deliver(site, "interactive", payload, "suggestion", user=user, action_id=element["action_id"])
    body = outcome.payload if isinstance(outcome.payload, dict) else {}
    options = list(body.get("options") or [])
    return options + [o for g in body.get("option_groups") or [] for o in g.get("options", [])]
