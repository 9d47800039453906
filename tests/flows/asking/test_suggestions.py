"""What is worth asking follows what is open, and every suggestion is a question that the bot answers."""

from datetime import timedelta

import pytest

from bot.flows.asking.suggestions import MOST, suggestions
from bot.investigation.answers import Topic, topic
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock, an_incident

WHY, NEXT, CHANGES, STATUS = Topic.CAUSE, Topic.NEXT, Topic.CHANGES, Topic.STATUS


@pytest.mark.parametrize(
    ("open_ones", "topics"),
    [(0, [CHANGES, STATUS]), (1, [WHY, NEXT, CHANGES, STATUS]), (3, [WHY, NEXT, CHANGES, WHY])],
)
async def test_the_newest_incidents_come_first(
    database: SqlDatabase, clock: FakeClock, open_ones: int, topics: list[Topic]
) -> None:
    desk = a_desk(database, clock)
    for number in range(1, open_ones + 1):
        one = an_incident(id=f"i{number}", number=number, opened_at=NOON + timedelta(minutes=number), version=0)
        await desk.db.write(lambda tx, one=one: desk.incidents.save(tx, one))
    found = await suggestions(desk)
    assert len(found) <= MOST
    assert [topic(s.message) for s in found] == topics
    if open_ones:
        assert f"INC-{open_ones}" in found[0].message
