"""Charts and maps that somebody asks for: shown once, with the query behind them, or an honest no."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.domain.request import CommandRequest, Person, Question
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.domain.view import AnswerView, ChartsView, NoteView, Place
from bot.flows.asking.question import on_question
from bot.flows.charting.asked import fitting
from bot.flows.command import on_command
from bot.flows.desk import Desk
from bot.ports import Card
from bot.storage.database import SqlDatabase
from tests.desk import a_desk, handlers
from tests.fakes import FakeClock, an_incident
from tests.flows.watching.numbers import Logs

METRICS = ("http_request_error_ratio", "http_request_seconds_p99", "process_resident_memory_bytes", "http_requests_per_second")


class Numbers:
    """An evidence source with four metrics of each service that it knows."""

    name = "prometheus"
    numbers = True

    def __init__(self, knows: Sequence[str] = ("payments", "checkout")) -> None:
        self.knows = knows

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer a service."""
        points = tuple((window.start + timedelta(minutes=n), float(n % 5)) for n in range(5))
        answers = []
        for service in services:
            series = tuple(Series(service, m, points) for m in METRICS) if service in self.knows else ()
            status = SourceStatus.OK if series else SourceStatus.NO_DATA
            answers.append(Readings(self.name, f'{{service="{service}"}}', window, status, series=series))
        return tuple(answers)


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock, evidence_sources=(Numbers(),))


async def ask(desk: Desk, text: str, times: int = 1) -> AnswerView:
    question = Question(Person("U0ONCALL"), Place("C-PAYMENTS", "9.5", "9.1"), text, "", f"C-PAYMENTS:{text}")
    for _ in range(times):
        await on_question(question, desk)
    await desk.work.run_all(handlers(desk))
    return next(p.view for p in reversed(desk.channel.posts) if isinstance(p.view, AnswerView))


async def test_a_chart_that_somebody_asks_for_stands_in_the_thread_with_its_query(desk: Desk) -> None:
    answer = await ask(desk, "show me a chart of the errors of payments", times=2)
    [shown] = [p for p in desk.channel.posts if isinstance(p.view, ChartsView)]
    assert shown.place.thread == "9.1"
    assert isinstance(shown.view, ChartsView)
    assert shown.view.charts[0].title == "payments: request error ratio"
    assert answer.evidence == (("E1", 'prometheus: {service="payments"}', ""),)
    assert "[E1]" in answer.markdown


async def test_a_follow_up_keeps_the_service(desk: Desk) -> None:
    await ask(desk, "chart the errors of payments")
    await ask(desk, "and its memory?")
    titles = [p.view.charts[0].title for p in desk.channel.posts if isinstance(p.view, ChartsView)]
    assert titles == ["payments: request error ratio", "payments: memory"]


async def test_what_was_not_understood_is_said_beside_what_is_shown(desk: Desk) -> None:
    said = (await ask(desk, "chart the conversion of payments")).markdown
    assert said.startswith("I know neither a metric nor a service called “conversion”. This is of payments:\n- payments")
    for text in (
        "chart the errors of payments",
        "please show me how slow payments is now",
        "graph the requests per second of payments today",
    ):
        assert "neither" not in (await ask(desk, text)).markdown, text


async def test_numbers_that_nobody_has_are_not_drawn_and_what_is_needed_is_said(desk: Desk) -> None:
    answer = await ask(desk, "chart the errors of search")
    assert answer.markdown.startswith("I do not know: prometheus has no data for")
    assert "Needed: a metric of search" in answer.markdown
    assert desk.channel.files == []


@pytest.mark.parametrize("sources", [(), (Logs(),)], ids=["no source", "logs alone"])
async def test_without_a_source_it_says_what_to_connect(
    database: SqlDatabase, clock: FakeClock, sources: tuple[Logs, ...]
) -> None:
    answer = await ask(a_desk(database, clock, evidence_sources=sources), "chart the errors of payments")
    assert "no source of numbers is connected" in answer.markdown


def test_the_metric_that_is_asked_for_is_chosen() -> None:
    series = [Series("payments", m, ((None, 1.0), (None, 2.0))) for m in METRICS]  # type: ignore[arg-type]  # times do not matter here
    for text, metric in (
        ("graph of errors", METRICS[0]),
        ("is it slow? chart please", METRICS[1]),
        ("chart the memory", METRICS[2]),
        ("plot the traffic", METRICS[3]),
    ):
        assert fitting(text, series)[0][0].metric == metric, text
    assert fitting("chart it", series)[0][0].metric in METRICS[:2]


async def test_the_map_stands_in_the_thread_of_the_incident_and_is_edited(desk: Desk) -> None:
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0)))
    await desk.db.write(lambda tx: desk.cards.put(tx, Card(f"card:{incident.id}", Place("C-PAYMENTS", "1.1"))))
    request = CommandRequest(Person("U1"), "C-PAYMENTS", "incident", ("map", "INC-42"), "map INC-42", "T1", "R1")
    for _ in range(2):
        said = await on_command(request, desk)
        await desk.work.run_all(handlers(desk))
    assert isinstance(said, NoteView)
    assert said.text == "The map stands in the thread of INC-42."
    [shown] = [p for p in desk.channel.posts if isinstance(p.view, ChartsView)]
    assert shown.place.thread == "1.1"
    assert "payments is failing; called by checkout; calls acmepay" in shown.view.charts[0].alt
