"""The record is checked every day: silence while it fits, loud words to whoever is on call when it does not."""

import logging

import pytest
from sqlalchemy import delete, update

from bot.domain.view import NoteView
from bot.flows.anchoring import SEEN, check_chains
from bot.flows.desk import Desk
from bot.ports import Transaction
from bot.storage.database import SqlDatabase, sql
from bot.storage.ledger import actors, contents, lines
from tests.desk import a_desk
from tests.fakes import FakeClock


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock)


async def written(desk: Desk, count: int) -> None:
    await desk.db.write(lambda tx: [desk.ledger.append(tx, desk.clock(), "U1", "noted", f"a{n}", {}) for n in range(count)])


def notes(desk: Desk) -> list[NoteView]:
    return [post.view for post in desk.channel.posts if isinstance(post.view, NoteView)]  # type: ignore[attr-defined]  # a FakeChannel


async def test_a_whole_record_is_only_logged_with_its_heads(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="bot.flows.anchoring")
    await check_chains({"slot": "d0"}, desk)
    await written(desk, 3)
    await check_chains({"slot": "d1"}, desk)
    _, digest = await desk.db.read(desk.ledger.head)
    assert f"chain=audit head=3:{digest}" in caplog.messages
    assert notes(desk) == []
    assert (await desk.db.read(lambda tx: desk.switches.get(tx, SEEN))) == f"3:{digest[:48]}"


async def test_a_changed_line_is_said_to_whoever_is_on_call_once_a_day_until_it_fits(desk: Desk) -> None:
    await written(desk, 3)
    await desk.db.write(lambda tx: sql(tx).execute(update(lines).where(lines.c.seq == 2).values(deed="approved")))
    for slot in ("d1", "d1", "d2"):
        await check_chains({"slot": slot}, desk)
    first, second = notes(desk)
    assert "the hash of line 2 was changed" in first.text
    assert "tocsin audit verify" in first.text
    assert first.mention == second.mention == ("U0ONCALL",)


async def test_an_end_that_vanished_since_yesterday_is_noticed(desk: Desk) -> None:
    def cut(tx: Transaction) -> None:
        for table in (contents, actors, lines):
            sql(tx).execute(delete(table).where(table.c.seq == 3))

    await written(desk, 3)
    await check_chains({"slot": "d1"}, desk)
    await desk.db.write(cut)
    await check_chains({"slot": "d2"}, desk)
    (said,) = notes(desk)
    assert "line 3 was there when its head was kept" in said.text
