"""What people said of documents is kept once each, found by problem and by service, and can be taken back."""

from dataclasses import replace
from datetime import timedelta

from bot.domain.interaction import Opinion
from bot.domain.past import PastIncident, Surroundings
from bot.domain.suggestion import Judgement, Subject
from bot.storage.database import SqlDatabase
from bot.storage.erasure import Names, erase
from bot.storage.past import SqlPastStore
from bot.storage.suggestions import SqlSuggestionStore
from tests.fakes import NOON

STORE, PAST = SqlSuggestionStore(), SqlPastStore()
SUBJECT = Subject("higherrorrate", "payments", "HighErrorRate")
LINK = Judgement(SUBJECT, "runbook:payments.md", Opinion.LINKED, "U0ONCALL", NOON, "i1")


def test_the_same_word_twice_counts_once_and_a_link_in_another_incident_again(database: SqlDatabase) -> None:
    def say(judgement: Judgement) -> bool:
        return database.write_now(lambda tx: STORE.say(tx, judgement))

    assert say(LINK)
    assert not say(replace(LINK, at=NOON + timedelta(minutes=1)))
    assert say(replace(LINK, incident_id="i2"))
    assert len(database.read_now(STORE.links)) == 2


def test_useful_takes_the_place_of_not_useful_by_the_same_person(database: SqlDatabase) -> None:
    for opinion in (Opinion.NOT_USEFUL, Opinion.USEFUL):
        database.write_now(lambda tx, o=opinion: STORE.say(tx, replace(LINK, opinion=o)))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    said = database.read_now(lambda tx: STORE.about(tx, "higherrorrate", ["payments"]))
    assert [s.opinion for s in said] == [Opinion.USEFUL]


def test_what_was_said_is_found_by_the_problem_anywhere_and_by_the_service(database: SqlDatabase) -> None:
    far = replace(LINK, subject=Subject("higherrorrate", "search"))
    akin = replace(LINK, subject=Subject("slow", "payments"))
    other = replace(LINK, subject=Subject("slow", "search"))
    for one in (LINK, far, akin, other):
        database.write_now(lambda tx, j=one: STORE.say(tx, j))  # type: ignore[misc]  # as above
    found = database.read_now(lambda tx: STORE.about(tx, "higherrorrate", ["payments", ""]))
    assert {(f.subject.problem, f.subject.service) for f in found} == {
        ("higherrorrate", "payments"),
        ("higherrorrate", "search"),
        ("slow", "payments"),
    }


def test_a_link_is_taken_back_for_everybody(database: SqlDatabase) -> None:
    for by in ("U1", "U2"):
        database.write_now(lambda tx, b=by: STORE.say(tx, replace(LINK, by=b)))  # type: ignore[misc]  # as above
    assert len(database.write_now(lambda tx: STORE.unlink(tx, SUBJECT, LINK.document))) == 2
    assert database.read_now(STORE.links) == ()


def test_a_person_who_is_erased_leaves_the_link_but_not_the_name(database: SqlDatabase) -> None:
    database.write_now(lambda tx: STORE.say(tx, LINK))
    database.write_now(lambda tx: erase(tx, Names(["U0ONCALL"]), "erased-1234", really=True))
    (kept,) = database.read_now(STORE.links)
    assert (kept.by, kept.document) == ("erased-1234", LINK.document)


def test_imported_incidents_are_replaced_by_their_id_and_dropped_by_their_origin(database: SqlDatabase) -> None:
    one = PastIncident("PT1", "Slow", "pagerduty", NOON, services=("payments",), symptoms=("p99",))
    database.write_now(lambda tx: PAST.keep(tx, [one, replace(one, ref="PT2")], NOON))
    database.write_now(lambda tx: PAST.keep(tx, [replace(one, title="Slower")], NOON))
    assert [p.title for p in database.read_now(PAST.known)] == ["Slower", "Slow"]
    assert database.read_now(PAST.counts) == {"pagerduty": 2}
    assert database.write_now(lambda tx: PAST.drop(tx, "pagerduty", "PT1")) == 1
    assert database.write_now(lambda tx: PAST.drop(tx, "pagerduty")) == 1


def test_what_lay_around_an_incident_is_kept_as_it_was(database: SqlDatabase) -> None:
    around = Surroundings(("checkout",), "config", "https://chat.example/p1")
    database.write_now(lambda tx: PAST.note(tx, "i1", around))
    assert database.read_now(lambda tx: PAST.around(tx, "i1")) == {"i1": around}
    assert database.read_now(lambda tx: PAST.around(tx, "i2")) == {}
