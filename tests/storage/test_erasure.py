"""What a person is called is found as whole words however it is written, and nothing else is touched."""

import json
import threading

import pytest
from sqlalchemy import text

from bot.domain.incident import Entry, EntryKind
from bot.domain.interaction import Feature, Feedback, Interaction, Opinion
from bot.errors import NotFound
from bot.ports import Delivery, Transaction
from bot.storage.database import SqlDatabase, sql
from bot.storage.erasure import Names, Touched, erase, erase_received
from bot.storage.inbox import SqlInboxStore
from bot.storage.incidents import SqlIncidentStore, SqlTimelineStore
from bot.storage.journal import SqlJournalStore
from bot.storage.ledger import SqlLedger
from bot.storage.scrub import scrub
from tests.fakes import NOON, an_incident

GONE, NAME, ALIAS = "U0LEAVER", "Jörg Ångström", "erased-1"


@pytest.mark.parametrize(
    ("told", "left"),
    [
        ("<@U0LEAVER> did it", f"<@{ALIAS}> did it"),
        ("U0LEAVER2 did it, xU0LEAVER too", "U0LEAVER2 did it, xU0LEAVER too"),
        ("user_u0leaver", f"user_{ALIAS}"),
        ("JÖRG  ÅNGSTRÖM's fix", f"{ALIAS}'s fix"),
        ("Jörg said so", "Jörg said so"),
        (
            '{"by":"U0LEAVER","n":1.5,"list":["jörg ångström",null,true]}',
            f'{{"by":"{ALIAS}","n":1.5,"list":["{ALIAS}",null,true]}}',
        ),
        ('{"by": "J\\u00f6rg \\u00c5ngstr\\u00f6m"}', f'{{"by":"{ALIAS}"}}'),
        ('{"U0LEAVER": 1}', f'{{"{ALIAS}":1}}'),
        ('{"a": 1}', '{"a": 1}'),
        ("{not JSON, U0LEAVER", "{not JSON, " + ALIAS),
        ("log: {\\u0022who\\u0022: J\\u00f6rg \\u00c5ngstr\\u00f6m}", "log: {\\u0022who\\u0022: " + ALIAS + "}"),
    ],
)
def test_names_are_found_as_words_in_text_and_json(told: str, left: str) -> None:
    assert Names([GONE, NAME]).out_of(told, ALIAS) == left


@pytest.mark.parametrize("name", ["", "  ", "ab", "Tocsin", " tocsin "])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(NotFound, match="not a name that can be erased"):
        Names([GONE, name])


@pytest.fixture
def written(database: SqlDatabase) -> SqlDatabase:
    def fill(tx: Transaction) -> None:
        SqlIncidentStore().save(tx, an_incident(version=0, id="i1", acknowledged_by=GONE))
        SqlTimelineStore().add(tx, [Entry("i1", NOON, EntryKind.NOTE, f"{NAME} looks", GONE)])
        SqlJournalStore().add(tx, Interaction("j1", NOON, Feature.QUESTION, "rules", user=GONE))
        SqlJournalStore().judge(tx, Feedback("f1", NOON, GONE, Opinion.USEFUL, "j1"))
        SqlLedger().append(tx, NOON, GONE, "resolved", "i1", {})
        SqlLedger().append(tx, NOON, "tocsin", "refused", GONE, {})  # a subject stays under the hash

    raw = json.dumps({"who": NAME}).encode()
    came = [(Delivery("github", {}, raw, NOON), "d1"), (Delivery("github", {}, b"\xff U0LEAVER", NOON), "d2")]
    database.write_now(fill)
    database.keep_now(lambda tx: SqlInboxStore().add(tx, came))
    return database


def erased(database: SqlDatabase, *, really: bool) -> set[Touched]:
    names = Names([GONE, NAME])
    apart = erase_received(database, names, ALIAS, really=really)
    return {*apart, *database.write_now(lambda tx: erase(tx, names, ALIAS, really=really))}


def test_every_table_is_reached_on_both_databases(written: SqlDatabase) -> None:
    expected = {
        Touched("incidents", 1, "rewritten"),
        Touched("timeline", 1, "rewritten"),
        Touched("inbox", 2, "rewritten"),
        Touched("journal", 1, "rewritten"),
        Touched("journal_content", 1, "erased"),
        Touched("feedback", 1, "rewritten"),
        Touched("ledger_actor", 1, "erased"),
        Touched("ledger", 1, "stays"),
    }
    assert erased(written, really=False) == expected
    assert erased(written, really=True) == expected
    assert erased(written, really=True) == {Touched("ledger", 1, "stays")}
    scrub(written._url.render_as_string(hide_password=False))
    bodies = written.read_now(lambda tx: [p.delivery.body for p in SqlInboxStore().recent(tx, state=None, limit=9)])
    assert sorted(bodies) == sorted([b'{"who":"erased-1"}', b"\xff erased-1"])
    (entry,) = written.read_now(lambda tx: SqlTimelineStore().of(tx, "i1"))
    assert (entry.text, entry.by) == (f"{ALIAS} looks", ALIAS)
    assert written.read_now(SqlJournalStore().broken_at) is None
    assert written.read_now(SqlLedger().broken_at) is None


def test_a_table_that_nobody_told_of_is_reached_too(written: SqlDatabase) -> None:
    def later(tx: Transaction) -> None:
        sql(tx).execute(text("CREATE TABLE pins (id INTEGER PRIMARY KEY, note TEXT)"))
        sql(tx).execute(text("INSERT INTO pins VALUES (1, 'from U0LEAVER')"))

    written.write_now(later)
    assert Touched("pins", 1, "rewritten") in erased(written, really=True)
    assert written.read_now(lambda tx: sql(tx).execute(text("SELECT note FROM pins")).scalar()) == f"from {ALIAS}"


def test_the_database_is_rewritten_while_a_bot_writes(written: SqlDatabase) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            written.write_now(lambda tx: SqlLedger().append(tx, NOON, "tocsin", "noted", "x", {"text": "y" * 3000}))

    erased(written, really=True)
    writer = threading.Thread(target=write)
    writer.start()
    try:
        scrub(written._url.render_as_string(hide_password=False))
    finally:
        stop.set()
        writer.join()
    assert written.read_now(SqlLedger().broken_at) is None
