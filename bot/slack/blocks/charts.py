"""Charts in a thread: the title is drawn, and words say the same to those who cannot see it."""

import re

from bot.domain.chart import Drawn
from bot.domain.view import ChartsView
from bot.slack.blocks.kit import FALLBACK, Block, Message
from bot.slack.text import JOINER, escape, plain

MOST = 5  # pictures in one message
LONGEST_ALT, LONGEST_TITLE = 2000, 300
_TOKEN = re.compile(r"<(?=[!@#])")  # plain text rings nobody; whoever copies it shall not either


def render_charts(view: ChartsView) -> Message:
    """One image a picture; the plain words of the message are what the pictures say."""
    shown = view.charts[:MOST]
    blocks = [picture(drawn) for drawn in shown]
    said = [f"{escape(drawn.title, LONGEST_TITLE)}: {escape(drawn.alt, FALLBACK // MOST)}" for drawn in shown]
    return Message("\n".join([f"Pictures of {escape(view.about)}", *said])[:FALLBACK], tuple(blocks))


def picture(drawn: Drawn) -> Block:
    """One picture, with words for those who cannot see it."""
    alt = plain(_TOKEN.sub("<" + JOINER, f"{drawn.title}. {drawn.alt}"), LONGEST_ALT)
    return {"type": "image", "slack_file": {"id": drawn.id}, "alt_text": alt}
