"""What comes from outside is kept on both databases alike, however long it is and whatever is in it."""

import pytest

from bot.domain.incident import Entry, EntryKind
from bot.domain.view import Place
from bot.durable.work import DurableWork
from bot.ports import Card, Transaction
from bot.storage.cards import SqlCardStore
from bot.storage.changes import SqlChangeStore
from bot.storage.database import SqlDatabase
from bot.storage.inbox import SqlInboxStore
from bot.storage.incidents import SqlIncidentStore, SqlTimelineStore
from tests.fakes import NOON, a_change, an_incident
from tests.intake.desk import a_delivery

BAD = ["\x00", "a\x00b", "x" * 5000, "\ud800 half a pair", "日" * 3000, ""]


@pytest.mark.parametrize("text", BAD)
def test_a_name_from_outside_is_kept_or_cut(database: SqlDatabase, text: str) -> None:
    def keep(tx: Transaction) -> None:
        SqlIncidentStore().save(tx, an_incident(id="i1", service=text.encode("utf-8", "replace").decode()))
        SqlTimelineStore().add(tx, [Entry("i1", NOON, EntryKind.STATUS, text, text)])

    database.write_now(keep)
    assert database.keep_now(lambda tx: SqlInboxStore().add(tx, [(a_delivery({}, NOON), text)])) == [True]
    (entry,) = database.read_now(lambda tx: SqlTimelineStore().of(tx, "i1"))
    assert len(entry.text) == len(text)
    assert "\x00" not in entry.text


@pytest.mark.parametrize("text", ["x" * 5000, "日" * 3000])
def test_long_names_that_differ_at_their_end_stay_different(database: SqlDatabase, text: str) -> None:
    kept, cards, changes = DurableWork(), SqlCardStore(), SqlChangeStore()

    def keep(tx: Transaction) -> list[bool]:
        for n in "ab":
            cards.put(tx, Card(text + n, Place(n)))
            changes.save(tx, [a_change(id=text + n, version=n)])
        return [kept.start(tx, "slack", "job", text + n, {}, partition=text + n) for n in "aba"]

    assert database.write_now(keep) == [True, True, False]
    for n in "ab":
        card = database.read_now(lambda tx, n=n: cards.get(tx, text + n))
        change = database.read_now(lambda tx, n=n: changes.get(tx, text + n))
        assert card == Card(text + n, Place(n))
        assert change is not None
        assert change.version == n
    items = database.read_now(kept.list)
    assert len({i.partition for i in items}) == 2
    assert all(len(i.id) <= 200 for i in items)
