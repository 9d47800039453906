"""Makes up lessons: incidents with suspects whose rules tell the truth, or one of which misleads."""

import random
from datetime import timedelta

from bot.domain.evidence import Candidate, Fact
from bot.investigation.learning.lessons import NOBODY, Lesson
from tests.fakes import NOON

RULES = ("timeout", "pool", "retry", "cache", "overlap", "removal")


def suspect(id: str, points: dict[str, float], heard: float = 3.0) -> Candidate:
    """A suspect with one fact a rule."""
    facts = tuple(Fact(f"{rule} of {id}", p, ("E1",), rule) for rule, p in points.items() if p)
    score = round(sum(f.points for f in facts), 3)
    return Candidate(id, "shop", f"change {id}", commit=id * 7, shipped_at=NOON, score=score, facts=facts, heard=heard)


def made_up(count: int, seed: int, misleads: float = 0.0, *, nobody: float = 0.1) -> list[Lesson]:
    """Incidents in which the culprit has more points of every rule on average, except of the rule `cache`.

    With the chance `misleads` that rule gives an innocent four points, and never the culprit.
    """
    dice = random.Random(seed)
    lessons = []
    for n in range(count):
        names = ["a", "b", "c", "d"]
        culprit = NOBODY if dice.random() < nobody else dice.choice(names)
        tricked = dice.choice([n for n in names if n != culprit]) if dice.random() < misleads else ""
        suspects = []
        for name in names:
            points = {r: dice.choice([0.0, 0.0, 1.0]) * dice.uniform(0.5, 1.5) for r in RULES if r != "cache"}
            if name == culprit:
                points[dice.choice(["timeout", "pool", "retry"])] += dice.uniform(2.0, 4.5)
            if name == tricked:
                points["cache"] = 4.0
            suspects.append(suspect(name, points, heard=3.0 if name in (culprit, tricked) else 0.5))
        suspects.sort(key=lambda c: -c.score)
        key = f"{culprit}@{culprit * 7}" if culprit else NOBODY
        lessons.append(Lesson(f"i{n:03}", NOON + timedelta(hours=n), tuple(suspects), key))
    return lessons


def at_random(count: int, seed: int) -> list[Lesson]:
    """Incidents whose rules say nothing of who did it: there is nothing to learn."""
    dice = random.Random(seed)
    lessons = []
    for n in range(count):
        found = [
            suspect(name, {r: dice.uniform(0, 3) for r in dice.sample(RULES, 3)}, heard=dice.choice([0.0, 1.0, 3.0]))
            for name in "abcd"
        ]
        culprit = dice.choice(found)
        found.sort(key=lambda c: -c.score)
        lessons.append(Lesson(f"i{n:03}", NOON + timedelta(hours=n), tuple(found), culprit.key))
    return lessons
