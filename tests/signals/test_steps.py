"""A configured value shows in telemetry as one clean step."""

from datetime import UTC, datetime, timedelta

from bot.domain.telemetry import Series
from bot.signals.steps import step, steps

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def series(*values: float) -> Series:
    return Series("cart", "pool_size", tuple((START + timedelta(minutes=i), v) for i, v in enumerate(values)))


def test_a_clean_step_gives_old_new_and_time() -> None:
    found = step(series(*[50.0] * 5, *[10.0] * 4))
    assert found is not None
    assert (found.old, found.new, found.at) == (50.0, 10.0, START + timedelta(minutes=5))


def test_what_wobbles_or_goes_back_is_no_step() -> None:
    assert step(series(50, 50, 50, 10, 10, 10, 50, 50)) is None
    assert step(series(1, 2, 3, 4, 5, 6, 7)) is None
    assert step(series(50, 50, 50, 50, 50, 10)) is None
    assert steps([series(5, 5, 5)]) == ()
