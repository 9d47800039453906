"""Samples of log lines know what they stand for, and say so."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.domain.telemetry import Window
from bot.wire.loglines import RawLine
from bot.wire.logsamples import Part, both_ends, cut, guessed, sampled

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=10))


def raw(text: str, second: float) -> RawLine:
    return RawLine(START + timedelta(seconds=second), "cart", text)


def test_a_sample_stands_for_all_lines_of_its_part_and_says_so() -> None:
    loud = Part("that tell of trouble", [raw("ERROR x", 5)], 1, "first 3 and last 3")
    calm = Part("others", [raw(f"ok {n}", n) for n in range(6)], 60_000, "first 3 and last 3")
    assert sum(line.stands_for for line in sampled([loud, calm])) == 60_001
    assert cut([loud, calm]) == (
        "all 1 that tell of trouble and first 3 and last 3 others of about 60,000 lines; counts are scaled up to that"
    )
    assert cut([loud]) == ""


def test_what_nobody_counts_is_taken_to_be_as_dense_as_the_sample() -> None:
    ends = [raw("ok", t) for t in (0, 1, 2, 3, 4, 590, 592, 594, 596, 598)]
    part = Part("", ends, guessed(ends, WINDOW), "first 5 and last 5", counted=False)
    (first, *_) = sampled([part])
    assert first.stands_for == pytest.approx(600 / 12)
    assert "of about 500 lines, as dense as these are" in cut([part])


def test_both_ends_hold_no_line_twice_and_all_lines_where_they_meet() -> None:
    lines = [raw("ok", t) for t in range(5)]
    assert both_ends(lines[:3], lines[2:], 3) == tuple(lines)
    assert both_ends(lines[:2], lines[:2], 3) == tuple(lines[:2])
    assert both_ends([], [], 3) == ()
