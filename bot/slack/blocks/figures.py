"""Figures in parts, each with a heading; pictures below, and in small print what the figures leave out."""

from bot.domain.view import FiguresView
from bot.slack.blocks.charts import picture
from bot.slack.blocks.kit import Block, Message, chunks, context, header, message, section
from bot.slack.text import bold, clock, escape

LINE, NOTE = 400, 300


def render_figures(view: FiguresView) -> Message:
    """The first part's lines are the fallback too, so that a notification and a screen reader say the figures."""
    body: list[Block] = [header(view.title)]
    for name, lines in view.parts:
        body.append(section(bold(name)))
        body += chunks([f"• {escape(line, LINE)}" for line in lines])
    body += [picture(drawn) for drawn in view.charts]
    notes = [context(escape(note, NOTE)) for note in view.notes[:8]]
    told = [escape(line, LINE) for line in (view.parts[0][1] if view.parts else ())]
    return message("\n".join([escape(view.title), *told]), body, [*notes, context(clock(view.as_of))])
