"""A person's modal: submitted, refused with errors, replaced, pushed, closed."""

from collections.abc import Mapping
from typing import Any

from bot.workspace import views
from bot.workspace.interactions import Outcome, chosen_value, common, deliver, find_element
from bot.workspace.site import Site
from bot.workspace.state import View


async def submit(site: Site, view: View, values: Mapping[str, Mapping[str, Any]]) -> Outcome:
    """Submits a modal. `values` is block_id -> action_id -> value; what is left out keeps what it holds."""
    _fill(view, values)
    view.errors = _missing(view)
    if view.errors:
        site.workspace.publish({"kind": "modal", "only_for": view.user, "view_id": view.id})
        return Outcome(False, "required fields are empty: " + ", ".join(view.errors), 0)
    payload = {
        **common(site, view.user, "view_submission"),
        "trigger_id": site.exchange.trigger(view.user, view.id),
        "view": views.view_json(site, view),
        "response_urls": [],
    }
    outcome = await deliver(site, "interactive", payload, "submitted", user=view.user, view_id=view.id)
    if outcome.acked:
        _obey(site, view, outcome.payload if isinstance(outcome.payload, dict) else {})
    else:
        view.errors = {"": "We had some trouble connecting. Try again?"}
        site.workspace.publish({"kind": "modal", "only_for": view.user, "view_id": view.id})
    return outcome


def _fill(view: View, values: Mapping[str, Mapping[str, Any]]) -> None:
    for block_id, actions in values.items():
        for action_id, value in actions.items():
            block, element = find_element(view.blocks, action_id, block_id)
            view.values.setdefault(block["block_id"], {})[action_id] = chosen_value(element, value)


def _missing(view: View) -> dict[str, str]:
    state = views.state_values(view)
    errors = {}
    for block in view.blocks:
        if block["type"] != "input" or block.get("optional"):
            continue
        held = list(state.get(block["block_id"], {}).values())
        if held and not any(v for key, v in held[0].items() if key != "type"):
            errors[block["block_id"]] = "Please complete this required field."
    return errors


def _obey(site: Site, view: View, answer: Mapping[str, Any]) -> None:
    """Does what the app's answer to a submission says: errors, update, push, clear, or (empty) close."""
    what = answer.get("response_action")
    if what == "errors":
        view.errors = {str(k): str(v) for k, v in (answer.get("errors") or {}).items()}
        site.workspace.record("modal_errors", user=view.user, view_id=view.id, errors=view.errors)
        site.workspace.publish({"kind": "modal", "only_for": view.user, "view_id": view.id})
    elif what in ("update", "push"):
        body = answer.get("view")
        site.check_view(body)
        if what == "update":
            views.replace(site, view, dict(body or {}))
        else:
            views.push_modal(site, view.user, dict(body or {}))
    else:
        views.close_modal(site, view, everything=what == "clear")


async def close(site: Site, view: View, everything: bool = False) -> Outcome:
    """Closes a modal; the app hears of it if the view asked for that."""
    views.close_modal(site, view, everything or bool(view.body.get("clear_on_close")))
    if not view.body.get("notify_on_close"):
        return Outcome(True, "closed", 0)
    payload = {
        **common(site, view.user, "view_closed"),
        "view": views.view_json(site, view),
        "is_cleared": everything,
    }
    return await deliver(site, "interactive", payload, "closed", user=view.user, view_id=view.id)
