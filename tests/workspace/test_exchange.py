"""Trigger ids and response URLs run out, as at Slack."""

from datetime import UTC, datetime, timedelta

import pytest

from bot.workspace.errors import SlackError
from bot.workspace.exchange import Exchange
from bot.workspace.faults import Pace

START = datetime(2025, 11, 24, 14, 0, tzinfo=UTC)


class Desk:
    def __init__(self) -> None:
        self.now = START
        self.exchange = Exchange(lambda: self.now, "http://127.0.0.1:1", "T1")

    def wait(self, **time: float) -> None:
        self.now += timedelta(**time)


def test_a_trigger_works_once_within_three_seconds() -> None:
    desk = Desk()
    first, second = desk.exchange.trigger("U1"), desk.exchange.trigger("U1")
    desk.wait(seconds=3)
    assert desk.exchange.redeem(first).user == "U1"
    with pytest.raises(SlackError, match="exchanged_trigger_id"):
        desk.exchange.redeem(first)
    desk.wait(seconds=0.1)
    with pytest.raises(SlackError, match="expired_trigger_id"):
        desk.exchange.redeem(second)
    with pytest.raises(SlackError, match="invalid_trigger_id"):
        desk.exchange.redeem("1.2.x")


def test_a_response_url_works_five_times() -> None:
    desk = Desk()
    token = desk.exchange.response_url("U1", "C1", "1.2").rpartition("/")[2]
    assert [desk.exchange.use(token).uses for _ in range(5)] == [1, 2, 3, 4, 5]
    with pytest.raises(SlackError, match="used_url"):
        desk.exchange.use(token)


def test_a_response_url_works_for_thirty_minutes() -> None:
    desk = Desk()
    token = desk.exchange.response_url("U1", "C1").rpartition("/")[2]
    desk.wait(minutes=30)
    assert desk.exchange.use(token).channel == "C1"
    desk.wait(seconds=1)
    with pytest.raises(SlackError, match="expired_url"):
        desk.exchange.use(token)


def test_the_pace_allows_a_burst_and_then_one_a_second() -> None:
    pace = Pace()
    assert [pace.wait("C1", START) for _ in range(5)] == [0, 0, 0, 0, 1]
    assert pace.wait("C2", START) == 0
    assert pace.wait("C1", START + timedelta(seconds=1)) == 0
