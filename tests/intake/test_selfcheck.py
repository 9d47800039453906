"""A failing part is reported once, and once when it is back; the monitor hears a heartbeat only while all is well."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, cast

import httpx
import pytest

from bot.domain.view import NoteView
from bot.errors import Unavailable
from bot.flows.desk import Desk
from bot.intake.selfcheck import Probe, SelfCheck
from bot.storage.database import SqlDatabase
from tests.fakes import FakeClock
from tests.flows.reaching.fakes import a_reaching_desk, until

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)  # the stores have their own tests on both
ROUTING = 'default: {channel: "#incidents"}\nhealth: "#tocsin"'


@pytest.fixture
def why() -> dict[str, str]:
    return {}


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_reaching_desk(database, clock, ROUTING)


def probe(why: dict[str, str], name: str) -> Probe:
    async def ask() -> str:
        if why.get(name) == "raises":
            raise Unavailable("The database did not answer.")
        return why.get(name, "")

    return ask


def check(desk: Desk, why: dict[str, str], **more: object) -> SelfCheck:
    return SelfCheck(desk, {name: probe(why, name) for name in ("database", "inbox")}, **more)  # type: ignore[arg-type]  # as given


async def looks(self_check: SelfCheck, desk: Desk, clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds // 5):
        clock.advance(seconds=5)
        await self_check.once()
    await until(desk, clock, seconds=0)


def said(desk: Desk) -> list[str]:
    return [p.view.text for p in desk.channel.posts if isinstance(p.view, NoteView) and p.place.channel == "C-TOCSIN"]


async def test_it_is_said_once_when_a_part_is_gone_and_once_when_it_is_back(
    desk: Desk, clock: FakeClock, why: dict[str, str]
) -> None:
    watch = check(desk, why)
    await looks(watch, desk, clock, 300)
    assert said(desk) == []
    why["inbox"] = "nothing was drained for 30 s"
    await looks(watch, desk, clock, 20)
    assert said(desk) == []
    await looks(watch, desk, clock, 3600)
    assert said(desk) == ["Tocsin: inbox does not work, since 12:05 UTC: nothing was drained for 30 s"]
    del why["inbox"]
    await looks(watch, desk, clock, 3600)
    assert len(said(desk)) == 2
    assert "inbox works again" in said(desk)[1]


async def test_a_part_that_flaps_does_not_spam(desk: Desk, clock: FakeClock, why: dict[str, str]) -> None:
    watch = check(desk, why)
    for _ in range(30):  # an hour of 40 s bad, 80 s good
        why["inbox"] = "stuck"
        await looks(watch, desk, clock, 40)
        del why["inbox"]
        await looks(watch, desk, clock, 80)
    assert 2 <= len(said(desk)) <= 4


async def test_a_restart_says_nothing_twice_and_takes_back_what_is_over(
    desk: Desk, clock: FakeClock, why: dict[str, str]
) -> None:
    why["inbox"] = "stuck"
    await looks(check(desk, why), desk, clock, 60)
    await looks(check(desk, why), desk, clock, 60)
    assert len(said(desk)) == 1
    del why["inbox"]
    await looks(check(desk, why), desk, clock, 120)
    await looks(check(desk, why), desk, clock, 120)
    assert len(said(desk)) == 2


async def test_what_flows_say_of_a_vendor_is_reported_alike(desk: Desk, clock: FakeClock, why: dict[str, str]) -> None:
    watch = check(desk, why)
    desk.vitals.failed("pagerduty", "it did not answer with the token xoxb-1234567890-abcdefghij")
    await looks(watch, desk, clock, 60)
    desk.vitals.well("pagerduty")
    await looks(watch, desk, clock, 120)
    first, second = said(desk)
    assert "pagerduty does not work" in first
    assert "xoxb-1234567890" not in first
    assert "pagerduty works again" in second


class Away:
    """A database that can be away."""

    def __init__(self, real: SqlDatabase) -> None:
        self.real, self.gone = real, False

    async def write(self, work: Any) -> Any:
        """Away, or as the real one."""
        if self.gone:
            raise Unavailable("The database did not answer.")
        return await self.real.write(work)

    async def read(self, work: Any) -> Any:
        """As `write`."""
        return await self.write(work)


async def test_with_the_database_away_it_is_said_past_it_and_its_return_is_said_too(
    database: SqlDatabase, clock: FakeClock, why: dict[str, str]
) -> None:
    away = Away(database)
    desk = a_reaching_desk(cast(SqlDatabase, away), clock, ROUTING)
    watch = check(desk, why)
    await looks(watch, desk, clock, 10)
    away.gone, why["database"] = True, "raises"
    for _ in range(20):
        clock.advance(seconds=5)
        await watch.once()
    assert len(said(desk)) == 1
    away.gone = False
    del why["database"]
    await looks(watch, desk, clock, 120)
    assert len(said(desk)) == 2, said(desk)
    assert "database works again" in said(desk)[-1]


async def test_where_the_channel_for_it_is_not_there_the_default_one_hears_of_it(
    database: SqlDatabase, clock: FakeClock, why: dict[str, str]
) -> None:
    desk = a_reaching_desk(database, clock, ROUTING.replace("#tocsin", "#missing"))
    why["inbox"] = "stuck"
    await looks(check(desk, why), desk, clock, 60)
    (post,) = [p for p in desk.channel.posts if isinstance(p.view, NoteView)]  # type: ignore[attr-defined]  # FakeChannel
    assert post.place.channel == "C-INCIDENTS"
    assert "inbox does not work" in post.view.text


async def test_the_heartbeat_comes_every_minute_while_the_vital_parts_work(
    desk: Desk, clock: FakeClock, why: dict[str, str]
) -> None:
    beats: list[str] = []
    answer: Callable[[], int] = lambda: 200  # noqa: E731  one that the test exchanges

    def monitor(request: httpx.Request) -> httpx.Response:
        beats.append(str(request.url))
        return httpx.Response(answer())

    url = "https://monitor.example/ping/a-secret-id"
    watch = check(
        desk, why, vital=("database",), heartbeat=url, every=timedelta(seconds=60), transport=httpx.MockTransport(monitor)
    )
    await looks(watch, desk, clock, 300)
    assert beats == [url] * 5
    why["database"] = "away"
    await looks(watch, desk, clock, 300)
    assert len(beats) == 5
    del why["database"]
    answer = lambda: 500  # noqa: E731  as above
    await looks(watch, desk, clock, 120)
    assert len(beats) == 7
    assert not any("a-secret-id" in line for line in said(desk))
