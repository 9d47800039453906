"""The journal: answers come back whole, by a beginning of their id, with what people thought of them."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Table, delete, update

from bot.domain.interaction import Feature, Feedback, Interaction, Opinion, Retrieved, Spent
from bot.ports import Transaction
from bot.storage.database import SqlDatabase, sql
from bot.storage.journal import SqlJournalStore, contents, lines, prune
from tests.fakes import NOON

STORE = SqlJournalStore()


def an_answer(id: str, minutes: int = 0, incident: str = "i1") -> Interaction:
    return Interaction(
        id=id,
        at=NOON + timedelta(minutes=minutes),
        feature=Feature.DIAGNOSIS,
        engine="rules",
        incident_id=incident,
        answer="payments v43 [E4]",
        evidence={"E4": "retries 2 to 10"},
        retrieved=(Retrieved("runbooks/payments.md", 1, 0.8, "words", True),),
    )


def bare(interaction: Interaction | None) -> Interaction | None:
    """It without its place in the chain."""
    return interaction and replace(interaction, previous="", hash="")


def a_judgement(id: str, user: str, opinion: Opinion, note: str = "") -> Feedback:
    return Feedback(id, NOON, user, opinion, interaction_id="0193-aa", incident_id="i1", note=note)


async def test_an_answer_comes_back_whole_and_by_a_unique_beginning(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        STORE.add(tx, an_answer("0193-aa"))
        STORE.add(tx, an_answer("0193-ab"))
        STORE.add(tx, an_answer("0194-xx"))
        STORE.add(tx, an_answer("0194-xx"))  # a repeat is harmless

    await database.write(fill)
    assert bare(await database.read(lambda tx: STORE.get(tx, "0193-aa"))) == an_answer("0193-aa")
    assert bare(await database.read(lambda tx: STORE.get(tx, "0194"))) == an_answer("0194-xx")
    for nothing in ("0193", "", "%", "nope"):
        assert await database.read(lambda tx, id=nothing: STORE.get(tx, id)) is None  # type: ignore[misc]  # a lambda's default


async def test_the_newest_come_first_and_one_incident_can_be_asked_for(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        for n in range(5):
            STORE.add(tx, an_answer(f"j{n}", minutes=n, incident="i1" if n % 2 else "i2"))

    await database.write(fill)
    assert [a.id for a in await database.read(lambda tx: STORE.recent(tx, 2))] == ["j4", "j3"]
    assert [a.id for a in await database.read(lambda tx: STORE.recent(tx, 20, "i1"))] == ["j3", "j1"]


async def test_the_same_judgement_counts_once_and_another_one_counts_too(database: SqlDatabase) -> None:
    def say(id: str, user: str, opinion: Opinion, note: str = "") -> bool:
        return database.write_now(lambda tx: STORE.judge(tx, a_judgement(id, user, opinion, note)))

    assert say("f1", "U1", Opinion.USEFUL)
    assert not say("f2", "U1", Opinion.USEFUL)
    assert say("f3", "U2", Opinion.USEFUL)
    assert say("f4", "U1", Opinion.OTHER_CAUSE, "the certificate")
    assert [f.id for f in await database.read(lambda tx: STORE.feedback(tx, "0193-aa"))] == ["f1", "f3", "f4"]
    assert len(await database.read(lambda tx: STORE.feedback(tx, incident_id="i1"))) == 3
    assert await database.read(lambda tx: STORE.feedback(tx, incident_id="i2")) == ()


async def test_after_its_time_an_answer_is_forgotten_with_all_that_people_said(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        STORE.add(tx, an_answer("0193-aa"))
        STORE.add(tx, an_answer("0194-xx", minutes=10))
        STORE.judge(tx, a_judgement("f1", "U1", Opinion.USEFUL))
        STORE.judge(tx, Feedback("f2", NOON, "U1", Opinion.OTHER_CAUSE, incident_id="i1", note="of no answer"))
        STORE.judge(tx, Feedback("f3", NOON + timedelta(minutes=11), "U1", Opinion.USEFUL, interaction_id="0194-xx"))

    await database.write(fill)
    assert await database.write(lambda tx: prune(tx, NOON + timedelta(minutes=5))) == 1
    kept, gone = await database.read(STORE.recent)
    assert (kept.id, kept.answer) == ("0194-xx", "payments v43 [E4]")
    assert (gone.id, gone.erased, gone.answer, gone.user, gone.evidence) == ("0193-aa", True, "", "", {})
    assert [f.id for f in await database.read(STORE.feedback)] == ["f3"]
    assert await database.read(STORE.broken_at) is None
    assert await database.write(lambda tx: prune(tx, NOON + timedelta(minutes=5))) == 0


async def test_answers_are_chained_and_an_edit_is_found(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        for n in range(4):
            STORE.add(tx, replace(an_answer(f"j{n}", minutes=n), cost=0.1 * n, latency_ms=n / 3, cost_known=n != 2, calls=n))

    await database.write(fill)
    assert await database.read(STORE.broken_at) is None
    first, second, *_ = await database.read(lambda tx: list(STORE.every(tx)))
    assert (first.previous, second.previous) == ("", first.hash)
    assert (await database.read(STORE.head))[0] == 4


@pytest.mark.parametrize(
    ("table", "name", "value"),
    [
        (lines, "cost", 7.0), (lines, "engine", "model"), (lines, "at", NOON), (lines, "failed", True), (lines, "calls", 9),
        (contents, "body", "{}"), (contents, "salt", "x"),
    ],
)  # fmt: skip
async def test_an_edited_answer_is_found(database: SqlDatabase, table: Table, name: str, value: object) -> None:
    def fill_and_edit(tx: Transaction) -> None:
        for n in range(3):
            STORE.add(tx, an_answer(f"j{n}", minutes=n))
        sql(tx).execute(update(table).where(table.c.seq == 2).values({name: value}))

    await database.write(fill_and_edit)
    assert await database.read(STORE.broken_at) == 2


async def test_a_line_that_was_cut_out_is_found(database: SqlDatabase) -> None:
    def fill_and_cut(tx: Transaction) -> None:
        for n in range(3):
            STORE.add(tx, an_answer(f"j{n}", minutes=n))
        for table in (contents, lines):
            sql(tx).execute(delete(table).where(table.c.seq == 1))

    await database.write(fill_and_cut)
    assert await database.read(STORE.broken_at) == 1


async def test_money_and_calls_are_summed_since_a_time_and_by_incident(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        for n, (incident, cost, known) in enumerate([("i1", 0.25, True), ("i1", 0.0, False), ("i2", 0.5, True)]):
            answer = an_answer(f"j{n}", minutes=n, incident=incident)
            STORE.add(tx, replace(answer, engine="model", calls=2, cost=cost, cost_known=known))

    await database.write(fill)
    assert await database.read(lambda tx: STORE.spent(tx, NOON)) == Spent(6, 0.75, 2)
    assert await database.read(lambda tx: STORE.spent(tx, NOON, "i1")) == Spent(4, 0.25, 2)
    assert await database.read(lambda tx: STORE.spent(tx, NOON + timedelta(minutes=2))) == Spent(2, 0.5, 0)
    assert await database.read(lambda tx: STORE.spent(tx, NOON + timedelta(days=1))) == Spent()


async def test_a_thread_remembers_what_was_said_in_it_oldest_first(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        for n in range(5):
            STORE.add(tx, replace(an_answer(f"j{n}", minutes=n), thread="9.1" if n != 2 else "9.2"))
        prune(tx, NOON + timedelta(seconds=30))

    await database.write(fill)
    assert [a.id for a in await database.read(lambda tx: STORE.of_thread(tx, "9.1"))] == ["j1", "j3", "j4"]
    assert [a.id for a in await database.read(lambda tx: STORE.of_thread(tx, "9.1", 2))] == ["j3", "j4"]
    assert await database.read(lambda tx: STORE.of_thread(tx, "")) == ()


async def test_answers_are_found_by_engine_failure_and_age(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        STORE.add(tx, an_answer("rules"))
        STORE.add(tx, replace(an_answer("model", minutes=1), engine="model"))
        STORE.add(tx, replace(an_answer("broken", minutes=2), engine="model", error="timed out"))

    await database.write(fill)
    assert [a.id for a in await database.read(lambda tx: STORE.recent(tx, engine="model"))] == ["broken", "model"]
    assert [a.id for a in await database.read(lambda tx: STORE.recent(tx, failed=True))] == ["broken"]
    assert [a.id for a in await database.read(lambda tx: STORE.recent(tx, since=NOON + timedelta(minutes=1), failed=False))] == [
        "model"
    ]


async def test_all_answers_are_read_in_batches(database: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.journal.BATCH", 2)
    await database.write(lambda tx: [STORE.add(tx, an_answer(f"j{n}", minutes=n)) for n in range(5)])
    assert [a.id for a in await database.read(lambda tx: list(STORE.every(tx)))] == [f"j{n}" for n in range(5)]
    since = NOON + timedelta(minutes=3)
    assert [a.id for a in await database.read(lambda tx: list(STORE.every(tx, since)))] == ["j3", "j4"]
