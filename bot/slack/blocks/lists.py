"""Incidents and what happened in them, in short: lists, digests, timelines, and what a late-comer needs to know."""

import re
from collections.abc import Sequence
from datetime import datetime

from bot.domain.change import Change
from bot.domain.incident import Entry, EntryKind
from bot.domain.view import CatchupView, DigestView, ListView, TimelineView
from bot.slack.blocks import words
from bot.slack.blocks.card import action_line, cause_line
from bot.slack.blocks.kit import Block, Message, chunks, context, header, message, section
from bot.slack.text import bold, clock, code, count, escape, named, plain, who

LATEST = 60
# Sentences of ours that name people: whom the pager or the rota named, and who was reached.
_CALLED = re.compile(r"on call: |.*: [UW][A-Z0-9]{2,20} is called\Z|.* was called in the thread \(")
_ID = re.compile(r"\b[UW](?=[A-Z]*[0-9])[A-Z0-9]{2,20}\b")
_PINNED = re.compile(r"pinned: @([UW][A-Z0-9]{2,20}) said ")


def render_list(view: ListView) -> Message:
    """One incident a paragraph, or the sentence for none."""
    body: list[Block] = [header(view.title)]
    body += chunks([words.in_short(i, view.as_of) for i in view.incidents]) or [section(escape(view.empty, 300))]
    told = f"{plain(view.title, 150)}: {count(len(view.incidents), 'incident')}"
    return message(escape(told), body, [context(clock(view.as_of))])


def render_digest(view: DigestView) -> Message:
    """The day in a few lines, then what is still open."""
    body: list[Block] = [header(view.title)]
    body += chunks([f"• {escape(line, 400)}" for line in view.lines])
    if view.open_incidents:
        body.append(section(bold(f"Still open ({len(view.open_incidents)})")))
        body += chunks([words.in_short(i, view.as_of) for i in view.open_incidents])
    return message(escape(view.title), body, [context(clock(view.as_of))])


def render_timeline(view: TimelineView) -> Message:
    """Oldest first; of a very long one the latest lines."""
    near = view.entries[-1].at if view.entries else view.incident.updated_at
    body: list[Block] = [section(f"*Timeline* of {words.headline(view.incident, near)}")]
    body += _entries(view.entries, near) or [section("Nothing is written down yet.")]
    return message(f"Timeline of {view.incident.key}", body)


def render_catchup(view: CatchupView) -> Message:
    """State, cause, what is being done, what was shipped, what happened last: in that order."""
    shown = view.view
    incident, near = shown.incident, shown.as_of
    lines = [words.headline(incident, near), escape(incident.title, 300), cause_line(incident, shown.diagnosis, near)]
    if shown.action is not None:
        lines.append(action_line(shown.action, near))
    if shown.diagnosis is not None and incident.live and shown.diagnosis.next_step:
        lines.append(f"*Next:* {escape(shown.diagnosis.next_step, 300)}")
    body: list[Block] = [section(*lines)]
    if view.changes:
        body += chunks(["*Shipped around it*", *(_change(c, near) for c in view.changes[-15:])])
    if view.entries:
        body += [section("*What happened*"), *_entries(view.entries[-20:], near)]
    return message(f"Catch-up on {incident.key}: {escape(incident.title)}", body, [context("Only you see this.")])


def _entries(entries: Sequence[Entry], near: datetime) -> list[Block]:
    left_out = len(entries) - LATEST
    first = [f"… {count(left_out, 'earlier entry', 'earlier entries')}"] if left_out > 0 else []
    return chunks([*first, *(_entry(e, near) for e in entries[-LATEST:])])


def _entry(entry: Entry, near: datetime) -> str:
    by = "" if entry.by in ("", "tocsin") else f" ({who(entry.by)})"
    pinned = _PINNED.match(entry.text)
    if pinned is not None:
        return f"{clock(entry.at, near)}  📌 {who(pinned[1])}: {escape(entry.text[pinned.end() :], 300)}{by}"
    ids = _ID.findall(entry.text) if entry.kind is EntryKind.NOTE and entry.by == "tocsin" and _CALLED.match(entry.text) else ()
    return f"{clock(entry.at, near)}  {named(escape(entry.text, 300), ids)}{by}"


def _change(change: Change, near: datetime) -> str:
    where = ", ".join(escape(s, 60) for s in change.services[:3]) or escape(change.repository, 80)
    commit = f" ({code(change.commit[:7])})" if change.commit else ""
    author = f" by {escape(change.author, 60)}" if change.author else ""
    what = f"{where} {escape(change.version, 40)}".strip()
    checks = f", {escape(change.failing_checks, 200)}" if change.failing_checks else ""
    return f'• {clock(change.at, near)}  {change.kind.value} {what}, "{escape(change.title, 120)}"{commit}{author}{checks}'
