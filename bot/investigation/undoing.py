"""Changes that undo each other: one that was taken back before the trouble began cannot be its cause, nor can the taking back."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta

from bot.domain.change import Change, Commit
from bot.investigation.case import Case
from bot.investigation.diff import Hunk, parse
from bot.investigation.shipments import Shipment

SHORT = timedelta(hours=1)


def taken_back(shipment: Shipment, case: Case, onset: datetime) -> Change | None:
    """The deployment that took this shipment out of service before `onset`; None if it still ran then.

    An older version is a step back as long as nothing newer follows it; a commit that takes out every line that this one
    put in takes it back for good.
    """
    if shipment.change is None or shipment.at is None:
        return None
    mine = {*shipment.services}
    later = sorted(
        (c for c in case.changes if shipment.at < c.at <= onset and c.shipped and mine & {*c.services}), key=lambda c: c.at
    )
    for change in later:
        carried = (case.commits.get(sha) for sha in case.carries.get(change.id, (change.commit,)))
        if any(commit is not None and _reverses(commit, shipment) for commit in carried):
            return change
    return later[-1] if later and _older(later[-1], shipment, case) else None


def _older(change: Change, shipment: Shipment, case: Case) -> bool:
    """This deployment runs something older: a version that ran before, or a commit made before."""
    before = [c for c in case.changes if c.at < (shipment.at or c.at) and c.shipped and {*c.services} & {*change.services}]
    if change.version and any(c.version == change.version for c in before):
        return True
    commit = case.commits.get(change.commit)
    return commit is not None and shipment.commit is not None and commit.at < shipment.commit.at


def _reverses(commit: Commit, shipment: Shipment) -> bool:
    if shipment.commit is None or commit.at <= shipment.commit.at:
        return False
    if f"This reverts commit {shipment.commit.sha}" in commit.message:
        return True
    added = {line.strip() for hunk in shipment.text.hunks for line in hunk.added} - {""}
    removed = {line.strip() for hunk in parse(commit.diff, commit.files) for line in hunk.removed}
    return bool(added) and added <= removed


def puts_back(shipment: Shipment, case: Case) -> bool:
    """It only brings back what ran a short while before: with the changes since then, nothing of it remains.

    A change that lived for long and is taken out now is another matter: what it replaced may no longer fit.
    """
    commit = shipment.commit
    if commit is None or not shipment.text.hunks:
        return False
    net: Counter[tuple[str, str]] = Counter()
    for other in case.commits.values():
        if commit.at - SHORT <= other.at <= commit.at and other.sha != commit.sha:
            net.update(_lines(parse(other.diff, other.files)))
    mine = _lines(shipment.text.hunks)
    return bool(mine) and all(net[line] == -count for line, count in mine.items())


def _lines(hunks: Iterable[Hunk]) -> dict[tuple[str, str], int]:
    """How many times more a change puts each line into a file than it takes it out; lines that merely move are left out."""
    net: Counter[tuple[str, str]] = Counter()
    for hunk in hunks:
        net.update((hunk.path, line.strip()) for line in hunk.added if line.strip())
        net.subtract((hunk.path, line.strip()) for line in hunk.removed if line.strip())
    return {line: count for line, count in net.items() if count}
