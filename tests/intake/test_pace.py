"""The pace of the drain: short beside the door, never starved, large when nothing comes."""

import pytest

from bot.intake.pace import BREATH, BURST, CROWD, DOOR_FIRST, FEWEST, FIRST, LARGE, LONG, MOST, PATIENCE, QUIET, SHORT, SPAN, Pace


def test_when_nothing_comes_batches_are_large_and_nobody_rests() -> None:
    pace = Pace()
    assert pace.events(0.0) == LARGE
    assert pace.rest(0.5, 2_000, 2_000, 0.5) == 0.0
    pace.arrived(1, 1.0)
    assert pace.events(1.0) == FIRST
    assert pace.events(1.0 + 2 * QUIET) == LARGE


def test_a_large_batch_on_a_slow_machine_gets_smaller_and_grows_again() -> None:
    pace = Pace()
    for _ in range(20):
        events = pace.events(0.0)
        pace.rest(0.002 * events, events, events, 0.0)
    assert pace.events(0.0) * 0.002 == pytest.approx(LONG, rel=0.1)
    for _ in range(20):
        events = pace.events(0.0)
        pace.rest(0.00015 * events, events, events, 0.0)
    assert pace.events(0.0) == LARGE


def test_while_deliveries_come_a_batch_takes_as_long_as_it_may() -> None:
    pace, now = Pace(), 0.0
    for _ in range(30):  # ten milliseconds each
        pace.arrived(10, now)
        events = pace.events(now)
        pace.rest(0.01 * events, events, events, now)
        now += 0.1
    assert pace.events(now) == FEWEST  # of which each costs ten milliseconds; fewer would cost too much each
    for _ in range(30):
        pace.arrived(10, now)
        events = pace.events(now)
        pace.rest(0.0002 * events, events, events, now)
        now += 0.1
    assert pace.events(now) * 0.0002 == pytest.approx(SHORT, rel=0.1)
    assert FEWEST < pace.events(now) < MOST


def test_a_batch_of_what_little_there_was_changes_nothing() -> None:
    pace = Pace()
    pace.arrived(1, 0.0)
    pace.rest(0.004, 1, 1, 0.0)
    assert pace.events(0.0) == FIRST


def test_what_comes_all_day_is_kept_up_with() -> None:
    pace = Pace()
    for _ in range(BURST // 2):
        pace.arrived(1, 0.0)
    assert pace.rest(0.2, 50, 50, 0.0) == 0.2
    assert pace.rest(0.001, 5, 5, 0.0) == BREATH


def test_in_a_burst_the_door_comes_first_but_not_for_ever() -> None:
    pace, rests = Pace(), []
    for second in range(int(PATIENCE) + 2):
        pace.arrived(2 * BURST, float(second))
        rests.append(pace.rest(SHORT, 50, 50, float(second)))
    assert rests[0] == rests[int(PATIENCE) - 1] == DOOR_FIRST * SHORT
    assert rests[-1] == max(BREATH, SHORT)


def test_many_senders_that_wait_at_once_are_a_burst_however_slow_the_machine() -> None:
    pace = Pace()
    for _ in range(5):
        pace.arrived(CROWD + 1, 0.0)
    assert pace.rest(SHORT, 50, 50, 0.0) == DOOR_FIRST * SHORT
    for _ in range(50):
        pace.arrived(1, 0.1)
    assert pace.rest(SHORT, 50, 50, 0.1) == BREATH


def test_large_deliveries_are_a_burst_by_what_is_in_them() -> None:
    pace = Pace()
    pace.arrived(1, 0.0)
    assert pace.rest(SHORT, 1, 100, 0.0) == BREATH
    assert pace.parcels(50) == 1
    for _ in range(BURST // 50):
        pace.arrived(1, 0.1)
    assert pace.rest(SHORT, 1, 100, 0.1) == DOOR_FIRST * SHORT
    pace.arrived(1, 0.2 + SPAN)
    assert pace.rest(SHORT, 1, 100, 0.2 + SPAN) == BREATH
