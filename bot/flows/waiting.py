"""Whom an action waits for, by name: people of the chat's user groups know that it is them."""

from dataclasses import replace

from bot.domain.action import Action
from bot.domain.view import ActionView, BatchView, Shown
from bot.flows.desk import Desk

FEW = 8  # a larger group is named, its people are not rung one by one


async def by_name(view: ActionView, desk: Desk) -> ActionView:
    """The view with the people of small groups in place of the group; with a group's handle where it is large."""
    service, policies = desk.catalogue().get(view.action.service), desk.policies()
    people, groups = list(view.approvers), []
    for name in view.groups:
        group = await desk.channel.group(name)
        if group is None:
            groups.append(name)
            continue
        theirs = frozenset({group.id, group.handle})
        able = [p for p in group.people if policies.may_approve(p, view.action, service, theirs).allowed]
        if len(able) > FEW:
            groups.append(group.handle or name)
        else:
            people += able
    return replace(view, approvers=tuple(dict.fromkeys(people)), groups=tuple(groups))


def unrung(view: Shown) -> Shown:
    """The view as it is posted: a post rings whom it mentions, an edit does not. Only who asked and who may approve are rung.

    Whose lock stands in the way of a neighbour, or was overridden, is mentioned by the first edit.
    """
    if isinstance(view, ActionView):
        return replace(view, action=_unrung(view.action, view.approvers))
    if isinstance(view, BatchView):
        return replace(view, parts=tuple(_unrung(part, view.approvers) for part in view.parts))
    return view


def _unrung(action: Action, approvers: tuple[str, ...]) -> Action:
    if action.plan is None:
        return action
    concerned = (action.requested_by, *approvers)
    return replace(action, plan=replace(action.plan, named=tuple(p for p in action.plan.named if p in concerned)))
