"""A person's home page: what is theirs, what waits for them, what is open, what is being shipped."""

from bot.domain.action import Action
from bot.domain.incident import Incident
from bot.domain.view import HomeView
from bot.slack.blocks import words
from bot.slack.blocks.action import decisions
from bot.slack.blocks.card import action_line
from bot.slack.blocks.kit import VIEW_BLOCKS, Block, actions, chunks, context, divider, header, section
from bot.slack.text import clock, count, escape

MOST = 30  # incidents of one list
MOST_APPROVALS = 15  # each takes two blocks


def render_home(view: HomeView) -> Block:
    """The page for views.publish; the small print at its end always fits."""
    blocks = [
        *_incidents("Mine", view.mine, view, "Nothing of yours is open."),
        divider(),
        *_approvals(view),
        divider(),
        *_under_way(view),
        divider(),
        *_incidents("All open incidents", view.incidents, view, "Nothing is open. All quiet."),
    ]
    if view.automation:
        blocks = [section(escape(view.automation, 300)), divider(), *blocks]
    foot = context(f"As of {clock(view.as_of)} · ask me anything in a direct message")
    return {"type": "home", "blocks": [*blocks[: VIEW_BLOCKS - 1], foot]}


def _incidents(title: str, incidents: tuple[Incident, ...], view: HomeView, none: str) -> list[Block]:
    lines = [words.in_short(i, view.as_of) for i in incidents[:MOST]]
    if len(incidents) > MOST:
        lines.append(f"… and {len(incidents) - MOST} more: `/incident list`")
    return [header(title), *(chunks(lines) or [section(none)])]


def _approvals(view: HomeView) -> list[Block]:
    blocks: list[Block] = [header("Waiting for my approval")]
    for action in view.approvals[:MOST_APPROVALS]:
        blocks += [section(action_line(action, view.as_of), _why(action)), actions(*decisions(action))]
    left = len(view.approvals) - MOST_APPROVALS
    if left > 0:
        blocks.append(section(f"… and {count(left, 'more action')} in their channels"))
    return blocks if view.approvals else [*blocks, section("No action waits for you.")]


def _why(action: Action) -> str:
    risk = f"risk: {action.plan.risk.value}" if action.plan else ""
    return " · ".join(part for part in (risk, escape(action.reason, 200)) if part)


def _under_way(view: HomeView) -> list[Block]:
    lines = [action_line(a, view.as_of) for a in view.under_way[:MOST]]
    return [header("Deploys in progress"), *(chunks(lines) or [section("Nothing is being deployed.")])]
