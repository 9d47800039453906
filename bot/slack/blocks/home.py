"""A person's home page: what is open, and what waits for an approval."""

from bot.domain.view import HomeView
from bot.slack.blocks import words
from bot.slack.blocks.card import action_line
from bot.slack.blocks.kit import VIEW_BLOCKS, Block, chunks, context, divider, header, section
from bot.slack.text import clock


def render_home(view: HomeView) -> Block:
    """The page for views.publish."""
    blocks: list[Block] = [header("Open incidents")]
    blocks += chunks([words.in_short(i, view.as_of) for i in view.incidents[:30]]) or [section("Nothing is open.")]
    blocks += [divider(), header("Waiting for approval")]
    waiting = [action_line(a, view.as_of) for a in view.approvals[:30]]
    blocks += chunks(waiting) or [section("No action waits for anybody.")]
    blocks.append(context(f"As of {clock(view.as_of)} · ask me anything in a direct message"))
    return {"type": "home", "blocks": blocks[:VIEW_BLOCKS]}
