"""How good the answers were, by what people said of them afterwards."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.domain.conversation import Failure
from bot.domain.evidence import Confidence
from bot.domain.interaction import Feature, Feedback, Interaction, Opinion

PROMISES = {Confidence.STRONG.value: 0.9, Confidence.LIKELY.value: 0.7, Confidence.WEAK.value: 0.4}
"""How often a cause named with each word should turn out right."""
ENOUGH = 10  # judged causes of one word; below that a score would say more than we know


@dataclass(frozen=True, slots=True)
class Calibration:
    """One word of confidence: of `named` causes whose truth people told, `right` were right.

    `brier` is the mean squared distance between the word's promise and what came true: 0 is perfect; always saying one half
    would give 0.25.
    """

    word: str
    named: int
    right: int
    brier: float


@dataclass(frozen=True, slots=True)
class Quality:
    """Some answers, counted. `told` causes had their truth told by people, `right` of them were right (top-1).

    `judged` counts opinions (one per person and answer), `cost` US dollars, `unpriced` calls without a known price,
    `p95_ms` the time within which 95 of 100 answers were there; None without answers.
    """

    answers: int
    by_model: int
    failed: int
    useful: int
    judged: int
    right: int
    told: int
    calibration: tuple[Calibration, ...]
    cost: float
    unpriced: int
    p95_ms: float | None


def measure(interactions: Iterable[Interaction], feedback: Sequence[Feedback]) -> Quality:
    """The quality of these answers, judged by this feedback (of other answers too; that is left out)."""
    every = list(interactions)
    given = [i for i in every if not i.error]
    opinions = _opinions(given, feedback)
    truths = _truths(given, feedback)
    return Quality(
        answers=len(given),
        by_model=sum(i.engine == "model" for i in given),
        failed=sum(map(_tried, every)),
        useful=sum(opinions),
        judged=len(opinions),
        right=sum(right for _, right in truths),
        told=len(truths),
        calibration=_calibration(truths),
        cost=math.fsum(i.cost for i in every),
        unpriced=sum(i.calls for i in every if not i.cost_known),
        p95_ms=percentile([i.latency_ms for i in given], 0.95),
    )


def _tried(one: Interaction) -> bool:
    """A model was asked and failed; one that was switched off or over its budget was not asked."""
    spared = one.calls == 0 and one.error.startswith((Failure.SWITCHED_OFF.value, Failure.OVER_BUDGET.value))
    return bool(one.error) and not spared


def _opinions(given: Sequence[Interaction], feedback: Sequence[Feedback]) -> list[bool]:
    """Useful or not: the last word of each person on each answer."""
    ids = {i.id for i in given}
    wanted = (Opinion.USEFUL, Opinion.NOT_USEFUL)
    mine = [f for f in feedback if f.interaction_id in ids and f.opinion in wanted and not f.document]
    last = {(f.user, f.interaction_id): f for f in sorted(mine, key=lambda f: f.at)}
    return [f.opinion is Opinion.USEFUL for f in last.values()]


def _truths(given: Sequence[Interaction], feedback: Sequence[Feedback]) -> list[tuple[Interaction, bool]]:
    """The answer that people saw when they told an incident's cause, and whether it had named that; one per incident."""
    looks = {i.id: i for i in given if i.feature is Feature.DIAGNOSIS}
    wanted = (Opinion.CONFIRMED, Opinion.OTHER_CAUSE)
    mine = [f for f in feedback if f.interaction_id in looks and f.opinion in wanted]
    last = {f.incident_id: f for f in sorted(mine, key=lambda f: f.at)}
    return [(looks[f.interaction_id], f.opinion is Opinion.CONFIRMED) for f in last.values()]


def _calibration(truths: Sequence[tuple[Interaction, bool]]) -> tuple[Calibration, ...]:
    found = []
    for word, promise in PROMISES.items():
        came = [right for look, right in truths if look.confidence == word]
        if came:
            brier = math.fsum((promise - right) ** 2 for right in came) / len(came)
            found.append(Calibration(word, len(came), sum(came), brier))
    return tuple(found)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that this share of them does not exceed (nearest rank); None of none."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)] if ordered else None


def sentence(quality: Quality, days: int) -> str:
    """One line for a digest."""
    q = quality
    if not q.answers and not q.failed:
        return f"quality of {days} days: no answers"
    parts = [f"{q.answers} answers, {q.by_model} of them by a model"]
    if q.failed:
        parts.append(f"{q.failed} tries of a model failed")
    parts.append(f"{q.useful} of {q.judged} judged useful" if q.judged else "nobody judged one")
    parts.append(f"cause right in {q.right} of {q.told} that people told" if q.told else "no cause was told by people")
    parts += [in_words(c) for c in q.calibration]
    parts.append(f"${q.cost:.2f}" + (f" and {q.unpriced} calls of unknown price" if q.unpriced else ""))
    if q.p95_ms is not None:
        parts.append(f"95 % within {q.p95_ms / 1000:.1f} s")
    return f"quality of {days} days: " + "; ".join(parts)


def in_words(word: Calibration) -> str:
    """How a word of confidence kept its promise; without a score while there is too little to tell."""
    counted = f'"{word.word}" was right {word.right} of {word.named} times'
    if word.named < ENOUGH:
        return f"{counted} (too few to judge)"
    promise = PROMISES[word.word]
    share = word.right / word.named
    verdict = "as it should" if abs(share - promise) <= 0.1 else ("too timid" if share > promise else "too sure")
    return f"{counted} ({verdict}; Brier {word.brier:.2f})"
