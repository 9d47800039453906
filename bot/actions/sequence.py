"""Several services one after the other: in which order, which one is next, and what stands when one fails.

Rollbacks begin with the callers: a new caller may rely on what only the new version of the service below it offers, while an
old caller gets along with both, as it did when that was deployed. Deploys go the other way round, for the same reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from bot.actions.policy import opposite
from bot.domain.action import UNDECIDED, Action, ActionKind, ActionStatus
from bot.domain.service import ServiceGraph

MOST = 10  # services of one batch
FAR = 99  # hops: whatever lies between two services, the one relies on the other
ENDS = {
    ActionStatus.FAILED: "failed",
    ActionStatus.ROLLED_BACK: "is rolled back",
    ActionStatus.EXPIRED: "has expired",
    ActionStatus.REFUSED: "was refused",
}
HELD = (*UNDECIDED, ActionStatus.APPROVED)  # nothing of it has begun


@dataclass(frozen=True, slots=True)
class Ordered:
    """Services in the order in which they are changed; `rings` are those that call each other in a circle."""

    services: tuple[str, ...]
    rings: tuple[tuple[str, ...], ...] = ()

    @property
    def said(self) -> str:
        """For people, where the graph does not tell the order."""
        return "; ".join(f"{' and '.join(ring)} call each other and go in the order named" for ring in self.rings)


def ordered(services: Sequence[str], graph: ServiceGraph, kind: ActionKind) -> Ordered:
    """Callers before what they call for rollbacks, the other way round for deploys; also through services between them.

    Where the graph leaves it open, or goes round in a circle, the order is that in which they were named.
    """
    named = list(dict.fromkeys(services))
    reached = {s: frozenset(graph.upstreams(s, FAR)) & frozenset(named) for s in named}  # each reaches itself too
    rings = {s: tuple(o for o in named if o in reached[s] and s in reached[o]) for s in named}
    sign = -1 if kind is ActionKind.ROLLBACK else 1

    def place(service: str) -> tuple[int, int, int]:
        """Who calls another, and is not called by it, reaches more than that one: all that it reaches, and itself."""
        return sign * len(reached[service]), named.index(rings[service][0]), named.index(service)

    circles = tuple(dict.fromkeys(ring for ring in rings.values() if len(ring) > 1))
    return Ordered(tuple(sorted(named, key=place)), circles)


def in_order(parts: Sequence[Action]) -> tuple[Action, ...]:
    """The parts of a batch, the first one to start first."""
    following = {part.after: part for part in parts}
    found: list[Action] = []
    at = following.get("")
    while at is not None and at not in found:
        found.append(at)
        at = following.get(at.id)
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Turn:
    """What is to be done for a batch now: a part to start, or parts to refuse and why. Neither: wait."""

    start: Action | None = None
    refuse: tuple[Action, ...] = ()
    why: str = ""


def turn(parts: Sequence[Action]) -> Turn:
    """Nothing begins before all are approved, nor a part before the one before it has succeeded; one that fails is the last."""
    chain = in_order(parts)
    bad = next((p for p in chain if p.ended and p.status is not ActionStatus.SUCCEEDED), None)
    if bad is not None:
        rest = tuple(p for p in chain if p.status in HELD)
        why = f"Nothing was started: {bad.service}, which is of the same batch, {ENDS[bad.status]}."
        return Turn(refuse=rest, why=why if rest else "")
    if any(p.status in UNDECIDED for p in chain):
        return Turn()
    first = next((p for p in chain if p.status is not ActionStatus.SUCCEEDED), None)
    return Turn(first if first is not None and first.status is ActionStatus.APPROVED else None)


def its_turn(action: Action, parts: Sequence[Action]) -> bool:
    """This part of a batch may start now."""
    start = turn(parts).start
    return start is not None and start.id == action.id


def follows(action: Action, parts: Sequence[Action]) -> tuple[Action, ...]:
    """The parts that come after this one."""
    chain = in_order(parts)
    at = next((n for n, part in enumerate(chain) if part.id == action.id), len(chain))
    return chain[at + 1 :]


def halted(parts: Sequence[Action]) -> Action | None:
    """The part at which a batch stopped after something of it had been begun; None before all of it has ended."""
    chain = in_order(parts)
    begun = all(p.ended for p in chain) and any(p.since(ActionStatus.EXECUTING) is not None for p in chain)
    bad = next((p for p in chain if p.ended and p.status is not ActionStatus.SUCCEEDED), None)
    return bad if begun else None


def standing(parts: Sequence[Action]) -> str:
    """What stands now, for people: what was done, where it stopped, what was not begun, and the way back; "" of nothing."""
    chain = in_order(parts)
    done = [p for p in chain if p.status is ActionStatus.SUCCEEDED]
    if all(p in done for p in chain):
        return f"All {len(chain)} are done: {_named(done)}." if chain else ""
    held = [p for p in chain if p.since(ActionStatus.EXECUTING) is None and p not in done]
    stopped = next((p for p in chain if p.ended and p not in done and p not in held), None)
    if not done and stopped is None:
        return ""
    said = [f"Done: {_named(done)}." if done else "", f"{stopped.service} {ENDS[stopped.status]}." if stopped else ""]
    if held and (stopped is not None or all(p.ended for p in held)):
        said.append(f"Not begun: {', '.join(p.service for p in held)}.")
    if stopped is not None and (back := back_again(done)):
        said.append(f"The way back: {back}")
    return " ".join(part for part in said if part)


def back_again(done: Sequence[Action]) -> str:
    """The command that takes these actions back, "" of none: `/deploy checkout v18 + payments v43 production`."""
    if not done:
        return ""
    parts = " + ".join(f"{p.service} {p.plan.current_version if p.plan else ''}".strip() for p in reversed(done))
    return f"/{opposite(done[0].kind).value} {parts} {done[0].environment}"


def _named(parts: Sequence[Action]) -> str:
    return ", ".join(f"{p.service} to {p.target}" for p in parts)
