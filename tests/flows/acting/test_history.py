"""`/deploy status` asks what runs, `/deploy history` tells what was shipped, by us and by others, page by page."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.action import Action, ActionKind, ActionStatus
from bot.domain.change import ChangeKind, ChangeStatus, Version
from bot.domain.deployments import HistoryView, StatusView
from bot.domain.request import CommandRequest, Deed, Person
from bot.domain.view import NoteView, Place
from bot.errors import NotFound, Unavailable
from bot.flows.acting import status as asking
from bot.flows.acting.history import PAGE, read_words
from bot.flows.command import on_command
from bot.flows.desk import Desk
from bot.ports import Card, Transaction
from bot.storage.database import SqlDatabase
from tests.actions.estate import CATALOGUE, OLIVIA, SAM, FakeDeployer, a_desk, open_incident, press
from tests.fakes import NOON, FakeClock, a_change
from tests.postgres import on_sqlite


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer()


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> Desk:
    return a_desk(database, clock, vendor)


async def typed(desk: Desk, words: str) -> Any:
    return await on_command(CommandRequest(Person(SAM), "C-OPS", "deploy", tuple(words.split()), words, "t", "c"), desk)


async def kept(desk: Desk, **fields: Any) -> Action:
    """A rollback of payments that ran at noon, 30 minutes ago."""
    begun = Action(
        "a1", ActionKind.ROLLBACK, "payments", "production", "v42", ActionStatus.APPROVED, OLIVIA, NOON, NOON, run="r1"
    )
    done = begun.move(ActionStatus.EXECUTING, NOON).move(ActionStatus.VERIFYING, NOON + timedelta(minutes=3))
    action = replace(done.move(ActionStatus.SUCCEEDED, NOON + timedelta(minutes=5)), **fields)

    def go(tx: Transaction) -> Action:
        desk.cards.put(tx, Card(f"action:{action.id}", Place("C-PAYMENTS", f"{action.id}.1")))
        return desk.actions.add(tx, action)

    return await desk.db.write(go)


@on_sqlite
async def test_status_asks_what_runs_and_tells_what_stands_in_the_way(desk: Desk, vendor: FakeDeployer) -> None:
    await kept(desk, status=ActionStatus.EXECUTING)
    await open_incident(desk)
    await on_command(CommandRequest(Person(OLIVIA), "C-OPS", "deploy", ("lock", "checkout", "x"), "", "t", "l"), desk)
    view = await typed(desk, "status")
    assert isinstance(view, StatusView)
    assert [(r.service, r.environment, r.version) for r in view.running] == [
        ("payments", "production", "v43"),
        ("payments", "staging", "v43"),
        ("checkout", "production", "v18"),
    ]
    assert [line.startswith("checkout (production): locked by U0ONCALL") for line in view.held] == [True]
    assert view.named == (OLIVIA,)
    assert [(a.id, link) for a, link in view.under_way] == [("a1", "https://chat.example/C-PAYMENTS/a1.1")]
    assert [i.key for i in view.incidents] == ["INC-42"]
    one = await typed(desk, "status checkout")
    assert ([r.service for r in one.running], one.under_way, one.incidents) == (["checkout"], (), ())
    with pytest.raises(NotFound, match="did you mean checkout"):
        await typed(desk, "status chekout")


@on_sqlite
async def test_whoever_does_not_answer_in_time_is_told_and_the_others_are_shown(
    desk: Desk, vendor: FakeDeployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = vendor.current

    async def current(service: str, environment: str) -> Version:
        if environment == "staging":
            await asyncio.sleep(30)
        if service == "checkout":
            raise Unavailable("It is down, token=abcdefgh12345678.")
        return await real(service, environment)

    monkeypatch.setattr(vendor, "current", current)
    monkeypatch.setattr(asking, "ASKING", 0.05)
    view = await typed(desk, "status")
    told = {(r.service, r.environment): r.version or r.trouble for r in view.running}
    assert told[("payments", "production")] == "v43"
    assert told[("payments", "staging")] == "its deployer did not answer within 0.05 s"
    assert told[("checkout", "production")].startswith("It is down")
    assert "abcdefgh" not in told[("checkout", "production")]


@on_sqlite
async def test_a_chat_that_is_down_costs_the_links_alone(desk: Desk) -> None:
    await kept(desk, status=ActionStatus.EXECUTING)
    desk.channel.down = True  # type: ignore[attr-defined]  # the test's own chat
    view = await typed(desk, "status")
    assert [link for _, link in view.under_way] == [""]


@on_sqlite
async def test_history_tells_our_actions_and_what_others_shipped_the_newest_first(desk: Desk, clock: FakeClock) -> None:
    await kept(desk)
    seen = [
        a_change(id="own", version="v42", at=NOON + timedelta(minutes=3)),  # what our own run did, told by its tool
        a_change(id="other", version="v43", at=NOON - timedelta(hours=1)),
        a_change(id="commit", kind=ChangeKind.COMMIT, version="v44", at=NOON - timedelta(hours=2)),
        a_change(id="cart", services=("checkout",), version="v18", at=NOON - timedelta(hours=3), status=ChangeStatus.FAILED),
        a_change(id="old", version="v40", at=NOON - timedelta(days=9)),
    ]
    await desk.db.write(lambda tx: desk.changes.save(tx, seen))
    clock.advance(seconds=1800)
    view = await typed(desk, "history")
    assert isinstance(view, HistoryView)
    assert [r.action.id if r.action else r.change.id for r in view.rows if r.action or r.change] == ["a1", "other", "cart"]
    assert view.rows[0].link == "https://chat.example/C-PAYMENTS/a1.1"
    assert (view.first, view.count, view.older, view.newer) == (1, 3, "", "")
    assert [r.change.id for r in (await typed(desk, "history checkout 30")).rows if r.change] == ["cart"]
    assert (await typed(desk, "history payments 30d")).count == 3
    assert (await typed(desk, "history payments staging")).count == 0


@on_sqlite
async def test_a_change_of_the_same_version_that_our_action_never_ran_is_told(desk: Desk, clock: FakeClock) -> None:
    await kept(desk, run="", status=ActionStatus.REFUSED)
    await desk.db.write(lambda tx: desk.changes.save(tx, [a_change(version="v42", at=NOON + timedelta(minutes=2))]))
    clock.advance(seconds=600)
    assert (await typed(desk, "history")).count == 2


@on_sqlite
async def test_pages_hold_still_while_more_is_shipped(desk: Desk, clock: FakeClock) -> None:
    many = [a_change(id=f"c{n:02}", version=f"v{n}", at=NOON - timedelta(minutes=n)) for n in range(2 * PAGE + 5)]
    await desk.db.write(lambda tx: desk.changes.save(tx, many))
    first = await typed(desk, "history payments production")
    assert (len(first.rows), first.count, first.newer) == (PAGE, 2 * PAGE + 5, "")
    await desk.db.write(lambda tx: desk.changes.save(tx, [a_change(id="new", at=NOON + timedelta(seconds=5))]))
    clock.advance(seconds=60)
    second = await press(desk, Deed.HISTORY_OLDER, first.older, SAM)
    assert isinstance(second, HistoryView)
    assert (second.first, next(r.change.id for r in second.rows if r.change)) == (PAGE + 1, "c10")
    third = await press(desk, Deed.HISTORY_OLDER, second.older, SAM)
    assert isinstance(third, HistoryView)
    assert (len(third.rows), third.older) == (5, "")
    back = await press(desk, Deed.HISTORY_NEWER, second.newer, SAM)
    assert isinstance(back, HistoryView)
    assert back.rows == first.rows


@pytest.mark.parametrize("value", ["", "a\nb", "a\nb\nx\n1\n1", "a\nb\n1\n99999999999999999\n1", "\n".join("abcdefg")])
@on_sqlite
async def test_a_button_that_says_no_page_is_answered_with_how_to_ask(desk: Desk, value: str) -> None:
    shown = await press(desk, Deed.HISTORY_OLDER, value, SAM)
    assert isinstance(shown, NoteView)
    assert "/deploy history [service]" in shown.text


@pytest.mark.parametrize(
    ("words", "service", "environment", "days"),
    [
        ("", "", "", 7),
        ("payments", "payments", "", 7),
        ("payments-api staging 30", "payments", "staging", 30),
        ("30d production payments", "payments", "production", 30),
        ("0", "", "", 1),
        ("9999", "", "", 365),
    ],
)
def test_words_of_a_history_come_in_any_order(words: str, service: str, environment: str, days: int) -> None:
    wanted = read_words(words.split(), CATALOGUE, NOON)
    assert (wanted.service, wanted.environment, wanted.days) == (service, environment, days)


@pytest.mark.parametrize(
    ("words", "said"), [("paymets", "did you mean payments"), ("payments producton", "did you mean production?")]
)
def test_a_mistyped_word_of_a_history_is_answered_with_what_is_close(words: str, said: str) -> None:
    with pytest.raises(NotFound) as caught:
        read_words(words.split(), CATALOGUE, NOON)
    assert said in caught.value.for_people
