"""What of the runbooks needs somebody, and a drafted runbook with its buttons."""

from collections.abc import Collection

from bot.domain.care import DraftState
from bot.domain.request import Deed
from bot.domain.view import CareRow, CareView, DraftView
from bot.slack.blocks.kit import Block, Message, actions, button, chunks, context, header, message, section
from bot.slack.text import allowed, bold, code, code_block, count, escape, link, who

LINES = 6
DRAFT = 8_400  # characters of a draft that are shown
PIECE = 2_700


def render_care(view: CareView, hosts: Collection[str]) -> Message:
    """One runbook or alert a paragraph, or the sentence for none."""
    body: list[Block] = [header(view.title)]
    body += chunks([_row(row, hosts) for row in view.rows]) or [section(escape(view.empty, 300))]
    left = view.count - len(view.rows)
    foot = [f"… and {left} more: `tocsin runbooks`"] if left > 0 else []
    foot += [escape(view.note, 900)] if view.note else []
    return message(f"{escape(view.title, 100)}: {view.count}", body, [context(*foot)] if foot else [])


def _row(row: CareRow, hosts: Collection[str]) -> str:
    named = link(row.link, row.title, hosts) if row.link else escape(row.title, 160)
    where = f" · {escape(row.path, 120)}" if row.path and not row.link else ""
    owner = f" · {escape(row.owner, 60)}" if row.owner else " · no owner"
    lines = [f"*{named.replace('*', '∗')}*{owner}{where}", *(f"• {escape(line, 300)}" for line in row.lines[:LINES])]
    return "\n".join(lines)


def render_draft(view: DraftView, hosts: Collection[str]) -> Message:
    """The draft as text that can be copied; while nobody decided it has its buttons."""
    draft = view.draft
    title = f"Draft of a runbook from {bold(view.key)}: {escape(draft.title, 160)}"
    by = f"Drafted by {escape(draft.engine, 80)}" if draft.engine != "rules" else "Filled in by rules from what is known"
    until = "It is no runbook until a person approves it. " if draft.state is DraftState.DRAFT else ""
    told = f"{escape(draft.note, 300)}" if draft.note else ""
    body = [section(title, f"{until}{by}, asked for by {who(draft.asked_by)}.", told)]
    body += [section(piece) for piece in _pieces(draft.text)]
    shown = f"{escape(view.key, 40)}: draft of a runbook"
    if draft.state is DraftState.DRAFT:
        offered = [button(Deed.DRAFT_APPROVE, draft.id, style="primary"), button(Deed.DRAFT_DISCARD, draft.id)]
        return message(shown, body, [actions(*offered), context(f"Approved it goes to {code(view.to)} as {code(draft.path)}")])
    return message(shown, body, [context(_decided(view, hosts))])


def _decided(view: DraftView, hosts: Collection[str]) -> str:
    draft = view.draft
    by = who(draft.decided_by)
    if draft.state is DraftState.DISCARDED:
        return f"{by} discarded it."
    if draft.state is DraftState.APPROVED:
        return f"{by} approved it; it is on its way to {code(view.to)}."
    named = link(draft.url, draft.where, hosts) if allowed(draft.url, hosts) else f"{code(draft.where)} {code(draft.url, 300)}"
    return f"{by} approved it: {named.strip()}"


def _pieces(text: str) -> list[str]:
    """The draft in blocks of code, none of them larger than Slack takes."""
    left = f"… {count(len(text) - DRAFT, 'character')} more" if len(text) > DRAFT else ""
    pieces: list[list[str]] = [[]]
    size = 0
    for line in [*text[:DRAFT].split("\n"), *([left] if left else [])]:
        weight = min(len(line), 400) + 4 * sum(line.count(c) for c in "&<>") + 1
        if size + weight > PIECE:
            pieces.append([])
            size = 0
        pieces[-1].append(line)
        size += weight
    return [code_block(piece, PIECE + 100) for piece in pieces if any(line.strip() for line in piece)]
