"""What keeps the house clean: stores forget what is older than its span, old incidents close, knowledge is read again."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.document import Document, DocumentKind
from bot.domain.incident import Incident, Status
from bot.flows.desk import Desk
from bot.flows.housekeeping import sweep, sync_knowledge
from bot.knowledge.library import Library
from bot.ports import Delivery, Transaction
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock, an_incident

WEEK = timedelta(days=7)


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock)


async def test_each_store_forgets_what_is_older_than_its_own_span(desk: Desk, clock: FakeClock) -> None:
    heard: dict[str, datetime] = {}

    def raw(_tx: Transaction, before: datetime) -> int:
        heard["raw"] = before
        return 0

    def journal(_tx: Transaction, before: datetime) -> int:
        heard["journal"] = before
        return 0

    await sweep({}, desk, {raw: timedelta(days=7), journal: timedelta(days=90)}, WEEK)
    assert heard == {"raw": clock() - timedelta(days=7), "journal": clock() - timedelta(days=90)}


async def test_what_came_in_long_ago_is_forgotten_unless_it_waits(desk: Desk, clock: FakeClock) -> None:
    came = [(Delivery("plain", {}, body, clock()), "") for body in (b"old", b"waits")]
    await desk.db.keep(lambda tx: desk.inbox.add(tx, came))
    await desk.db.write(lambda tx: desk.inbox.finish(tx, [replace(p, state="done") for p in desk.inbox.take(tx, 1)]))
    clock.advance(days=8)
    await desk.db.keep(lambda tx: desk.inbox.add(tx, [(Delivery("plain", {}, b"new", clock()), "")]))
    await sweep({}, desk, {}, WEEK)
    left = await desk.db.read(lambda tx: desk.inbox.recent(tx, state=None, limit=9))
    assert [p.delivery.body for p in left] == [b"new", b"waits"]


async def test_a_resolved_incident_closes_once_nothing_can_reopen_it(desk: Desk, clock: FakeClock) -> None:
    over = an_incident(version=0, status=Status.RESOLVED, resolved_at=clock())
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, over))

    async def now() -> Incident | None:
        await sweep({}, desk, {}, WEEK)
        return await desk.db.read(lambda tx: desk.incidents.get(tx, incident.id))

    still = await now()
    assert still is not None
    assert still.status is Status.RESOLVED
    clock.advance(seconds=desk.limits.reopen.total_seconds() + 1)
    closed = await now()
    assert closed is not None
    assert closed.status is Status.CLOSED


async def test_an_open_incident_is_never_swept(desk: Desk, clock: FakeClock) -> None:
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0)))
    clock.advance(days=400)
    await sweep({}, desk, {}, WEEK)
    kept = await desk.db.read(lambda tx: desk.incidents.get(tx, incident.id))
    assert kept is not None
    assert kept.status is Status.OPEN


async def test_a_runbook_written_meanwhile_is_known_after_the_next_sync(database: SqlDatabase, clock: FakeClock) -> None:
    written: list[Document] = []
    desk = a_desk(database, clock, library=Library([lambda: written], None))
    await sync_knowledge({}, desk)
    assert desk.library.documents == ()
    written.append(Document(id="r", kind=DocumentKind.RUNBOOK, title="New", text="# New\n"))
    await sync_knowledge({}, desk)
    assert [d.title for d in desk.library.documents] == ["New"]


@pytest.mark.parametrize(
    ("status", "handler"),
    [(ActionStatus.APPROVED, "execute"), (ActionStatus.EXECUTING, "execute"), (ActionStatus.VERIFYING, "verify_action")],
)
async def test_an_action_whose_work_died_is_taken_up_again(
    desk: Desk, clock: FakeClock, status: ActionStatus, handler: str
) -> None:
    now = clock()
    stuck = Action("a1", ActionKind.ROLLBACK, "payments", "production", "v42", status, "U0ONCALL", now, now)
    await desk.db.write(lambda tx: desk.actions.add(tx, stuck))
    clock.advance(minutes=5)
    await sweep({}, desk, {}, WEEK)
    assert desk.work.started == []
    clock.advance(hours=1)
    await sweep({}, desk, {}, WEEK)
    await sweep({}, desk, {}, WEEK)
    (again,) = desk.work.started
    assert (again.name, again.args["action"], again.partition) == (handler, "a1", "payments/production")
