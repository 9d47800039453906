"""Charts of an incident: once after news, one message, nothing twice, given up where the chat does not take them."""

from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from bot.domain.incident import Incident
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.domain.view import ChartsView, Place
from bot.errors import NotAllowed
from bot.flows.charting.incident import MOST_TRIES, draw_incident
from bot.flows.desk import Desk
from bot.flows.investigation import investigate
from bot.ports import Handler, Scalar
from bot.storage.database import SqlDatabase
from tests.desk import a_desk, handlers
from tests.fakes import NOON, FakeClock, an_incident


class Rising:
    """An evidence source: errors rose three minutes before noon."""

    name = "prometheus"

    def __init__(self) -> None:
        self.level = 0.3

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """A sample each fifteen seconds."""
        count = int((window.end - window.start).total_seconds() // 15)
        times = [window.start + timedelta(seconds=15 * n) for n in range(count)]
        points = tuple((at, self.level if at >= NOON - timedelta(minutes=3) else 0.002) for at in times)
        series = tuple(Series(s, "http_request_error_ratio", points) for s in services)
        return (Readings(self.name, "errors", window, SourceStatus.OK, series=series),)


async def nothing(_: Mapping[str, Scalar]) -> None:
    """Work that does not matter here."""


QUIET: Mapping[str, Handler] = dict.fromkeys(("refresh", "first_card", "investigate"), nothing)


@pytest.fixture
def source() -> Rising:
    return Rising()


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, source: Rising) -> Desk:
    return a_desk(database, clock, evidence_sources=(source,))


async def looked_into(desk: Desk, clock: FakeClock) -> Incident:
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0)))
    await investigate({"incident_id": incident.id}, desk)
    await desk.work.run_all(handlers(desk), now=clock())
    return incident


async def test_charts_come_a_while_after_the_first_card_in_its_thread(desk: Desk, clock: FakeClock) -> None:
    await looked_into(desk, clock)
    assert desk.channel.files == []
    clock.advance(seconds=desk.limits.draw.total_seconds())
    await desk.work.run_all(handlers(desk), now=clock())
    names = [name for name, *_ in desk.channel.files]
    assert "inc-42-metric.png" in names
    assert all(content.startswith(b"\x89PNG") for _, content, *_ in desk.channel.files)
    [shown] = [p for p in desk.channel.posts if isinstance(p.view, ChartsView)]
    assert shown.place.thread == desk.channel.posts[0].place.ts
    assert isinstance(shown.view, ChartsView)
    assert [d.id for d in shown.view.charts] == [f"F{n + 1}" for n in range(len(names))]
    assert "error ratio" in shown.view.charts[0].alt


async def test_what_looks_as_before_is_not_handed_over_again(desk: Desk, clock: FakeClock, source: Rising) -> None:
    incident = await looked_into(desk, clock)
    clock.advance(seconds=30)
    for _ in range(2):
        await draw_incident({"incident_id": incident.id}, desk)
    once = len(desk.channel.files)
    assert once
    source.level = 0.6
    await draw_incident({"incident_id": incident.id}, desk)
    assert len(desk.channel.files) > once


async def test_a_chat_that_takes_no_files_is_tried_a_few_times_and_the_incident_goes_on(desk: Desk, clock: FakeClock) -> None:
    incident = await looked_into(desk, clock)
    clock.advance(seconds=30)
    desk.channel.down = True
    await draw_incident({"incident_id": incident.id}, desk)
    for _ in range(MOST_TRIES + 2):
        clock.advance(minutes=2)
        await desk.work.run_all({"draw": lambda args: draw_incident(args, desk), **QUIET}, now=clock())
    assert [s.args["tries"] for s in desk.work.named("draw") if "tries" in s.args].count(MOST_TRIES) <= 2
    assert all(s.id in desk.work.done for s in desk.work.named("draw"))


async def test_a_bot_that_may_hand_over_nothing_says_so_in_its_log(
    desk: Desk, clock: FakeClock, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    incident = await looked_into(desk, clock)
    clock.advance(seconds=30)

    async def refuse(name: str, content: bytes, *, title: str, alt: str = "", place: Place | None = None) -> str:
        raise NotAllowed("Slack refused files.upload: not_allowed.")

    monkeypatch.setattr(desk.channel, "upload", refuse)
    await draw_incident({"incident_id": incident.id}, desk)
    assert "charts are not shown" in caplog.text


async def test_whoever_wants_no_charts_gets_none(database: SqlDatabase, clock: FakeClock, source: Rising) -> None:
    desk = a_desk(database, clock, evidence_sources=(source,), draws=False)
    await looked_into(desk, clock)
    assert desk.work.named("draw") == []
