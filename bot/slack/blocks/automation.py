"""The typed steps of runbooks on an incident's card: what each would do, from which page, how far the bot may go and why not."""

from collections.abc import Collection

from bot.domain.action import ActionKind
from bot.domain.automation import ORDER, Degree, Offer
from bot.domain.request import Deed
from bot.domain.suggestion import reference
from bot.domain.view import IncidentView
from bot.slack.blocks.kit import Block, Confirm, actions, button, section
from bot.slack.text import escape, link, plain

SHOWN = 2  # steps of one card
REASONS = 3  # of one degree that is missing
WORDS = {
    Degree.SUGGEST: "suggested: whoever presses gets a plan, which others approve",
    Degree.ONE_CLICK: "one click: the plan is in the thread, one press of somebody who may approve starts it",
    Degree.AUTOMATIC: "automatic: Tocsin starts it by itself",
}
SOON = {
    Degree.ONE_CLICK: "one click: Tocsin makes the plan beforehand",
    Degree.AUTOMATIC: WORDS[Degree.AUTOMATIC],
}


def steps(view: IncidentView, hosts: Collection[str]) -> list[Block]:
    """Two blocks for each step that fits; what does not fit on a card is in `/incident show` no more than here."""
    if not view.incident.live:
        return []
    return [block for offer in view.steps[:SHOWN] for block in _step(offer, view.incident.id, hosts)]


def _step(offer: Offer, incident: str, hosts: Collection[str]) -> list[Block]:
    page = link(offer.step.link, offer.step.title, hosts)
    first = f"*Runbook step:* {escape(offer.deed, 200)} · {page} · {escape(offer.tier, 40)}"
    waits = offer.ruled.degree is not Degree.SUGGEST and not offer.plan
    state = SOON[offer.ruled.degree] if waits else WORDS[offer.ruled.degree]
    return [section(first, state, *_why_not(offer)), actions(_button(offer, incident))]


def _why_not(offer: Offer) -> list[str]:
    """Why each degree between what holds and what policies.yaml wants is denied; those with the same reasons in one line."""
    asked = ORDER[ORDER.index(offer.ruled.degree) + 1 : ORDER.index(offer.ruled.wanted) + 1]
    denied: dict[tuple[str, ...], list[str]] = {}
    for degree in reversed(asked):
        denied.setdefault(tuple(offer.ruled.why_not(degree)), []).append(degree.value)
    lines = []
    for reasons, degrees in denied.items():
        more = f" and {len(reasons) - REASONS} more" if len(reasons) > REASONS else ""
        lines.append(f"Not {', not '.join(degrees)}: {escape('; '.join(reasons[:REASONS]), 400)}{more}")
    return lines


def _button(offer: Offer, incident: str) -> Block:
    carried = f"{incident}:{reference(offer.step.id)}"
    name = plain(f"{offer.deed} ({offer.environment})", 160)
    if offer.plan and offer.ruled.degree is not Degree.SUGGEST:
        text = f"{name[:1].upper()}{name[1:]}. This press asks for it and approves it; it starts at once, as its plan says."
        return button(Deed.STEP_RUN, carried, style="danger", confirm=Confirm("Start it?", text, "Start it"))
    verb = "a rollback" if offer.step.kind is ActionKind.ROLLBACK else "a deploy"
    text = f"Tocsin asks what runs now, makes the plan of {verb} ({name}) and asks for the approvals that the policy wants."
    return button(Deed.STEP_PROPOSE, carried, confirm=Confirm("Prepare it?", text, "Prepare it"))
