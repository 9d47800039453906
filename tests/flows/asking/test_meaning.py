"""What a question means, alone and after another."""

import pytest

from bot.domain.interaction import Feature, Interaction
from bot.flows.asking.meaning import meaning
from bot.flows.desk import Desk
from bot.investigation.answers import Topic
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock)


def asked(text: str) -> Interaction:
    return Interaction(id=text, at=NOON, feature=Feature.QUESTION, engine="rules", question=text)


@pytest.mark.parametrize(
    ("before", "text", "topic", "services", "when"),
    [
        ("what changed in checkout today?", "and payments?", Topic.CHANGES, ("payments",), "today"),
        ("what changed in checkout today?", "and yesterday?", Topic.CHANGES, ("checkout",), "yesterday"),
        ("chart the errors of checkout", "and its latency?", Topic.CHART, ("checkout",), ""),
        ("what changed in checkout today?", "why?", Topic.CAUSE, ("checkout",), ""),
        ("what changed in checkout today?", "how do I rotate the certificate of the gateway", Topic.NEXT, (), ""),
        ("", "and payments?", Topic.RUNBOOK, ("payments",), ""),
    ],
)
def test_a_short_question_that_goes_on_has_the_rest_from_before(
    desk: Desk, before: str, text: str, topic: Topic, services: tuple[str, ...], when: str
) -> None:
    meant = meaning(text, [asked(before)] if before else [], desk)
    assert (meant.topic, meant.services) == (topic, services)
    assert when in meant.when
    if when == "yesterday":
        assert "today" not in meant.when
