"""Whether learned weights win on incidents that they were not fitted on: by time, and by folds. Chance alone is not a win."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from bot.domain.learning import SHIPPED, HeldBack, Weights
from bot.investigation.learning.calibration import outcomes
from bot.investigation.learning.lessons import Lesson
from bot.investigation.learning.replay import convicted, good, ranked, right
from bot.investigation.verdict import word

FOLDS = 5
EARLIER = 0.7  # of the lessons, by time, is fitted on; the rest is tried
BY_CHANCE = 0.05  # at most: that so many gains against losses come without any merit
SPREADS = 1.645  # of the mean: the same for a mean
Fit = Callable[[Sequence[Lesson]], Weights]
Split = tuple[Sequence[Lesson], Sequence[Lesson]]


def later(lessons: Sequence[Lesson]) -> tuple[Split, ...]:
    """The earlier lessons, and the later ones."""
    ordered = _ordered(lessons)
    at = int(EARLIER * len(ordered))
    return ((ordered[:at], ordered[at:]),)


def folds(lessons: Sequence[Lesson]) -> tuple[Split, ...]:
    """Every lesson is held back once; what is fitted on lies around it in time."""
    ordered = _ordered(lessons)
    return tuple(
        ([one for i, one in enumerate(ordered) if i % FOLDS != n], [one for i, one in enumerate(ordered) if i % FOLDS == n])
        for n in range(FOLDS)
    )


def tried(splits: Sequence[Split], fit: Fit, against: Fit = lambda _: SHIPPED) -> HeldBack:
    """How fitted weights do on what was held back, beside others that are fitted on the same."""
    total = HeldBack(0, 0, 0, 0, 0, 0, 0, 0, 0)
    for fitted_on, held in splits:
        total = _plus(total, _compared(held, fit(fitted_on), against(fitted_on)))
    return total


def losses(lessons: Sequence[Lesson], weights: Weights, words: Mapping[str, float] | None = None) -> list[float]:
    """The logarithmic loss of each chance that the first suspect is right: by the curve, or by what a word promises."""
    leads, hits = outcomes(lessons, weights)
    if words is not None:
        said = np.array([words.get(spoken(one, weights), 0.5) for one in lessons])
    elif weights.calibration is not None:
        said = np.array([weights.calibration.chance(float(ahead)) for ahead in leads])
    else:
        said = np.full(len(leads), 0.5)
    return [float(x) for x in -(hits * np.log(said) + (1 - hits) * np.log(1 - said))]


def shares(lessons: Sequence[Lesson], weights: Weights) -> dict[str, float]:
    """How often the first suspect is right, by what is said of it, smoothed."""
    _, hits = outcomes(lessons, weights)
    told = [spoken(one, weights) for one in lessons]
    return {
        name: (float(sum(h for h, t in zip(hits, told, strict=True) if t == name)) + 1) / (told.count(name) + 2)
        for name in set(told)
    }


def spoken(lesson: Lesson, weights: Weights) -> str:
    """Verdict and word as shipped."""
    order = ranked(lesson, weights)
    guilty = convicted(order, lesson, weights)
    return f"{guilty} {word(order, SHIPPED, convicted=guilty).value}"


def by_chance(gained: int, lost: int) -> float:
    """The chance of at least so many gains if gains and losses were equally likely (sign test)."""
    n = gained + lost
    return sum(math.comb(n, k) for k in range(gained, n + 1)) / 2**n if n else 1.0


def surely_less(mine: Sequence[float], theirs: Sequence[float]) -> bool:
    """The first are less on average, by more than chance explains (paired, one-sided, as BY_CHANCE says)."""
    gains = np.array(theirs) - np.array(mine)
    return len(gains) > 1 and float(gains.mean()) > SPREADS * float(gains.std(ddof=1)) / math.sqrt(len(gains))


def _ordered(lessons: Sequence[Lesson]) -> list[Lesson]:
    return sorted(lessons, key=lambda one: (one.at, one.incident))


def _compared(held: Sequence[Lesson], learned: Weights, other: Weights) -> HeldBack:
    rows = []
    for one in held:
        mine, theirs = ranked(one, learned), ranked(one, other)
        took, took_other = convicted(mine, one, learned), convicted(theirs, one, other)
        rows.append(
            (
                good(mine, one, learned),
                good(theirs, one, other),
                took,
                took_other,
                took and not right(mine, one),
                took_other and not right(theirs, one),
            )
        )
    return HeldBack(
        incidents=len(rows),
        right=sum(r[0] for r in rows),
        right_shipped=sum(r[1] for r in rows),
        gained=sum(r[0] and not r[1] for r in rows),
        lost=sum(r[1] and not r[0] for r in rows),
        convicted=sum(r[2] for r in rows),
        convicted_shipped=sum(r[3] for r in rows),
        wrongly=sum(r[4] for r in rows),
        wrongly_shipped=sum(r[5] for r in rows),
    )


def _plus(a: HeldBack, b: HeldBack) -> HeldBack:
    return HeldBack(
        a.incidents + b.incidents,
        a.right + b.right,
        a.right_shipped + b.right_shipped,
        a.gained + b.gained,
        a.lost + b.lost,
        a.convicted + b.convicted,
        a.convicted_shipped + b.convicted_shipped,
        a.wrongly + b.wrongly,
        a.wrongly_shipped + b.wrongly_shipped,
    )
