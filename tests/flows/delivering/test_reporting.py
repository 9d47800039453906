"""The figures reach people: on Mondays with pictures, and whoever asks."""

from datetime import timedelta

import pytest

from bot.charts import draw
from bot.domain.request import CommandRequest, Person
from bot.domain.view import FiguresView, NoteView
from bot.errors import NotAllowed
from bot.flows.command import on_command
from bot.flows.delivering.reporting import charts, delivery_report, figures_of
from bot.flows.desk import Desk
from bot.ports import Reached
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeChannel, FakeClock, an_incident
from tests.incidents.delivery.events import shipped

MONDAY, SUNDAY = "2026-11-23T09:00", "2026-11-22T09:00"


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr("bot.flows.charting.incident.draw", lambda chart: b"PNG " + chart.title.encode())
    clock.advance(days=7)
    return a_desk(database, clock)


async def shipped_six(desk: Desk) -> None:
    await desk.db.write(lambda tx: desk.changes.save(tx, [shipped(f"v{n}", n, by="github") for n in range(1, 7)]))


def asked(text: str) -> CommandRequest:
    return CommandRequest(Person("U1", "T1"), "C1", "tocsin", tuple(text.split()), text, "trigger", "c1")


def shown(desk: Desk) -> list[FiguresView]:
    return [p.view for p in desk.channel.posts if isinstance(p.view, FiguresView)]  # type: ignore[attr-defined]  # a FakeChannel


async def test_on_mondays_the_figures_are_posted_once_with_their_pictures(desk: Desk) -> None:
    await shipped_six(desk)
    for slot in (SUNDAY, MONDAY, MONDAY, "boot"):
        await delivery_report({"slot": slot}, desk)
    (view,) = shown(desk)
    assert view.title == "Delivery and on-call, 28 days"
    assert dict(view.parts)["Delivery"][0] == "Deployment frequency: 1.5 a week (6 in 28 days)"
    assert dict(view.parts)["By service"][0].startswith("payments: 1.5 a week")
    assert [c.title for c in view.charts] == ["Deployments a week", "By service, 28 days"]
    assert view.charts[0].alt == "Deployments by week. week of 22 Nov: 6"  # weeks before anything was heard of are no zeros
    assert "payments: 6, 0 failed, 0 % failed" in view.charts[1].alt


async def test_a_quiet_month_is_no_news(desk: Desk) -> None:
    await delivery_report({"slot": MONDAY}, desk)
    assert shown(desk) == []


async def test_where_no_file_may_be_handed_over_the_words_stand_alone_and_say_so(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_args: object, **_named: object) -> str:
        raise NotAllowed("no scope")

    monkeypatch.setattr(FakeChannel, "upload", refused)
    await shipped_six(desk)
    await delivery_report({"slot": MONDAY}, desk)
    (view,) = shown(desk)
    assert view.charts == ()
    assert any("files:write" in note for note in view.notes)


async def test_whoever_asks_gets_one_service_or_another_span(desk: Desk) -> None:
    await shipped_six(desk)
    answer = await on_command(asked("delivery payments-api 2w"), desk)
    assert isinstance(answer, FiguresView)
    assert answer.title == "Delivery of payments, 14 days"
    assert [name for name, _ in answer.parts] == ["Delivery"]
    for wrong in ("delivery nosuch", "delivery 0d", "delivery 900d"):
        note = await on_command(asked(wrong), desk)
        assert isinstance(note, NoteView)
        assert "/tocsin delivery [service] [28d]" in note.text


async def test_the_night_of_a_person_is_where_they_are(desk: Desk, clock: FakeClock) -> None:
    """Noon in UTC is 23:00 in Auckland's neighbourhood; nobody knows where U0OTHER is."""
    desk.channel.timezones["U0ONCALL"] = "Pacific/Noumea"  # type: ignore[attr-defined]  # a FakeChannel
    at = clock() - timedelta(hours=24)
    for person in ("U0ONCALL", "U0OTHER"):
        one = Reached(person, "i", at, "person", person, "done")
        await desk.db.write(lambda tx, one=one: desk.reach.put(tx, one))  # type: ignore[misc]  # a lambda's default
    await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0)))
    found = await figures_of(desk, clock() - timedelta(days=2), clock(), seconds=1)
    assert [(w.name, w.night) for w in found.on_call.watches] == [("U0ONCALL", 1), ("U0OTHER", 0)]


async def test_the_pictures_are_drawn_for_real(desk: Desk, clock: FakeClock) -> None:
    await shipped_six(desk)
    found = await figures_of(desk, clock() - timedelta(days=28), clock(), seconds=1)
    assert [draw(chart)[:8] for chart in charts(found)] == [b"\x89PNG\r\n\x1a\n"] * 2
