"""What was learned from confirmed causes, as lines for a terminal."""

from collections.abc import Iterator, Sequence

from bot.domain.learning import HeldBack, Learned
from bot.investigation.learning.learn import ENOUGH


def in_force(current: Learned | None, confirmed: int) -> Iterator[str]:
    """The weights that diagnoses are made with now; `confirmed` incidents can be learned from."""
    if current is None or not current.number:
        pinned = ", chosen by a person" if current and current.pinned else ""
        yield f"Weights in force: as shipped{pinned}. {confirmed} confirmed incidents to learn from; {ENOUGH} are needed."
        return
    pinned = ", chosen by a person: nothing that is learned replaces them" if current.pinned else ""
    made = f"of {current.at:%Y-%m-%d %H:%M} UTC, from {current.incidents} incidents"
    yield f"Weights in force: {current.weights.version}, {made}{pinned}."
    yield from _weights(current)


def history(attempts: Sequence[Learned]) -> Iterator[str]:
    """Every attempt, the newest first."""
    if not attempts:
        yield f"Nothing was learned yet: every night, once {ENOUGH} causes were confirmed."
    for one in attempts:
        state = "adopted" if one.adopted else "not adopted"
        yield f"{one.weights.version:6} {one.at:%Y-%m-%d %H:%M} UTC  {state:12} from {one.incidents} incidents"
        yield from _weights(one)


def _weights(learned: Learned) -> Iterator[str]:
    weights = learned.weights
    yield f"  why      {learned.reason}"
    changed = sorted(weights.rules.items(), key=lambda r: (r[1], r[0]))
    for first in range(0, len(changed), 4):
        row = "  ".join(f"{rule} × {times:.2f}" for rule, times in changed[first : first + 4])
        yield f"  {'points' if not first else '':8} {row}"
    if weights.margin:
        yield f"  lead     a conviction needs {weights.margin:.2f} points"
    if weights.calibration:
        chances = ", ".join(f"{lead:g} points: {100 * weights.calibration.chance(lead):.0f} %" for lead in (0.5, 1.5, 3.0, 5.0))
        yield f"  words    the first suspect is right at a lead of {chances}"
    if not weights.strict:
        yield "  strict   no: on incidents held back every one of many convictions was right"
    yield from _figures("later", "fitted on the earlier, tried on the later", learned.later)
    yield from _figures("folds", "each tried by weights fitted without it", learned.folds)


def _figures(name: str, how: str, held: HeldBack | None) -> Iterator[str]:
    if held is None:
        return
    yield f"  {name:8} {held.incidents} incidents, {how}:"
    yield (
        f"           right {held.right} (as shipped {held.right_shipped}), gained {held.gained}, lost {held.lost}, "
        f"convicted {held.convicted} ({held.convicted_shipped})"
    )
    loss = f", loss of words {held.loss:.2f} ({held.loss_shipped:.2f})" if held.loss >= 0 else ""
    yield f"           wrongly {held.wrongly} ({held.wrongly_shipped}){loss}"
