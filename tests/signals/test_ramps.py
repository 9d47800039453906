"""A steady growth is dated by its beginning, long before it is a deviation."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from bot.domain.telemetry import Series
from bot.signals.onset import deviation
from bot.signals.ramps import Ramp, ramps
from tests.investigation.cases import at, series


def found(value: Callable[[float], float], until: float = 120, metric: str = "queue_depth", noise: float = 0.001) -> Ramp | None:
    one = series("orders", metric, value, until, every=1, noise=noise)
    far = deviation(one, at(until - 1), healthy_until=at(30))
    return next(iter(ramps([one], [far] if far else [])), None)


def test_a_ramp_out_of_a_level_begins_where_the_two_lines_meet() -> None:
    ramp = found(lambda t: 100 + max(0.0, 5 * (t - 40)))
    assert ramp is not None
    assert abs(ramp.at - at(40)) <= timedelta(seconds=2)
    assert ramp.low == pytest.approx(100, rel=0.01)
    assert ramp.high == pytest.approx(495, rel=0.02)
    assert ramp.about >= timedelta(seconds=3)


def test_a_step_is_no_ramp() -> None:
    assert found(lambda t: 500 if t >= 40 else 100) is None


def test_what_grew_all_the_time_did_not_begin() -> None:
    assert found(lambda t: 100 + 5 * t) is None


def test_what_goes_up_and_down_is_no_ramp() -> None:
    assert found(lambda t: 100 + (t % 17) * 40 if t > 40 else 100) is None


def test_a_series_that_nobody_gave_has_no_ramp() -> None:
    one = series("orders", "queue_depth", lambda t: 100 + max(0.0, 5 * (t - 40)), 120, every=1)
    far = deviation(one, at(119), healthy_until=at(30))
    assert far is not None
    assert ramps([Series("orders", "another", one.points)], [far]) == ()
