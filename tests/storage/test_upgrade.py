"""What a database of 1/6 kept is all there after the upgrade, chained, and its audit still has the hashes that were posted."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from alembic import command
from sqlalchemy import MetaData, column, insert, table, text, update

from bot.domain.audit import SEALED, seal
from bot.domain.interaction import Feature, Opinion
from bot.ports import Transaction
from bot.storage.database import SqlDatabase, UtcDateTime, sql
from bot.storage.journal import SqlJournalStore
from bot.storage.ledger import ERASED, SqlLedger, actors, lines
from bot.storage.migrations import _config, upgrade
from tests.fakes import NOON

JOURNAL, LEDGER = SqlJournalStore(), SqlLedger()
ANSWER = {
    "id": "0193-b",
    "at": "2026-11-22T12:01:00Z",
    "feature": "question",
    "engine": "rules",
    "incident_id": "i1",
    "user": "U0ONCALL",
    "thread": "1763812800.000100",
    "question": "what changed today?",
    "answer": "payments v43 [E4]",
    "evidence": {"E4": "retries 2 to 10"},
    "retrieved": [{"document": "runbooks/payments.md", "rank": 1, "score": 0.8, "tier": "words", "cited": True}],
    "cost": 0.0,
    "cost_known": True,
    "latency_ms": 12.5,
    "tokens_in": 0,
}
DIAGNOSIS = {"id": "0193-a", "at": "2026-11-22T12:00:00Z", "feature": "diagnosis", "engine": "rules", "error": "Loki was away"}
DEEDS = [("U0ONCALL", "requested", {"target": "v42"}), ("U0APPROVER", "approved", {"plan": "abc"}), ("tocsin", "executing", {})]


def as_it_was(tx: Transaction) -> None:
    """The schema 0001 with rows as 1/6 wrote them."""
    found = MetaData()
    found.reflect(sql(tx))
    found.drop_all(sql(tx))
    config = _config()
    config.attributes["connection"] = sql(tx)
    command.upgrade(config, "0001")
    answers = table("interactions", column("id"), column("at", UtcDateTime()), column("incident_id"), column("body"))
    for row in (ANSWER, DIAGNOSIS):
        at = datetime.fromisoformat(str(row["at"]))
        values = {"id": row["id"], "at": at, "incident_id": row.get("incident_id", ""), "body": json.dumps(row)}
        sql(tx).execute(insert(answers).values(values))
    judged = {"id": "f1", "at": "2026-11-22T12:05:00Z", "user": "U0ONCALL", "opinion": "useful", "interaction_id": "0193-b"}
    opinions = table(
        "feedback", column("id"), column("at", UtcDateTime()), *map(column, ("interaction_id", "incident_id", "said", "body"))
    )
    known = {"id": "f1", "at": NOON, "interaction_id": "0193-b", "incident_id": "", "said": "x" * 64, "body": json.dumps(judged)}
    sql(tx).execute(insert(opinions).values(known))
    old_audit(tx)


def old_audit(tx: Transaction) -> None:
    """Lines as the ledger of 1/6 hashed them, written down here once more."""
    was = table(
        "ledger", column("at", UtcDateTime()), *map(column, ("seq", "actor", "deed", "subject", "content", "previous", "hash"))
    )
    detail = table("ledger_content", column("seq"), column("salt"), column("detail"))
    previous = ""
    for seq, (actor, deed, told) in enumerate(DEEDS, 1):
        at = NOON + timedelta(seconds=seq)
        body, salt = json.dumps(told), f"salt{seq}"
        content = hashlib.sha256(f"{salt}\n{body}".encode()).hexdigest()
        parts = [seq, at.astimezone(UTC).isoformat(timespec="microseconds"), actor, deed, "a1", content, previous]
        digest = hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode()).hexdigest()
        row = {"seq": seq, "at": at, "actor": actor, "deed": deed, "subject": "a1", "content": content, "previous": previous}
        sql(tx).execute(insert(was).values(**row, hash=digest))
        sql(tx).execute(insert(detail).values(seq=seq, salt=salt, detail=body))
        previous = digest


@pytest.fixture
def upgraded(database: SqlDatabase) -> SqlDatabase:
    database.write_now(as_it_was)
    before = database.read_now(lambda tx: sql(tx).execute(text("SELECT hash FROM ledger ORDER BY seq")).scalars().all())
    database.write_now(lambda tx: upgrade(sql(tx), str(database)))
    after = database.read_now(LEDGER.entries)
    assert [e.hash for e in after[:3]] == before
    return database


async def test_every_answer_is_a_line_and_comes_back_whole(upgraded: SqlDatabase) -> None:
    first, second = await upgraded.read(lambda tx: list(JOURNAL.every(tx)))
    assert (first.id, first.feature, first.error) == ("0193-a", Feature.DIAGNOSIS, "Loki was away")
    assert (second.question, second.user, second.latency_ms) == ("what changed today?", "U0ONCALL", 12.5)
    assert second.retrieved[0].document == "runbooks/payments.md"
    assert second.previous == first.hash
    assert await upgraded.read(JOURNAL.broken_at) is None
    assert await upgraded.read(lambda tx: JOURNAL.of_thread(tx, "1763812800.000100")) == (second,)
    (said,) = await upgraded.read(lambda tx: JOURNAL.feedback(tx, "0193-b"))
    assert (said.user, said.opinion) == ("U0ONCALL", Opinion.USEFUL)


async def test_the_audit_keeps_its_hashes_and_is_sealed_by_a_new_line(upgraded: SqlDatabase) -> None:
    entries = await upgraded.read(LEDGER.entries)
    assert [(e.actor, e.deed, dict(e.detail)) for e in entries[:3]] == DEEDS
    assert (entries[3].actor, entries[3].deed, entries[3].previous) == ("tocsin", SEALED, entries[2].hash)
    assert await upgraded.read(LEDGER.broken_at) is None
    upgraded.write_now(lambda tx: LEDGER.append(tx, NOON, "U0ONCALL", "resolved", "i1", {}))
    assert await upgraded.read(LEDGER.broken_at) is None


async def test_a_person_can_be_erased_from_old_lines_and_they_still_verify(upgraded: SqlDatabase) -> None:
    upgraded.write_now(lambda tx: sql(tx).execute(actors.delete().where(actors.c.name == "U0APPROVER")))
    assert await upgraded.read(LEDGER.broken_at) is None
    assert (await upgraded.read(LEDGER.entries))[1].actor == ERASED


@pytest.mark.parametrize("erased", [False, True])
@pytest.mark.parametrize(
    ("name", "value"),
    [("deed", "rejected"), ("subject", "a9"), ("seal", ""), ("seal", "0" * 64), ("hash", "0" * 64), ("actor", "0" * 64)],
)
async def test_an_edit_of_an_old_line_is_found_with_and_without_its_person(
    upgraded: SqlDatabase, name: str, value: str, erased: bool
) -> None:
    def edit(tx: Transaction) -> None:
        if erased:
            sql(tx).execute(actors.delete().where(actors.c.seq == 2))
        sql(tx).execute(update(lines).where(lines.c.seq == 2).values({name: value}))

    upgraded.write_now(edit)
    assert await upgraded.read(LEDGER.broken_at) == 2


async def test_a_resealed_lie_does_not_fit_the_line_that_sealed(upgraded: SqlDatabase) -> None:
    def lie(tx: Transaction) -> None:
        sql(tx).execute(actors.delete().where(actors.c.seq == 3))
        (line,) = LEDGER.lines(tx, 3, 3)
        lied = seal(replace(line, deed="approved"))
        sql(tx).execute(update(lines).where(lines.c.seq == 3).values(deed="approved", seal=lied))

    upgraded.write_now(lie)
    assert await upgraded.read(LEDGER.broken_at) == 4


async def test_a_new_line_cannot_pass_for_an_old_one(upgraded: SqlDatabase) -> None:
    def lie(tx: Transaction) -> None:
        LEDGER.append(tx, NOON, "U0ONCALL", "refused", "a1", {})
        sql(tx).execute(actors.delete().where(actors.c.seq == 5))
        (line,) = LEDGER.lines(tx, 5, 5)
        lied = seal(replace(line, deed="approved"))
        sql(tx).execute(update(lines).where(lines.c.seq == 5).values(deed="approved", seal=lied))

    upgraded.write_now(lie)
    assert await upgraded.read(LEDGER.broken_at) == 5


async def test_an_empty_database_of_1_6_gets_no_line(database: SqlDatabase) -> None:
    def empty(tx: Transaction) -> None:
        as_it_was(tx)
        for name in ("ledger_content", "ledger", "interactions"):
            sql(tx).execute(table(name).delete())

    database.write_now(empty)
    database.write_now(lambda tx: upgrade(sql(tx), str(database)))
    assert await database.read(LEDGER.head) == (0, "")
    assert await database.read(JOURNAL.head) == (0, "")
