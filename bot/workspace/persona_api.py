"""The documented HTTP API under `/workspace`: everything a person can do on the page, for programs."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bot.workspace import interactions, messages, modals, webapi_marks
from bot.workspace.errors import PersonaError, SlackError
from bot.workspace.interactions import Outcome
from bot.workspace.site import Site
from bot.workspace.state import Channel, JsonObject, Message, View
from bot.workspace.typed import say

Action = Callable[["Ask"], Awaitable[JsonObject]]
MOST_BODY = 1_000_000


class Ask:
    """What a persona asks for: the fields of the JSON body (or the query), with the person who asks."""

    def __init__(self, site: Site, fields: JsonObject) -> None:
        self.site = site
        self.fields = fields

    def text(self, name: str, default: str | None = None) -> str:
        value = self.fields.get(name)
        if value in (None, "") and default is not None:
            return default
        if not isinstance(value, str) or not value:
            raise PersonaError(f"The field {name!r} is missing or not a text.")
        return value

    def objects(self, name: str) -> list[JsonObject]:
        value = self.fields.get(name) or []
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise PersonaError(f"The field {name!r} must be a list of objects.")
        return value

    @property
    def user(self) -> str:
        user = self.text("as")
        people = self.site.workspace.people
        if user not in people:
            raise PersonaError(f"There is no persona {user!r}. The personas are: {', '.join(people)}.", 404)
        return user

    @property
    def channel(self) -> Channel:
        ident = self.text("channel")
        user = self.user
        bot = self.site.config.bot.user_id
        channel = self.site.workspace.direct(user) if ident == bot else self.site.workspace.find_channel(ident)
        if channel is None or not channel.visible_to(user):
            there = ", ".join(c.id for c in self.site.workspace.channels.values() if c.visible_to(user))
            raise PersonaError(f"There is no channel {ident!r} for {user}. Its channels are: {there}.", 404)
        return channel

    @property
    def message(self) -> Message:
        channel = self.channel
        message = channel.messages.get(self.text("ts"))
        if message is None or not message.visible_to(self.user):
            raise PersonaError(f"There is no message {self.text('ts')} for {self.user} in {channel.id}.", 404)
        return message

    @property
    def view(self) -> View:
        view = self.site.workspace.view(self.text("view_id"))
        if view is None or view.user != self.user:
            raise PersonaError(f"{self.user} has no open view {self.text('view_id')!r}.", 404)
        return view


async def post(ask: Ask) -> JsonObject:
    channel = ask.channel
    thread_ts = ask.text("thread_ts", "") or None
    if thread_ts and thread_ts not in channel.messages:
        raise PersonaError(f"There is no message {thread_ts} in {channel.id} to answer to.", 404)
    text = ask.text("text")
    if len(text) > 12_000:
        raise PersonaError("A person's message may have 12000 characters.")
    message = say(ask.site.workspace, ask.user, channel.id, text, thread_ts)
    if thread_ts is None:
        ask.site.workspace.suggest(channel.id, None)
    messages.tell_posted(ask.site, message)
    return {"channel": channel.id, "ts": message.ts}


async def post_as_other(ask: Ask) -> JsonObject:
    """Another app posts, or with `ts` edits what it posted."""
    channel, app = ask.site.workspace.find_channel(ask.text("channel")), ask.text("app")
    if channel is None or channel.is_im:
        raise PersonaError(f"There is no channel {ask.text('channel')!r} for apps.", 404)
    blocks, attachments = ask.objects("blocks"), ask.objects("attachments")
    ts = ask.text("ts", "")
    if ts:
        message = channel.messages.get(ts)
        if message is None or message.other_app != app:
            raise PersonaError(f"{app} has no message {ts} in {channel.id}.", 404)
        messages.edit(ask.site, message, text=ask.text("text", ""), blocks=blocks, attachments=attachments)
        return {"channel": channel.id, "ts": ts}
    thread_ts = ask.text("thread_ts", "") or None
    posted = messages.post_as_other(
        ask.site, channel, app, ask.text("text", ""), blocks, attachments=attachments, thread_ts=thread_ts
    )
    return {"channel": channel.id, "ts": posted.ts}


async def react(ask: Ask) -> JsonObject:
    deed = webapi_marks.unreact if ask.fields.get("remove") else webapi_marks.react
    deed(ask.site, ask.message, ask.user, ask.text("name").strip(":"))
    return {}


async def press(ask: Ask) -> JsonObject:
    if ask.fields.get("view_id"):
        return outcome_json(await interactions.press_in_view(ask.site, ask.view, ask.fields))
    return outcome_json(await interactions.press(ask.site, ask.user, ask.message, ask.fields))


async def options(ask: Ask) -> JsonObject:
    blocks = ask.view.blocks if ask.fields.get("view_id") else ask.message.blocks
    return {"options": await interactions.suggest(ask.site, ask.user, blocks, ask.fields)}


async def command(ask: Ask) -> JsonObject:
    name = ask.text("command")
    if not name.startswith("/"):
        raise PersonaError(f"A command starts with a slash; {name!r} does not.")
    return outcome_json(await interactions.command(ask.site, ask.user, ask.channel, name, ask.text("text", "")))


async def shortcut(ask: Ask) -> JsonObject:
    message = ask.message if ask.fields.get("ts") else None
    return outcome_json(await interactions.shortcut(ask.site, ask.user, ask.text("callback_id"), message))


async def open_home(ask: Ask) -> JsonObject:
    """Opens the Home tab, or with `tab=messages` the direct message."""
    user = ask.user
    home = ask.site.workspace.homes.get(user)
    direct = ask.site.workspace.direct(user)
    event: JsonObject = {
        "type": "app_home_opened",
        "user": user,
        "channel": direct.id if direct else "",
        "tab": ask.text("tab", "home"),
        "event_ts": ask.site.workspace.next_ts(),
    }
    if home and event["tab"] == "home":
        event["view"] = {**home.body, "id": home.id, "hash": home.hash}
    ask.site.delivery.event(event)
    ask.site.workspace.record("home_opened", user=user, tab=event["tab"])
    return {}


async def submit(ask: Ask) -> JsonObject:
    values = ask.fields.get("values") or {}
    if not isinstance(values, dict) or not all(isinstance(v, dict) for v in values.values()):
        raise PersonaError("The field 'values' must be block_id -> action_id -> value.")
    view = ask.view
    outcome = await modals.submit(ask.site, view, values)
    return {**outcome_json(outcome), "errors": view.errors}


async def close(ask: Ask) -> JsonObject:
    return outcome_json(await modals.close(ask.site, ask.view, bool(ask.fields.get("all"))))


async def read(ask: Ask) -> JsonObject:
    """Everything in the channel counts as read."""
    channel = ask.channel
    shown = [m.ts for m in channel.messages.values()]
    channel.last_read[ask.user] = max(shown, default="0")
    return {}


def outcome_json(outcome: Outcome) -> JsonObject:
    return {"acked": outcome.acked, "status": outcome.says, "waited_ms": outcome.milliseconds}


ACTIONS: dict[str, Action] = {
    "messages": post,
    "apps/messages": post_as_other,
    "reactions": react,
    "actions": press,
    "options": options,
    "commands": command,
    "shortcuts": shortcut,
    "home": open_home,
    "modals/submit": submit,
    "modals/close": close,
    "read": read,
}


def endpoint(site: Site, action: Action) -> Callable[[Request], Awaitable[Response]]:
    """A JSON endpoint around an action: reads the body, answers `{"ok": true, ...}` or says why not."""

    async def answer(request: Request) -> Response:
        try:
            return JSONResponse({"ok": True, **await action(Ask(site, await body_of(request)))})
        except PersonaError as refusal:
            return JSONResponse({"ok": False, "error": str(refusal)}, refusal.status)
        except SlackError as refusal:
            return JSONResponse({"ok": False, "error": str(refusal)}, 400)

    return answer


async def body_of(request: Request) -> JsonObject:
    """The JSON body of a POST, the query of anything else."""
    if request.method != "POST":
        return dict(request.query_params)
    # A form could be sent by any web page; JSON needs a permission that we never give.
    if request.headers.get("content-type", "").partition(";")[0] != "application/json":
        raise PersonaError("Send JSON with the header Content-Type: application/json.", 415)
    if int(request.headers.get("content-length") or 0) > MOST_BODY:
        raise PersonaError("The body is too large.", 413)
    try:
        body: Any = json.loads(await request.body() or b"{}")
    except ValueError:
        raise PersonaError("The body is not valid JSON.") from None
    if not isinstance(body, dict):
        raise PersonaError("The body must be a JSON object.")
    return body


def routes(site: Site) -> list[Route]:
    return [Route(f"/workspace/{path}", endpoint(site, action), methods=["POST"]) for path, action in ACTIONS.items()]
