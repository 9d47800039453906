"""Learned weights on a candidate: each fact's points times its rule's multiplier, the sum taken anew, and the way back.

What telemetry vouches for may only shrink by learning: a rule that counts more convicts nobody without it.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.domain.evidence import Candidate, Fact
from bot.domain.learning import SHIPPED, Weights


def weighed(candidate: Candidate, weights: Weights) -> Candidate:
    """The candidate, whose points are as shipped, with these weights."""
    if not weights.rules or candidate.ruled_out:
        return candidate
    facts = tuple(_times(f, weights.of(f.rule)) for f in candidate.facts)
    shrunk = _shrunk(facts)
    return replace(
        candidate,
        facts=tuple(sorted(facts, key=lambda f: -f.points)),
        score=round(sum(f.points for f in facts), 3),
        content=candidate.content * shrunk,
        heard=candidate.heard * shrunk,
    )


def bare(candidate: Candidate) -> Candidate:
    """The candidate as the shipped weights see it, whatever weights it has."""
    if all(f.weight == 1.0 for f in candidate.facts):
        return candidate
    shrunk = _shrunk(candidate.facts)
    facts = tuple(replace(f, points=round(f.points / f.weight, 3), weight=1.0) for f in candidate.facts)
    return replace(
        candidate,
        facts=facts,
        score=round(sum(f.points for f in facts), 3),
        content=candidate.content / shrunk,
        heard=candidate.heard / shrunk,
    )


def lead(suspects: Sequence[Candidate]) -> float:
    """How many points the first suspect is ahead of the best other one, or of nothing."""
    if not suspects:
        return 0.0
    return suspects[0].score - max((s.score for s in suspects[1:]), default=0.0)


def is_shipped(weights: Weights) -> bool:
    """Nothing in them changes a verdict or a word."""
    return (weights.rules, weights.margin, weights.calibration) == (SHIPPED.rules, SHIPPED.margin, SHIPPED.calibration)


def _times(fact: Fact, weight: float) -> Fact:
    return fact if weight == 1.0 else replace(fact, points=round(fact.points * weight, 3), weight=weight)


def _shrunk(facts: tuple[Fact, ...]) -> float:
    """What is left of the points that evidence gives, at most all of them."""
    rests = [f for f in facts if f.points > 0 and f.cites]
    before = sum(f.points / f.weight for f in rests)
    return min(1.0, sum(f.points for f in rests) / before) if before else 1.0
