"""The small messages: a line to people, a pointer to a card elsewhere, runbooks found, the question what it really was."""

from collections.abc import Collection

from bot.domain.document import Found
from bot.domain.request import Deed
from bot.domain.view import ConfirmView, NoteView, PointerView, RunbookView
from bot.slack.blocks import words
from bot.slack.blocks.answer import opinions
from bot.slack.blocks.card import cause_line
from bot.slack.blocks.kit import Block, Message, actions, button, context, message, section
from bot.slack.blocks.suggestions import judged
from bot.slack.text import bold, count, escape, link, named, trusted_link, who


def render_note(view: NoteView) -> Message:
    """Plain words; the people addressed are the only mentions."""
    to = " ".join(shown for m in view.mention[:10] if (shown := who(m)))
    lines = [named(escape(line, 900), view.named) for line in view.text.splitlines()[:40]]
    told = " ".join(x for x in (to, named(escape(view.text, 900), view.named)) if x)
    return message(told, [section(to, *lines)])


def render_pointer(view: PointerView) -> Message:
    """Where the card is, and why this channel is told."""
    incident = view.incident
    name = trusted_link(view.permalink, incident.key) if view.permalink else bold(incident.key)
    if name == incident.key:
        name = bold(incident.key)
    where = (
        f" in <#{view.card.channel}>"
        if view.card.channel.isascii() and view.card.channel.isalnum() and len(view.card.channel) < 30
        else ""
    )
    state = f"{incident.severity.value} · {incident.status.value}"
    first = f"{words.mark(incident)} {name} · {bold(incident.service, 80)} · {state}: {escape(incident.title, 200)}"
    told = f"{incident.key} · {state}: {incident.title}"
    return message(escape(told), [section(first), context(f"The card is{where or ' elsewhere'} · {escape(view.why, 300)}")])


def render_runbooks(view: RunbookView, hosts: Collection[str]) -> Message:
    """What was found, the best first, with how it was found."""
    body: list[Block] = [section(f"Runbooks for “{escape(view.question, 200)}”")]
    about = f"answer:{view.interaction_id}" if view.interaction_id else ""
    body += [judged(n, about, f.document.id, f.tier.value, _found(f, hosts)) for n, f in enumerate(view.found[:8])]
    if not view.found and not view.note:
        body.append(section("Nothing fits. Try other words, or the name of the service or the alert."))
    foot = [opinions(view.interaction_id, link=True)] if view.interaction_id else []
    foot += [context(escape(view.note, 300))] if view.note else []
    return message(f"{count(len(view.found), 'runbook')} found", body, foot)


def _found(found: Found, hosts: Collection[str]) -> str:
    document = found.document
    title = f"{document.title} › {found.section}" if found.section else document.title
    where = f" · {escape(found.place, 160)}" if found.place else ""
    steps = "".join(f"\n• {escape(step, 250)}" for step in found.steps_beyond(found.passage[:400]))
    return (
        f"*{link(found.link, title, hosts).replace('*', '∗')}* ({found.tier.value}{where})\n{escape(found.passage, 400)}{steps}"
    )


def render_confirm(view: ConfirmView) -> Message:
    """Asks once it is over; the buttons give way to the answer as soon as there is one."""
    incident = view.incident
    near = incident.resolved_at or incident.updated_at
    to = "" if view.quiet else words.people(incident.on_call, "")
    cause = cause_line(incident, view.diagnosis, near)
    head = f"{words.mark(incident)} {bold(incident.key)} is {incident.status.value}."
    if incident.confirmed_cause:
        drafted = [context("No runbook is there for this."), actions(button(Deed.DRAFT_RUNBOOK, incident.id))]
        return message(f"{incident.key}: cause confirmed", [section(head, cause)], drafted if view.may_draft else [])
    ask = f"{to + ': ' if to else ''}what was the actual cause? Your answer is what the next incident is compared with."
    offered = [button(Deed.CAUSE_OTHER, incident.id)]
    if "not known" not in cause:
        offered.insert(0, button(Deed.CAUSE_CONFIRM, incident.id, style="primary"))
    return message(f"{incident.key}: what was the actual cause?", [section(head, cause, ask)], [actions(*offered)])
