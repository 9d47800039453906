"""What does not fit, once a trial is over: what the vendor counted, what the bot says, and what the audit has."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from bot.actions.cancel import HEARD
from bot.actions.sequence import in_order
from bot.domain.action import Action, ActionStatus, Stopping
from bot.flows.acting.uncertain import DID_NOT_RUN
from tests.once.books import Books
from tests.once.house import INCIDENT
from tests.once.plan import Plan

WAITING = (ActionStatus.PROPOSED, ActionStatus.AWAITING)
NEVER_BEGAN = (*WAITING, ActionStatus.REFUSED, ActionStatus.EXPIRED)
OFF = ("automation", "automation off")
Lines = Sequence[tuple[str, str]]  # of the audit: of what, and which deed


def wrong_runs(plan: Plan, actions: Sequence[Action], counted: dict[str, Any]) -> Iterator[str]:
    """What does not fit between what the vendor counted and what the bot says."""
    started, script = counted["started"], plan.script
    if most(counted) > 1 or not set(started) <= {a.id for a in actions}:
        yield f"{most(counted)} runs: {started} {counted['by_version']}"
    if counted["overlapping"]:
        yield f"begun while another ran: {counted['overlapping']}"
    for action in actions:
        ran, end = action.id in started, script.end_of(action.service)
        if action.status in NEVER_BEGAN and ran:
            yield f"{action.status.value} and yet it ran"
        if action.status is ActionStatus.SUCCEEDED and not (ran and end == "succeeded"):
            yield "it succeeded without a run that did"
        failed = action.status is ActionStatus.FAILED and ran
        excused = end == "failed" or script.forgets is not None or plan.incident == "firing"
        if failed and not excused and counted["knows"].get(action.id) != "cancelled":
            yield f"failed, but it ran and went well: {action.outcome}"
        unfounded = action.status is ActionStatus.FAILED and not ran and len(actions) == 1
        if unfounded and not any(t in ("422", "429", "503", "lost") for t in counted["troubles"]) and counted["troubles"]:
            yield f"the vendor took it, and there is no run: {action.outcome}"


def most(counted: dict[str, Any]) -> int:
    """How often the vendor started one thing at most."""
    by_key, by_version = Counter(counted["started"]), Counter(counted["by_version"])
    return max([0, *by_key.values(), *by_version.values()])


def wrong_order(actions: Sequence[Action], lines: Lines) -> Iterator[str]:
    """A part of a batch began before all were approved, or before the one before it had succeeded."""
    for batch in {a.batch for a in actions if a.batch}:
        parts = in_order([a for a in actions if a.batch == batch])
        begun = [n for n, line in enumerate(lines) if line in {(p.id, "executing") for p in parts}]
        approved = [n for n, line in enumerate(lines) if line in {(p.id, "approved") for p in parts}]
        if begun and max(approved) > begun[0]:
            yield "a part was begun before all were approved"
        for first, second in pairwise(parts):
            at = _at(lines, (second.id, "executing"))
            if at is not None and (_at(lines[:at], (first.id, "succeeded"))) is None:
                yield f"{second.service} was begun although {first.service} had not succeeded: it is {first.status.value}"


def wrong_stops(actions: Sequence[Action], counted: dict[str, Any], lines: Lines) -> Iterator[str]:
    """What was wanted to stop and went on, or is told otherwise than it was."""
    off = _at(lines, OFF)
    for action in actions:
        wish, state = action.cancel, counted["knows"].get(action.id)
        begun = _at(lines, (action.id, "executing"))
        if off is not None and begun is not None and begun > off and not action.approvers:
            yield "it began by itself after that was switched off"
        if state == "cancelled" and wish is None:
            yield "the vendor stopped what nobody wanted to stop"
        if wish is None or not action.ended:
            continue
        if wish.state in HEARD:
            yield f"it is {action.status.value}, and the wish to stop it is {wish.state.value} still"
        by_hand = DID_NOT_RUN in action.outcome
        if wish.state is Stopping.STOPPED and state not in (None, "cancelled") and not by_hand:
            yield f"it is told that it was stopped, and the vendor's run {state}"
        if state == "cancelled" and not by_hand and (wish.state, action.status) != (Stopping.STOPPED, ActionStatus.FAILED):
            yield f"the vendor stopped it, and it is told as {action.status.value}, {wish.state.value}: {action.outcome}"


def wrong_books(plan: Plan, actions: Sequence[Action], books: Books) -> Iterator[str]:
    """What does not fit in what the bot keeps."""
    lines = books.told()
    for action in actions:
        begun = lines.count((action.id, "executing"))
        if begun != int(action.status not in NEVER_BEGAN):
            yield f"{action.status.value}, and {begun} lines say that it was begun"
        if action.status not in WAITING and not action.ended:
            yield f"an action stays {action.status.value}"
    if dead := books.rows("SELECT name, error FROM work WHERE state = 'dead'"):
        yield f"work died: {dead}"
    if plan.incident and books.rows(f"SELECT count(*) FROM incidents WHERE id = '{INCIDENT}'") != [(1,)]:
        yield "the incident is not what it was"
    if not books.whole():
        yield "the audit's chain is broken"


def _at(lines: Lines, wanted: tuple[str, str]) -> int | None:
    return next((n for n, line in enumerate(lines) if line == wanted), None)
