"""Multipliers of rules from lessons: the culprit above every other suspect, nobody high where no change was guilty.

A pairwise logistic regression (RankNet's loss: Burges et al. 2005) on the points that each rule gave, drawn towards 1 and kept
within bounds. It is convex, so the way there does not matter: projected gradient with momentum (Beck and Teboulle 2009).
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from bot.domain.evidence import Candidate
from bot.domain.learning import LEAST, MOST
from bot.investigation.learning.lessons import NOBODY, Lesson
from bot.investigation.verdict import CONVICT, MARGIN

DRAWN = 4.0  # how strongly a multiplier is drawn to 1: as about eight incidents that a rule decides draw it away
SEEN = 5  # incidents in which a rule gave points before its multiplier may differ from 1
QUIET = CONVICT - MARGIN  # points below which a suspect belongs where no change was guilty
ROUNDS = 300

Array = NDArray[np.float64]


def refit(lessons: Sequence[Lesson]) -> dict[str, float]:
    """The multipliers of the rules that these lessons speak of, those that stay at 1 left out."""
    seen = Counter(rule for one in lessons for rule in {f.rule for c in one.suspects for f in c.facts if f.points})
    rules = sorted(rule for rule, count in seen.items() if count >= SEEN and rule)
    if not rules:
        return {}
    pairs = [p for one in lessons for p in _pairs(one, rules)]
    if not pairs:
        return {}
    differences = np.array([d for d, _, _ in pairs])
    rests = np.array([r for _, r, _ in pairs])
    shares = np.array([s for _, _, s in pairs])
    fitted = _fit(differences, rests, shares)
    return {rule: round(float(m), 3) for rule, m in zip(rules, fitted, strict=True) if abs(m - 1.0) >= 0.005}


def _pairs(lesson: Lesson, rules: Sequence[str]) -> list[tuple[Array, float, float]]:
    """What should be positive: the points by rule, the points of other rules, and what the pair counts."""
    culprit = next((c for c in lesson.suspects if c.key == lesson.culprit), None)
    if lesson.culprit != NOBODY and culprit is not None:
        others = [c for c in lesson.suspects if c is not culprit]
        own, rest = _points(culprit, rules)
        return [(own - _points(c, rules)[0], rest - _points(c, rules)[1], 1 / len(others)) for c in others]
    found = [_points(c, rules) for c in lesson.suspects]
    return [(-points, QUIET - rest, 1 / len(found)) for points, rest in found]


def _points(candidate: Candidate, rules: Sequence[str]) -> tuple[Array, float]:
    by_rule: Counter[str] = Counter()
    for fact in candidate.facts:
        by_rule[fact.rule] += fact.points  # type: ignore[assignment]  # a Counter adds fractions as well
    points = np.array([float(by_rule[r]) for r in rules])
    return points, candidate.score - float(points.sum())


def _fit(differences: Array, rests: Array, shares: Array) -> Array:
    """The multipliers that make the pairs likeliest."""
    steep = DRAWN + float((shares * (differences**2).sum(axis=1)).sum()) / 4
    now = ahead = np.ones(differences.shape[1])
    pace = 1.0
    for _ in range(ROUNDS):
        told = differences @ ahead + rests
        wrong = 1 / (1 + np.exp(np.clip(told, -50, 50)))
        slope = DRAWN * (ahead - 1.0) - differences.T @ (shares * wrong)
        then = np.clip(ahead - slope / steep, LEAST, MOST)
        faster = (1 + (1 + 4 * pace * pace) ** 0.5) / 2
        ahead = then + (pace - 1) / faster * (then - now)
        now, pace = then, faster
    return now
