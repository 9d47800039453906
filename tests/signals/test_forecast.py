"""When something runs out."""

import math
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.telemetry import Series
from bot.signals.forecast import forecasts, said, theil_sen
from tests.fakes import NOON

WEEK = timedelta(days=7)


def _series(metric: str, value: Callable[[float], float], hours: int = 48, noise: float = 0.0, service: str = "db-1") -> Series:
    chance = random.Random(11)
    points = [(NOON - timedelta(hours=h), value(-h / 24) + chance.gauss(0, noise)) for h in range(hours, -1, -1)]
    return Series(service, metric, tuple(points))


def test_a_disk_that_fills_is_told_with_an_interval() -> None:
    disk = _series("host_disk_used_ratio", lambda days: 0.9 + 0.03 * days, noise=0.001)
    (found,) = forecasts([disk], NOON, WEEK)
    assert found.thing == "disk"
    assert found.earliest < found.at < found.latest
    assert abs((found.at - NOON) / timedelta(days=1) - 3.33) < 0.4
    assert said(found, NOON).startswith("disk of db-1 full in 3.")
    assert found.latest - found.earliest < timedelta(days=2)


def test_bytes_that_are_left_and_bytes_with_a_limit_are_read() -> None:
    left = _series("node_filesystem_free_bytes", lambda days: 2e9 - 1e9 * days, noise=1e7)
    used = _series("quota_used_requests", lambda days: 9000 + 400 * days, noise=20)
    limit = _series("quota_limit_requests", lambda _: 10_000)
    things = [(f.thing, round((f.at - NOON) / timedelta(days=1), 1)) for f in forecasts([left, used, limit], NOON, WEEK)]
    assert [thing for thing, _ in things] == ["disk", "quota"]
    assert abs(things[0][1] - 2.0) < 0.2
    assert abs(things[1][1] - 2.5) < 0.3


@pytest.mark.parametrize(
    ("metric", "words"),
    [
        ("host_disk_used_ratio", "disk of db-1 full in 3."),
        ("container_memory_used_ratio", "memory of db-1 full in 3."),
        ("db_pool_connections_used_ratio", "connections of db-1 used up in 3."),
        ("process_fds_used_ratio", "file descriptors of db-1 used up in 3."),
        ("api_quota_used_ratio", "quota of db-1 used up in 3."),
    ],
)
def test_each_kind_is_told_by_its_name_with_an_interval(metric: str, words: str) -> None:
    (found,) = forecasts([_series(metric, lambda days: 0.9 + 0.03 * days, noise=0.001)], NOON, WEEK)
    assert said(found, NOON).startswith(words)
    assert found.earliest < found.at < found.latest


def test_which_of_several_disks_it_is_stands_in_the_words() -> None:
    disk = replace(_series("node_filesystem_avail_bytes", lambda days: 2e9 - 1e9 * days), labels={"mountpoint": "/var"})
    (found,) = forecasts([disk], NOON, WEEK)
    assert said(found, NOON).startswith("disk of db-1 (mountpoint=/var) full in 2.0 days")


@pytest.mark.parametrize("limit", [math.nan, math.inf])
def test_a_limit_that_is_no_number_says_nothing(limit: float) -> None:
    used = _series("quota_used_requests", lambda days: 9000 + 400 * days, noise=20)
    assert forecasts([used, _series("quota_limit_requests", lambda _: limit)], NOON, WEEK) == ()


def test_nothing_is_said_of_what_wanders_has_stopped_or_is_far_away() -> None:
    wanders = _series("host_disk_used_ratio", lambda _: 0.8, noise=0.01)
    stopped = _series("host_disk_used_ratio", lambda days: 0.9 + 0.05 * min(days, -0.7))
    slow = _series("host_disk_used_ratio", lambda days: 0.5 + 0.005 * days, noise=0.0005)
    emptied = _series("host_disk_used_ratio", lambda days: 0.9 + 0.05 * days if days < -0.2 else 0.2)
    shrinks = _series("host_memory_used_ratio", lambda days: 0.9 - 0.05 * days)
    assert forecasts([wanders, stopped, slow, emptied, shrinks], NOON, WEEK) == ()


def test_a_slow_daily_wave_is_no_trend_that_fills_a_disk() -> None:
    wave = _series("container_memory_used_ratio", lambda days: 0.6 + 0.2 * math.sin(2 * math.pi * days), noise=0.01)
    assert forecasts([wave], NOON, WEEK) == ()


def test_a_certificate_ends_when_it_says() -> None:
    days = _series("certificate_remaining_days", lambda day: 6.5 - day, service="edge")
    epoch = _series("ssl_cert_not_after", lambda _: (NOON + timedelta(days=2)).timestamp(), service="api")
    manager = _series("certmanager_certificate_expiration_timestamp_seconds", lambda _: (NOON + timedelta(days=3)).timestamp())
    found = forecasts([days, epoch, manager], NOON, WEEK)
    assert [said(f, NOON) for f in found] == [
        "certificate of api expires in 2.0 days",
        "certificate of db-1 expires in 3.0 days",
        "certificate of edge expires in 6.5 days",
    ]
    assert all(f.exact for f in found)
    assert forecasts([_series("certificate_remaining_days", lambda day: 60 - day)], NOON, WEEK) == ()


@pytest.mark.slow
def test_the_slope_and_its_interval_are_scipys() -> None:
    from scipy.stats import theilslopes  # slow to import

    chance = random.Random(5)
    x = [float(n) for n in range(60)]
    y = [0.3 * n + chance.gauss(0, 4) for n in x]
    theirs = theilslopes(y, x, 0.95)
    ours = theil_sen(x, y)
    assert ours[0] == pytest.approx(theirs[0])
    assert ours[1:] == pytest.approx((theirs[2], theirs[3]), rel=0.02)
