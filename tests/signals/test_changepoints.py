"""Where a series changed for good."""

import random

from bot.signals.changepoints import change_point, shift, since_last_jump


def _noise(n: int, level: float, seed: int) -> list[float]:
    chance = random.Random(seed)
    return [chance.gauss(level, 1) for _ in range(n)]


def test_a_change_of_level_is_dated() -> None:
    found = change_point(_noise(40, 10, 1) + _noise(20, 13, 2))
    assert found is not None
    assert 38 <= found <= 42


def test_noise_has_no_change_point_and_outliers_make_none() -> None:
    assert not any(change_point(_noise(60, 10, seed)) for seed in range(20))
    spiky = _noise(60, 10, 3)
    spiky[30] = spiky[45] = 500.0
    assert change_point(spiky) is None
    assert change_point([5.0] * 60) is None


def test_a_shift_is_measured_in_the_noise_of_before() -> None:
    found = shift([10, 11, 9, 10, 10.5], [30, 31, 29, 30, 33])
    assert found is not None
    assert (found.before, found.after, found.outside) == (10, 30, 1.0)
    assert found.scales > 20
    assert shift([1, 2, 3], [9, 9, 9, 9, 9]) is None


def test_what_stands_still_does_not_make_little_things_large() -> None:
    found = shift([100.0] * 10, [101.0] * 10)
    assert found is not None
    assert found.scales < 1
    zero = shift([0.0] * 10, [0.001] * 10, floor=0.01)
    assert zero is not None
    assert zero.scales < 1


def test_a_disk_that_was_emptied_begins_anew() -> None:
    filling = [10.0 + n * 0.5 + (n % 3) * 0.1 for n in range(40)]
    assert since_last_jump(filling) == 0
    assert since_last_jump(filling + [5.0 + n * 0.5 for n in range(20)]) == 40
