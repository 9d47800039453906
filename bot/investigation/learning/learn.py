"""Lessons in, weights out: each part is adopted only if it wins on incidents that it was not fitted on, else the reason is kept.

Three parts, one after the other: the multipliers of rules, the lead that a conviction needs, the words for how sure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from bot.domain.learning import SHIPPED, HeldBack, Learned, Weights
from bot.investigation.learning.calibration import curve, with_margin
from bot.investigation.learning.lessons import Lesson, basis_of
from bot.investigation.learning.refit import refit
from bot.investigation.learning.replay import convicted, ranked, right
from bot.investigation.learning.trial import BY_CHANCE, Fit, Split, by_chance, folds, later, losses, shares, surely_less, tried
from bot.investigation.weights import is_shipped

ENOUGH = 20  # confirmed incidents before anything is learned
LOOSE_FROM = 60  # convictions, none wrong: then at least 95 % are right with a confidence of 95 % (rule of three)


@dataclass(frozen=True, slots=True)
class _Part:
    """One part: the weights with it or without it, and why."""

    weights: Weights
    won: bool
    why: str
    later: HeldBack
    folds: HeldBack


def learn(lessons: Sequence[Lesson], at: datetime) -> Learned:
    """What these lessons teach, as an attempt without a number yet. Raises ValueError for fewer than ENOUGH."""
    if len(lessons) < ENOUGH:
        raise ValueError(f"{len(lessons)} lessons are too few to learn from")
    points = _points(lessons)
    ahead = points if points.won else _lead(lessons)
    words = _words(lessons, ahead.weights)
    adopted = not is_shipped(words.weights)
    reasons = [points.why, *([] if points.won else [ahead.why]), words.why]
    shown = points if points.won or not ahead.won else ahead
    return Learned(
        number=0,
        at=at,
        weights=words.weights if adopted else _fitted(lessons),
        incidents=len(lessons),
        adopted=adopted,
        reason="; ".join(reasons),
        basis=basis_of(lessons),
        later=_with_loss(shown.later, words.later),
        folds=_with_loss(shown.folds, words.folds),
    )


def still_good(weights: Weights, since: Sequence[Lesson]) -> bool:
    """Weights in force convicted nobody wrongly, in incidents that came after them, whom the shipped ones spare."""
    return not any(_wrong(one, weights) and not _wrong(one, SHIPPED) for one in since)


def _wrong(lesson: Lesson, weights: Weights) -> bool:
    order = ranked(lesson, weights)
    return convicted(order, lesson, weights) and not right(order, lesson)


def _fitted(lessons: Sequence[Lesson]) -> Weights:
    return with_margin(lessons, Weights(rules=refit(lessons)))


def _loose(lessons: Sequence[Lesson]) -> Weights:
    return replace(_fitted(lessons), strict=False)


def _points(lessons: Sequence[Lesson]) -> _Part:
    """Multipliers, with the lead that fits them. Strict ones convict nobody whom the shipped ones spare, by how they are made."""
    fit: Fit = _fitted
    by_fold = tried(folds(lessons), fit)
    if not by_fold.wrongly and len(lessons) >= LOOSE_FROM:
        loose = tried(folds(lessons), _loose)
        if loose.convicted >= LOOSE_FROM and not loose.wrongly:
            fit, by_fold = _loose, loose
    by_time = tried(later(lessons), fit)
    gains = f"multipliers gain {by_fold.gained} and lose {by_fold.lost} of {by_fold.incidents} held back"
    why = ""
    if not refit(lessons):
        why = "no rule misleads or is undervalued"
    elif by_time.wrongly > by_time.wrongly_shipped or by_fold.wrongly > by_fold.wrongly_shipped:
        why = f"multipliers convict {by_fold.wrongly} wrongly that were held back (as shipped: {by_fold.wrongly_shipped})"
    elif by_time.gained < by_time.lost:
        why = f"multipliers lose on the later incidents ({by_time.gained} gained, {by_time.lost} lost)"
    elif by_chance(by_fold.gained, by_fold.lost) > BY_CHANCE:
        why = f"{gains}: that may be chance"
    return _Part(SHIPPED, False, why, by_time, by_fold) if why else _Part(fit(lessons), True, gains, by_time, by_fold)


def _lead(lessons: Sequence[Lesson]) -> _Part:
    """Only the lead that a conviction needs; it can take convictions away, never add one."""

    def fit(some: Sequence[Lesson]) -> Weights:
        return with_margin(some, SHIPPED)

    by_time, by_fold = tried(later(lessons), fit), tried(folds(lessons), fit)
    spared = by_fold.wrongly_shipped - by_fold.wrongly
    gone = by_fold.convicted_shipped - by_fold.convicted - spared
    told = f"a longer lead for convictions spares {spared} wrong ones held back and costs {gone} right ones"
    if not spared:
        return _Part(SHIPPED, False, "no longer lead is needed for convictions", by_time, by_fold)
    if by_chance(spared, gone) > BY_CHANCE:
        return _Part(SHIPPED, False, f"{told}: that may be chance", by_time, by_fold)
    return _Part(fit(lessons), True, told, by_time, by_fold)


def _words(lessons: Sequence[Lesson], weights: Weights) -> _Part:
    """The words for how sure, against how often each shipped word was right."""
    (by_time, _), (by_fold, sure) = _losses(later(lessons), weights), _losses(folds(lessons), weights)
    found = curve(lessons, weights)
    if found is None or by_time.loss >= by_time.loss_shipped or not sure:
        why = "words stay as shipped: " + ("a longer lead was not more often right" if found is None else "a curve says no more")
        return _Part(weights, False, why, by_time, by_fold)
    why = f"words follow the lead (loss {by_fold.loss:.2f}, was {by_fold.loss_shipped:.2f})"
    return _Part(replace(weights, calibration=found), True, why, by_time, by_fold)


def _losses(splits: Sequence[Split], weights: Weights) -> tuple[HeldBack, bool]:
    """Mean losses of a curve and of the shipped words, each fitted on the rest; whether the curve's is surely less."""
    mine: list[float] = []
    theirs: list[float] = []
    for fitted_on, held in splits:
        mine += losses(held, replace(weights, calibration=curve(fitted_on, weights)))
        theirs += losses(held, weights, shares(fitted_on, weights))
    n = len(mine)
    total = HeldBack(n, 0, 0, 0, 0, 0, 0, 0, 0, round(sum(mine) / n, 4), round(sum(theirs) / n, 4))
    return total, surely_less(mine, theirs)


def _with_loss(shown: HeldBack, losses: HeldBack) -> HeldBack:
    return replace(shown, loss=losses.loss, loss_shipped=losses.loss_shipped)
