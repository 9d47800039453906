"""Did it help? What was measured before and after, as a table that a phone shows unbroken, and what became of the alerts."""

from collections.abc import Sequence

from bot.actions.effect import figures, label, shown, told_of_alerts
from bot.domain.action import Action, ActionStatus
from bot.domain.verification import Judgement, Measured
from bot.slack.blocks.kit import Block, section
from bot.slack.text import code_block, escape, plain

ROWS = 5
NAME, FIGURE = 17, 8  # characters of a column
LINE = 36  # characters that a phone shows of a line in a code block; a longer name than a column has one of its own
SIGNS = {Judgement.BETTER: "🟢", Judgement.NO_CHANGE: "⚪", Judgement.WORSE: "🔴", Judgement.UNKNOWN: "❔"}
MARKS = {Judgement.BETTER: "+", Judgement.WORSE: "!", Judgement.NO_CHANGE: "=", Judgement.UNKNOWN: " "}


def verification_blocks(action: Action) -> list[Block]:
    """Nothing until something is known; while it is watched, what is known so far."""
    seen, head = action.verification, verdict(action)
    if seen is None or not head:
        return []
    rows = shown(seen.measured)[:ROWS]
    alerts = escape(told_of_alerts(seen, action), 200)
    if not rows:
        why = escape(seen.doubt or "too little was measured since", 200)
        return [section(head, f"By its alerts alone ({why}): {alerts}.")]
    doubt = f"⚠️ {escape(seen.doubt, 200)}" if seen.doubt else ""
    return [section(head, code_block(_table(rows, action.service)), f"Alerts: {alerts}.", doubt)]


def verdict(action: Action) -> str:
    """In one line: "*Did it help?* 🟢 better"; "" while nothing is known."""
    seen = action.verification
    watching = action.status is ActionStatus.VERIFYING
    if seen is None or action.status is ActionStatus.UNCERTAIN or (watching and not shown(seen.measured)):
        return ""
    return f"*Did it help?* {SIGNS[seen.judgement]} {seen.judgement.value}{' so far' if watching else ''}"


def _table(rows: Sequence[Measured], service: str) -> list[str]:
    """One line a metric, those of other services below the service's name; "+" is better, "!" worse, "=" the same."""
    lines = [f"{'':{NAME}} {'before':>{FIGURE}} {'after':>{FIGURE}}"]
    for whose in dict.fromkeys(("", *(m.service for m in rows if m.service != service))):
        lines += [f"of {plain(whose, NAME + 2 * FIGURE - 3)}"] if whose else []
        lines += [line for m in rows if (m.service if m.service != service else "") == whose for line in _row(m)]
    return lines


def _row(measured: Measured) -> list[str]:
    was, now = (f"{plain(text, FIGURE):>{FIGURE}}" for text in figures(measured))
    name = plain(label(measured), LINE)
    values = f"{was} {now} {MARKS[measured.judgement]}"
    return [name, f"{'':{NAME}} {values}"] if len(name) > NAME else [f"{name:{NAME}} {values}"]
