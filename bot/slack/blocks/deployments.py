"""What runs where, and what was shipped: a page of it, with who, what, when, how it ended, and for how long."""

from collections.abc import Collection
from datetime import datetime

from bot.domain.action import Action, ActionStatus
from bot.domain.change import Change
from bot.domain.deployments import HistoryView, Past, Running, StatusView
from bot.domain.request import Deed
from bot.slack.blocks import words
from bot.slack.blocks.kit import Block, Message, actions, button, chunks, context, header, message, section
from bot.slack.text import bold, clock, code, count, escape, link, named, plain, span, trusted_link, who


def render_status(view: StatusView) -> Message:
    """Versions first, then what stands in the way, what is under way, what is hurt."""
    title = f"Deployments of {view.service}" if view.service else "Deployments"
    body: list[Block] = [header(plain(title, 150))]
    lines = [_running(r, view.as_of) for r in view.running]
    if view.more:
        lines.append(f"… and {view.more} more: `/deploy status &lt;service&gt;`")
    body += chunks(lines) or [section("No service of services.yaml has a deployer.")]
    body += chunks([f"🔒 {named(escape(line, 400), view.named)}" for line in view.held])
    body += chunks([_under_way(action, address, view.as_of) for action, address in view.under_way])
    body += chunks([words.in_short(i, view.as_of) for i in view.incidents])
    if not (view.held or view.under_way or view.incidents):
        body.append(section("Nothing is locked, frozen or under way, and no incident is open there."))
    asked = f"asked {clock(view.as_of)} · {code(f'/deploy history {view.service}'.strip())} shows what was"
    return message(escape(title), body, [context(asked)])


def _running(found: Running, near: datetime) -> str:
    where = f"{bold(found.service, 80)} {escape(found.environment, 60)}"
    if found.trouble:
        return f"• {where}: unknown, {escape(found.trouble, 200)}"
    commit = f" ({code(found.commit[:7])})" if found.commit else ""
    since = f" since {clock(found.since, near)}" if found.since else ""
    return f"• {where}: {bold(found.version, 60) or 'nothing'}{commit}{since}"


def _under_way(action: Action, address: str, near: datetime) -> str:
    what = f"{action.kind.value} of {plain(action.service, 80)} to {plain(action.target, 60)}"
    shown = trusted_link(address, what) if address else escape(what)
    asked = f"asked by {who(action.requested_by)} at {clock(action.created_at, near)}"
    return f"{words.STATES[action.status]}  {shown} ({escape(action.environment, 60)}), {asked}"


def render_history(view: HistoryView, hosts: Collection[str]) -> Message:
    """Newest first; the pages beside it are a press away."""
    body: list[Block] = [header(plain(view.title, 150))]
    body += chunks([_past(row, view.as_of, hosts) for row in view.rows]) or [
        section("Nothing was shipped then, as far as is known.")
    ]
    pages = [button(Deed.HISTORY_NEWER, view.newer)] if view.newer else []
    pages += [button(Deed.HISTORY_OLDER, view.older)] if view.older else []
    last = view.first + len(view.rows) - 1
    of = f"{view.first} to {last} of {view.count}{' or more' if view.cut else ''} · " if view.rows else ""
    foot = [*([actions(*pages)] if pages else []), context(f"{of}as of {clock(view.as_of)}")]
    return message(escape(f"{view.title}: {count(view.count, 'entry', 'entries')}"), body, foot)


def _past(row: Past, near: datetime, hosts: Collection[str]) -> str:
    if row.action is not None:
        return _action(row.action, row.link, near, hosts)
    return _change(row.change, near, hosts) if row.change is not None else ""


def _action(action: Action, address: str, near: datetime, hosts: Collection[str]) -> str:
    before = f"{plain(action.plan.current_version, 60)} → " if action.plan and action.plan.current_version else ""
    what = f"{action.kind.value} of {plain(action.service, 80)} {before}{plain(action.target, 60)}"
    shown = trusted_link(address, what) if address else escape(what)
    state = words.STATES[action.status].split(":", 1)[0]
    yes = [words.decider(d) for d in action.decisions if d.approved]
    approved = f", approved by {', '.join(dict.fromkeys(yes[:3]))}" if yes else ""
    no = [words.decider(d) for d in action.decisions if not d.approved]
    rejected = f", rejected by {no[-1]}" if no else ""
    run = f" · run {link(action.link, action.run or 'page', hosts, 60)}" if action.link else ""
    told = f"asked by {who(action.requested_by)}{approved}{rejected}{_took(action)}{run}"
    return f"{clock(action.created_at, near)}  {state}  {shown} ({escape(action.environment, 60)})\n      {told}"


def _took(action: Action) -> str:
    began = action.since(ActionStatus.EXECUTING)
    ended = action.since(ActionStatus.VERIFYING) or (action.since(action.status) if action.ended else None)
    return f" · ran {span(ended - began)}" if began is not None and ended is not None else ""


def _change(change: Change, near: datetime, hosts: Collection[str]) -> str:
    where = ", ".join(plain(s, 60) for s in change.services[:3]) or plain(change.repository, 80)
    what = f"{change.kind.value} of {where} {plain(change.version, 40)}".strip()
    shown = link(change.url, what, hosts) if change.url else escape(what)
    author = f" by {escape(change.author, 60)}" if change.author else ""
    place = f" ({escape(change.environment, 60)})" if change.environment else ""
    title = f'"{escape(change.title, 120)}", ' if change.title else ""
    seen = f"{title}seen from {escape(change.connector, 40)}{author}"
    return f"{clock(change.at, near)}  {change.status.value}  {shown}{place}\n      {seen}"
