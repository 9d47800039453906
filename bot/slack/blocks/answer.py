"""An answer to a question: Markdown that Slack lays out, the evidence it cites, how it was made, two buttons."""

from collections.abc import Collection

from bot.domain.request import Deed
from bot.domain.view import AnswerView, Offered
from bot.slack.blocks.kit import Block, Message, actions, button, chunks, context, markdown, message
from bot.slack.blocks.suggestions import judged, link_another
from bot.slack.sanitise import sanitise
from bot.slack.text import bold, escape, link

ANSWER = 8000
PIECES = 12
OFFERED = 4


def render_answer(view: AnswerView, hosts: Collection[str]) -> Message:
    """The answer first, small print after it; the buttons only where the journal can remember the press."""
    body: list[Block] = [markdown(sanitise(view.markdown, hosts, ANSWER))]
    pieces = [f"[{escape(i, 12)}] {_piece(text, url, hosts)}" for i, text, url in view.evidence[:PIECES]]
    if len(view.evidence) > PIECES:
        pieces.append(f"and {len(view.evidence) - PIECES} more")
    body += [context(str(line)) for line in _grouped(pieces)]
    foot: list[Block] = []
    if view.interaction_id:
        foot += [_offered(n, one, view) for n, one in enumerate(view.offered[:OFFERED])]
        foot.append(opinions(view.interaction_id, link=bool(view.offered)))
    foot.append(context(f"Answered by {escape(view.engine, 100) or 'rules'}"))
    return message(escape(view.markdown, 1000), body, foot)


def opinions(interaction_id: str, *, link: bool = False) -> Block:
    """The two buttons that judge an answer; with `link` also the one that says which runbook it should have been."""
    more = [link_another(f"answer:{interaction_id}")] if link else []
    return actions(button(Deed.ANSWER_USEFUL, interaction_id), button(Deed.ANSWER_NOT_USEFUL, interaction_id), *more)


def _offered(place: int, one: Offered, view: AnswerView) -> Block:
    mark = "📘" if one.id.startswith("runbook:") else "🕘"
    tier = f" · {escape(one.tier, 40)}" if one.tier else ""
    return judged(place, f"answer:{view.interaction_id}", one.id, one.tier, f"{mark} {bold(one.title, 150)}{tier}")


def _piece(text: str, url: str, hosts: Collection[str]) -> str:
    shown = escape(text, 200)
    source = link(url, "source", hosts)
    return f"{shown} ({source})" if source.startswith("<") else shown


def _grouped(lines: list[str]) -> list[str]:
    made = []
    for block in chunks(lines, 1900):
        text = block["text"]
        if isinstance(text, dict):
            made.append(str(text["text"]))
    return made
