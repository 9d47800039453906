"""The table of many seeds: how often the cause was first, beside blaming the newest deploy before the alert."""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.demo.director import Performance


@dataclass(frozen=True, slots=True)
class Row:
    """One seed. `said` and `truth` are commits; `right` and `newest_right` say who named the cause first."""

    seed: int
    label: str
    verdict: str
    said: str
    truth: str
    right: bool
    newest_right: bool


def blames_newest(performance: Performance) -> bool:
    """Whether the newest deploy before the first alert is the guilty change."""
    first = performance.first_alert
    shipped = [one for one in performance.shipped if one.deployed_at and (first is None or one.deployed_at <= first)]
    if not shipped or performance.story.guilty is None:
        return False
    newest = max(shipped, key=lambda one: one.deployed_at or performance.began)
    return newest.change is performance.story.guilty


def table_text(rows: Sequence[Row]) -> str:
    """The table as text, with its sums in the last lines."""
    lines = [f"{'seed':>4}  {'what was wrong':32} {'verdict':13} {'first named':12} {'cause first':12} newest deploy"]
    for row in rows:
        named = row.said[:7] or "-"
        lines.append(
            f"{row.seed:>4}  {row.label:32} {row.verdict or 'none':13} {named:12} {_word(row.right):12} {_word(row.newest_right)}"
        )
    right, newest, number = sum(r.right for r in rows), sum(r.newest_right for r in rows), len(rows)
    convicted = [row for row in rows if row.verdict == "convicted"]
    lines.append("")
    lines.append(f"the cause was first in {right} of {number}; blaming the newest deploy is right in {newest} of {number}")
    wrong = sum(not row.right for row in convicted)
    lines.append(f"convicted in {len(convicted)} of {number}, of which wrongly {wrong}")
    return "\n".join(lines)


def _word(right: bool) -> str:
    return "yes" if right else "no"
