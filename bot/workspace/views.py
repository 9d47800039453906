"""Modals and Home tabs: how a view looks to the app, and the stack on a person's screen."""

import secrets
from typing import Any

from bot.workspace.errors import SlackError
from bot.workspace.messages import with_ids
from bot.workspace.site import Site
from bot.workspace.state import JsonObject, View

MOST_PUSHED = 3
_OPTIONAL: JsonObject = {
    "private_metadata": "",
    "callback_id": "",
    "external_id": "",
    "clear_on_close": False,
    "notify_on_close": False,
    "close": None,
    "submit": None,
}


def view_json(site: Site, view: View) -> JsonObject:
    """The view object of Slack's Web API and payloads."""
    config = site.config
    return {
        **_OPTIONAL,
        **view.body,
        "id": view.id,
        "team_id": config.team_id,
        "app_id": config.bot.app_id,
        "app_installed_team_id": config.team_id,
        "bot_id": config.bot.bot_id,
        "hash": view.hash,
        "root_view_id": view.root_id,
        "previous_view_id": view.previous_id,
        "state": {"values": state_values(view)},
    }


def state_values(view: View) -> dict[str, dict[str, JsonObject]]:
    """What the view's inputs hold: what the person chose, else what the view started with."""
    values: dict[str, dict[str, JsonObject]] = {}
    for block in view.blocks:
        for element in elements_of(block):
            if element.get("type") in STATEFUL:
                action = element["action_id"]
                chosen = view.values.get(block["block_id"], {}).get(action)
                values.setdefault(block["block_id"], {})[action] = chosen or initial_value(element)
    return values


# Each stateful element: the key its value has in state and actions, and the key that holds its initial value.
STATEFUL: dict[str, tuple[str, str]] = {
    "plain_text_input": ("value", "initial_value"),
    "number_input": ("value", "initial_value"),
    "email_text_input": ("value", "initial_value"),
    "url_text_input": ("value", "initial_value"),
    "rich_text_input": ("rich_text_value", "initial_value"),
    "static_select": ("selected_option", "initial_option"),
    "external_select": ("selected_option", "initial_option"),
    "users_select": ("selected_user", "initial_user"),
    "conversations_select": ("selected_conversation", "initial_conversation"),
    "channels_select": ("selected_channel", "initial_channel"),
    "multi_static_select": ("selected_options", "initial_options"),
    "multi_external_select": ("selected_options", "initial_options"),
    "multi_users_select": ("selected_users", "initial_users"),
    "multi_conversations_select": ("selected_conversations", "initial_conversations"),
    "multi_channels_select": ("selected_channels", "initial_channels"),
    "checkboxes": ("selected_options", "initial_options"),
    "radio_buttons": ("selected_option", "initial_option"),
    "datepicker": ("selected_date", "initial_date"),
    "timepicker": ("selected_time", "initial_time"),
    "datetimepicker": ("selected_date_time", "initial_date_time"),
}


def initial_value(element: JsonObject) -> JsonObject:
    key, initial = STATEFUL[element["type"]]
    empty: Any = [] if key.startswith("selected_") and key.endswith("s") and key != "selected_options" else None
    if element["type"] in ("checkboxes", "multi_static_select", "multi_external_select"):
        empty = []
    return {"type": element["type"], key: element.get(initial, empty)}


def elements_of(block: JsonObject) -> list[JsonObject]:
    """The interactive elements of a block, wherever they sit."""
    found = [block[key] for key in ("accessory", "element") if isinstance(block.get(key), dict)]
    if block.get("type") in ("actions", "context_actions"):
        found += [e for e in block.get("elements", []) if isinstance(e, dict)]
    if block.get("type") in ("card",):
        found += block.get("actions", [])
    return [e for e in found if e.get("action_id")]


def _new_hash(site: Site) -> str:
    return f"{int(site.workspace.clock().timestamp())}.{secrets.token_hex(4)}"


def new_view(site: Site, user: str, body: JsonObject, previous: View | None = None) -> View:
    """A view of this person with its ids given; the body must have been checked."""
    ident = site.workspace.next_id("V")
    return View(
        ident,
        user,
        {**body, "blocks": with_ids(body["blocks"])},
        _new_hash(site),
        previous.root_id if previous else ident,
        previous.id if previous else None,
    )


def open_modal(site: Site, user: str, body: JsonObject) -> View:
    view = new_view(site, user, body)
    site.workspace.modals[user] = [view]
    _tell(site, "modal_opened", view)
    return view


def push_modal(site: Site, user: str, body: JsonObject) -> View:
    stack = site.workspace.modals[user]
    if not stack:
        raise SlackError("not_found")
    if len(stack) >= MOST_PUSHED:
        raise SlackError("push_limit_reached")
    view = new_view(site, user, body, stack[-1])
    stack.append(view)
    _tell(site, "modal_pushed", view)
    return view


def replace(site: Site, view: View, body: JsonObject) -> None:
    """Another body for the same view; inputs with the same ids keep what the person typed."""
    view.body = {**body, "blocks": with_ids(body["blocks"], view.blocks)}
    view.hash = _new_hash(site)
    view.errors = {}
    _tell(site, "modal_updated" if body["type"] == "modal" else "home_published", view)


def publish_home(site: Site, user: str, body: JsonObject) -> View:
    view = site.workspace.homes.get(user)
    if view is None:
        view = site.workspace.homes[user] = new_view(site, user, body)
        _tell(site, "home_published", view)
    else:
        replace(site, view, body)
    return view


def close_modal(site: Site, view: View, everything: bool = False) -> None:
    """Takes one modal off the stack, or the whole stack."""
    stack = site.workspace.modals[view.user]
    if everything:
        stack.clear()
    elif view in stack:
        stack.remove(view)
    _tell(site, "modal_closed", view)


def _tell(site: Site, kind: str, view: View) -> None:
    title = (view.body.get("title") or {}).get("text")
    site.workspace.record(kind, user=view.user, view_id=view.id, title=title)
    notice = "home" if view.body["type"] == "home" else "modal"
    site.workspace.publish({"kind": notice, "only_for": view.user, "view_id": view.id})
