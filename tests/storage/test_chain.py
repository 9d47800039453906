"""Two chains on one code: replicas that write at the same moment make one line after the other."""

import asyncio
from dataclasses import replace

import pytest

from bot.domain.interaction import Feature, Interaction
from bot.ports import Transaction
from bot.storage.chain import line_hash, part_digest
from bot.storage.database import SqlDatabase, sql
from bot.storage.journal import SqlJournalStore
from bot.storage.ledger import SqlLedger, lines
from tests.fakes import NOON

JOURNAL, LEDGER = SqlJournalStore(), SqlLedger()
ANSWER = Interaction("j", NOON, Feature.QUESTION, "rules")


def test_the_format_is_for_good() -> None:
    """Heads were posted to Slack: what gave them must give them again."""
    facts = ["audit", 1, NOON, "a" * 64, "approved", "a1", "b" * 64, ""]
    assert line_hash(facts) == "6d80b80b419f1485a3f8d788776a2a14c2bd1956d847dd79ed021c2a0f11fbf2"
    assert part_digest("salt", "told") == "f3a04f529cb644f8d95a3d107deec3c981e33c33a5c69c92da5db1165e4ddc75"


@pytest.mark.parametrize("journal_first", [True, False])
async def test_replicas_that_write_at_one_moment_make_one_whole_chain(database: SqlDatabase, journal_first: bool) -> None:
    def both(tx: Transaction, n: int) -> None:
        def answer() -> None:
            JOURNAL.add(tx, replace(ANSWER, id=f"j{n // 2}"))  # every answer comes twice

        def deed() -> None:
            LEDGER.append(tx, NOON, "tocsin", "noted", f"a{n}", {})

        for write in (answer, deed) if (n % 2 == 0) == journal_first else (deed, answer):
            write()

    await asyncio.gather(*(database.write(lambda tx, n=n: both(tx, n)) for n in range(24)))  # type: ignore[misc]  # a lambda's default
    assert (await database.read(JOURNAL.head))[0] == 12
    assert (await database.read(LEDGER.head))[0] == 24
    assert await database.read(JOURNAL.broken_at) is None
    assert await database.read(LEDGER.broken_at) is None


async def test_a_long_chain_is_checked_in_batches(database: SqlDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.storage.chain.BATCH", 3)
    await database.write(lambda tx: [LEDGER.append(tx, NOON, "tocsin", "noted", f"a{n}", {}) for n in range(7)])
    assert await database.read(LEDGER.broken_at) is None
    await database.write(lambda tx: sql(tx).execute(lines.update().where(lines.c.seq == 7).values(deed="approved")))
    assert await database.read(LEDGER.broken_at) == 7
