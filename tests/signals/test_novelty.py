"""A metric is watched point by point."""

import math
import random

from bot.signals.novelty import DAY, HOUR, VERSION, Memory, Patience, told
from bot.signals.spread import Spread
from bot.storage.codec import dump, load

STEP = 900.0


def _daily(days: float, seed: int = 7) -> list[tuple[float, float]]:
    noise = random.Random(seed)
    steps = int(days * DAY / STEP)
    return [(n * STEP, 100 + 40 * math.sin(2 * math.pi * n * STEP / DAY) + noise.gauss(0, 2)) for n in range(steps)]


def test_what_was_never_seen_is_new_and_what_is_usual_is_not() -> None:
    memory = Memory()
    scores = [novel.score for at, value in _daily(9) if (novel := memory.meet(at, value))]
    assert max(scores[3 * 96 :]) < 1.6
    new = memory.meet(9 * DAY, 400.0)
    assert new is not None
    assert new.score > 4
    assert "steepest rise in all 9 days that it is watched" in memory.why(new)


def test_a_value_that_is_usual_at_noon_is_new_at_midnight() -> None:
    memory = Memory()
    for at, value in _daily(9):
        memory.meet(at, value)
    night = [memory.meet(9 * DAY + 0.75 * DAY + n * STEP, 105.0) for n in range(4)]  # where 60 is usual
    first = night[0]
    assert first is not None
    assert first.views[0] == 0
    assert first.views[3] > 0.2
    assert "furthest above what is usual at this hour" in memory.why(first)


def test_a_record_is_told_since_when() -> None:
    memory = Memory()
    for at, value in _daily(12):
        memory.meet(at, value + (300 if 3 * DAY <= at < 3 * DAY + HOUR else 0))
    new = memory.meet(12 * DAY, 330.0)
    assert new is not None
    assert "in 9 days" in memory.why(new)


def test_a_metric_of_zeros_does_not_cry_at_the_smallest_thing() -> None:
    silent = Memory()
    for n in range(400):
        silent.meet(n * STEP, 0.0, floor=0.01)
    small = silent.meet(400 * STEP, 0.0005, floor=0.01)
    large = silent.meet(401 * STEP, 0.2, floor=0.01)
    assert small is not None
    assert large is not None
    assert small.score < 1.6 < large.score


def test_a_point_that_is_no_number_or_comes_twice_is_passed_over() -> None:
    memory = Memory()
    assert memory.meet(100.0, math.nan) is None
    assert memory.meet(100.0, 1.0) is not None
    assert memory.meet(100.0, 2.0) is None
    assert memory.meet(50.0, 2.0) is None


def test_the_state_is_bounded_and_survives_being_written_down() -> None:
    memory, short = Memory(), Memory()
    points = _daily(30)
    for at, value in points[: 96 * 10]:
        short.meet(at, value)
    for at, value in points:
        memory.meet(at, value)
    assert len(dump(memory)) < 1.35 * len(dump(short)) < 40_000
    assert load(Memory, dump(Memory())) == Memory()
    again = load(Memory, dump(memory))
    assert again.version == VERSION
    assert again.meet(30 * DAY, 170.0) == memory.meet(30 * DAY, 170.0)


def test_nothing_more_is_told_while_it_is_quiet() -> None:
    points = [(n * HOUR, 3.0) for n in range(10)]
    assert told(points, Patience(2.0, 4 * HOUR)) == [0, 4, 8]
    assert told(points, Patience(3.5, HOUR)) == []


def test_percentiles_of_many_values_are_nearly_exact() -> None:
    chance, spread = random.Random(3), Spread()
    values = [chance.gauss(0, 1) ** 3 for _ in range(8000)]
    for value in values:
        spread.add(value)
    low, middle, high = spread.marks()
    values.sort()
    assert values[60] < low < values[100]
    assert values[3700] < middle < values[4300]
    assert values[7900] < high < values[7940]
    assert len(spread.means) < 120
