"""What a model made of an incident's evidence: its choice, the claims that were checked, what they rest on, what it cost."""

from collections.abc import Collection

from bot.domain.evidence import Stance, Thought
from bot.domain.view import ThoughtView
from bot.slack.blocks import words
from bot.slack.blocks.answer import opinions
from bot.slack.blocks.kit import Block, Message, chunks, context, message, section
from bot.slack.text import bold, count, escape, link

PIECES = 12
SAYS = {
    Stance.AGREES: "agrees with the rules",
    Stance.DIFFERS: "sees it differently; the verdict of the rules stands",
    Stance.OVERTURNS: "contradicts the rules with measurements; nothing is convicted any more",
    Stance.UNSURE: "is not convinced; the verdict of the rules stands",
}


def render_thought(view: ThoughtView, hosts: Collection[str]) -> Message:
    """One message; after a failure it says only that the rules stand alone."""
    thought = view.thought
    if thought.failure:
        said = f"{bold(view.key)} · rules only: {escape(thought.failure, 300)}"
        return message(escape(f"{view.key}: rules only", 400), [section(said)])
    head = f"{bold(view.key)} · {escape(thought.model, 80)} {SAYS[thought.stance]}: {bold(thought.named, 120)}"
    body: list[Block] = [section(head, *([escape(thought.reason, 600)] if thought.reason else []))]
    body += chunks([f"• {escape(c.text, 600)}{words.cites(c.cites, c.text)}" for c in thought.claims])
    pieces = [f"[{escape(e.id, 12)}] {escape(e.text, 160)} ({link(e.link, e.source, hosts)})" for e in thought.evidence[:PIECES]]
    if pieces:
        body.append(context(*pieces))
    foot: list[Block] = [opinions(thought.interaction_id)] if thought.interaction_id else []
    foot.append(context(_small_print(thought)))
    told = f"{view.key}: {thought.model} {thought.stance.value}: {thought.named}"
    return message(escape(told, 400), body, foot)


def _small_print(thought: Thought) -> str:
    dropped = f"{count(thought.dropped, 'claim')} without support dropped"
    cost = f"${thought.cost:.4f}" if thought.cost_known else "price not known"
    tokens = f"{thought.tokens_in + thought.tokens_out} tokens"
    return f"By the model {escape(thought.model, 80)}, checked against the evidence · {dropped} · {tokens} · {cost}"
