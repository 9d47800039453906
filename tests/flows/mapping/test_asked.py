"""Who calls whom, asked in a thread: each edge with its source, and an honest no."""

import pytest

from bot.domain.topology import SeenCall
from bot.flows.asking.meaning import meaning
from bot.flows.desk import Desk
from bot.flows.mapping.asked import calls_asked
from bot.investigation.answers import Topic, topic
from bot.storage.database import SqlDatabase
from bot.topology.current import LiveCatalogue
from tests.desk import SHOP, a_desk
from tests.fakes import FakeClock


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    desk = a_desk(database, clock, live=LiveCatalogue(lambda: SHOP))
    seen = [SeenCall("web", "payments", 4.0, 1.0, 20.0), SeenCall("<!channel> *evil*\x1b[2J\u202e", "payments", 0.1)]
    database.write_now(lambda tx: desk.topology.saw(tx, "otlp", seen, clock()))
    return desk


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("who calls payments", Topic.CALLS),
        ("what does checkout depend on?", Topic.CALLS),
        ("which services depend on payments", Topic.CALLS),
        ("show me the callers of payments", Topic.CALLS),
        ("chart the dependencies of payments", Topic.CHART),
        ("what changed in what payments depends on?", Topic.CHANGES),
        ("show me the errors of checkout", Topic.CHART),
        ("Show the p99 of payments today", Topic.CHART),
        ("please show us checkout latency", Topic.CHART),
        ("show me the error logs of checkout", Topic.RUNBOOK),
        ("show me the runbook for memory", Topic.RUNBOOK),
        ("show deployments that raised latency", Topic.CHANGES),
        ("what uses so much memory", Topic.RUNBOOK),
    ],
)
def test_a_question_about_calls_is_told_apart(text: str, about: Topic) -> None:
    assert topic(text) is about


async def test_callers_and_callees_come_with_their_traffic_and_who_says_so(desk: Desk) -> None:
    meant = meaning("who calls payments", [], desk)
    said = await calls_asked(meant.text, meant.services, None, desk)
    told = dict((id, text) for id, text, _ in said.evidence)
    assert "- web, 4/s, 25% errors, 20 ms [E1]" in said.markdown
    assert told["E1"] == "web → payments: otlp 0 min ago"
    assert "catalogue, never seen" in " ".join(told.values())
    assert said.markdown.index("Calls payments") < said.markdown.index("payments calls")
    assert not {"<", "\x1b", "\u202e"} & set(said.markdown + "".join(told.values()))


async def test_a_service_that_was_only_seen_is_found_and_one_without_edges_is_not_known(desk: Desk) -> None:
    assert "payments" in (await calls_asked("who calls Web, and whom does it call", (), None, desk)).markdown
    nothing = await calls_asked("who calls it", ("unheard",), None, desk)
    assert nothing.markdown.startswith("I do not know who calls unheard")
    assert "docs/topology.md" in nothing.markdown
    assert (await calls_asked("who calls it", (), None, desk)).markdown.startswith("I do not know of which service")
