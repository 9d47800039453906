"""The journal: answers come back whole, by a beginning of their id, with what people thought of them."""

from datetime import timedelta

from bot.domain.interaction import Feature, Feedback, Interaction, Opinion, Retrieved
from bot.ports import Transaction
from bot.storage.database import SqlDatabase
from bot.storage.journal import SqlJournalStore, prune
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


def a_judgement(id: str, user: str, opinion: Opinion, note: str = "") -> Feedback:
    return Feedback(id, NOON, user, opinion, interaction_id="0193-aa", incident_id="i1", note=note)


async def test_an_answer_comes_back_whole_and_by_a_unique_beginning(database: SqlDatabase) -> None:
    def fill(tx: Transaction) -> None:
        STORE.add(tx, an_answer("0193-aa"))
        STORE.add(tx, an_answer("0193-ab"))
        STORE.add(tx, an_answer("0194-xx"))
        STORE.add(tx, an_answer("0194-xx"))  # a repeat is harmless

    await database.write(fill)
    assert await database.read(lambda tx: STORE.get(tx, "0193-aa")) == an_answer("0193-aa")
    assert await database.read(lambda tx: STORE.get(tx, "0194")) == an_answer("0194-xx")
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
    assert [a.id for a in await database.read(STORE.recent)] == ["0194-xx"]
    assert [f.id for f in await database.read(STORE.feedback)] == ["f3"]
