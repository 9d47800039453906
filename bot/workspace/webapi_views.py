"""Web API: views.*"""

from bot.workspace import views
from bot.workspace.errors import SlackError
from bot.workspace.exchange import Trigger
from bot.workspace.state import JsonObject, View
from bot.workspace.webapi import Call, Handler


def _body(call: Call, kind: str) -> JsonObject:
    view = call.structured("view", "invalid_arguments")
    if view is None:
        raise SlackError("invalid_arguments", ["[ERROR] missing required field: view"])
    call.site.check_view(view)
    if view["type"] != kind:
        raise SlackError("invalid_arguments", [f"[ERROR] must be a {kind} view [json-pointer:/view/type]"])
    body: JsonObject = view
    external = body.get("external_id")
    if external and _by_external_id(call, external) is not None and call.method != "views.update":
        raise SlackError("duplicate_external_id")
    return body


def _by_external_id(call: Call, external: str) -> View | None:
    stacks = call.site.workspace.modals.values()
    return next((v for stack in stacks for v in stack if v.body.get("external_id") == external), None)


def _trigger(call: Call) -> Trigger:
    return call.site.exchange.redeem(call.text("trigger_id", call.text("interactivity_pointer", "")))


async def open_(call: Call) -> JsonObject:
    body = _body(call, "modal")
    view = views.open_modal(call.site, _trigger(call).user, body)
    return {"view": views.view_json(call.site, view)}


async def push(call: Call) -> JsonObject:
    body = _body(call, "modal")
    view = views.push_modal(call.site, _trigger(call).user, body)
    return {"view": views.view_json(call.site, view)}


async def update(call: Call) -> JsonObject:
    body = _body(call, "modal")
    external = call.text("external_id", "")
    view = _by_external_id(call, external) if external else call.site.workspace.view(call.text("view_id"))
    if view is None:
        raise SlackError("not_found")
    if call.text("hash", view.hash) != view.hash:
        raise SlackError("hash_conflict")
    views.replace(call.site, view, body)
    return {"view": views.view_json(call.site, view)}


async def publish(call: Call) -> JsonObject:
    user = call.text("user_id")
    if user not in call.site.workspace.people:
        raise SlackError("invalid_arguments", ["[ERROR] user_id is not a user of this workspace"])
    body = _body(call, "home")
    old = call.site.workspace.homes.get(user)
    if old is not None and call.text("hash", old.hash) != old.hash:
        raise SlackError("hash_conflict")
    return {"view": views.view_json(call.site, views.publish_home(call.site, user, body))}


METHODS: dict[str, Handler] = {
    "views.open": open_,
    "views.push": push,
    "views.update": update,
    "views.publish": publish,
}
