"""Incidents are written by whoever read the latest version, and never lose a field."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.errors import IllegalMove
from bot.storage.database import SqlDatabase
from bot.storage.incidents import SqlIncidentStore, SqlTimelineStore
from tests.fakes import NOON, a_member, an_incident

STORE, TIMELINE = SqlIncidentStore(), SqlTimelineStore()


def saved(database: SqlDatabase, incident: Incident) -> Incident:
    return database.write_now(lambda tx: STORE.save(tx, incident))


def test_an_incident_comes_back_as_it_was_by_either_id(database: SqlDatabase) -> None:
    kept = saved(database, an_incident(members=(a_member(hooks=("node=n1",)),), on_call=("U0ONCALL",), silenced_until=NOON))
    assert kept.version == 1
    for id in (kept.id, "INC-42", "inc-42"):
        assert database.read_now(lambda tx, id=id: STORE.get(tx, id)) == kept


@pytest.mark.parametrize("id", ["", "INC-", "INC-x", "INC-99999999999999", "INC-٣", "nobody"])
def test_an_id_that_is_none_finds_nothing(database: SqlDatabase, id: str) -> None:
    saved(database, an_incident())
    assert database.read_now(lambda tx: STORE.get(tx, id)) is None


def test_the_slower_of_two_writers_is_refused(database: SqlDatabase) -> None:
    read = saved(database, an_incident())
    saved(database, replace(read, title="faster"))
    with pytest.raises(IllegalMove, match="INC-42") as refused:
        saved(database, replace(read, title="slower"))
    assert refused.value.retry, "durable work does it again with what it reads then"
    assert database.read_now(lambda tx: STORE.recent(tx))[0].title == "faster"


def test_a_number_is_given_once(database: SqlDatabase) -> None:
    saved(database, an_incident())
    with pytest.raises(IllegalMove):
        saved(database, an_incident(id="other"))
    assert database.read_now(STORE.next_number) == 43


def test_the_live_ones_are_the_open_and_acknowledged_and_on_request_the_freshly_resolved(database: SqlDatabase) -> None:
    for number, status in enumerate(Status, start=1):
        over = NOON if status in (Status.RESOLVED, Status.CLOSED) else None
        saved(database, an_incident(id=f"i{number}", number=number, status=status, resolved_at=over))
    now = database.read_now(lambda tx: [i.status for i in STORE.live(tx)])
    assert now == [Status.OPEN, Status.ACKNOWLEDGED]
    lately = database.read_now(lambda tx: [i.status for i in STORE.live(tx, NOON - timedelta(minutes=1))])
    assert lately == [Status.OPEN, Status.ACKNOWLEDGED, Status.RESOLVED]
    assert len(database.read_now(lambda tx: STORE.live(tx, NOON + timedelta(minutes=1)))) == 2
    assert [i.number for i in database.read_now(lambda tx: STORE.recent(tx, 2))] == [4, 3]


def test_the_first_number_is_one(database: SqlDatabase) -> None:
    assert database.read_now(STORE.next_number) == 1


def test_a_timeline_is_told_in_the_order_of_time(database: SqlDatabase) -> None:
    late = Entry("i", NOON, EntryKind.STATUS, "resolved", "U0ONCALL")
    early = Entry("i", NOON - timedelta(minutes=1), EntryKind.ALERT, "it fired", "alertmanager")
    other = Entry("j", NOON, EntryKind.NOTE, "elsewhere")
    database.write_now(lambda tx: TIMELINE.add(tx, [late, early, other]))
    assert database.read_now(lambda tx: TIMELINE.of(tx, "i")) == (early, late)
    database.write_now(lambda tx: TIMELINE.add(tx, []))
