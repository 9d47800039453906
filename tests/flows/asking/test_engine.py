"""Anybody can switch the model off; what it cost is shown on request."""

from datetime import timedelta

import pytest

from bot.actions.policy import read_policies
from bot.domain.interaction import Feature, Interaction
from bot.domain.request import CommandRequest, Person
from bot.domain.view import NoteView
from bot.errors import NotAllowed, NotFound
from bot.flows.command import on_command
from bot.flows.desk import Budgets, Desk
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock, FakeModel, an_incident


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock, model=FakeModel([]), budgets=Budgets(incident_cost=1, day_cost=20))


async def note(desk: Desk, line: str) -> str:
    words = tuple(line.split())
    shown = await on_command(CommandRequest(Person("U0ONCALL"), "C1", "tocsin", words, line, "t", line), desk)
    assert isinstance(shown, NoteView)
    return shown.text


async def test_the_kill_switch_turns_and_both_turns_are_in_the_audit(desk: Desk) -> None:
    assert await note(desk, "model status") == "Model: fake:small, on."
    assert "switched off" in await note(desk, "model off")
    assert "switched off" in await note(desk, "model")
    assert "switched off" in await note(desk, "status")
    assert "fake:small, on." in await note(desk, "model on")
    lines = await desk.db.read(lambda tx: desk.ledger.entries(tx, "model"))
    assert [(e.actor, e.deed) for e in lines] == [("U0ONCALL", "model off"), ("U0ONCALL", "model on")]


async def test_only_known_people_switch_it_on_again(database: SqlDatabase, clock: FakeClock) -> None:
    policies = read_policies("groups: {on-call: [U0NIGHT]}\n")
    desk = a_desk(database, clock, model=FakeModel([]), policies=policies)
    assert "switched off" in await note(desk, "model off")
    with pytest.raises(NotAllowed, match=r"people of the groups in policies\.yaml"):
        await note(desk, "model on")
    assert "switched off" in await note(desk, "model")


async def test_without_a_model_the_switch_says_so(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock)
    assert await note(desk, "model off") == "Model: none configured, answers come from rules. The switch is off."
    assert "none configured" in await note(desk, "status")


async def test_the_budget_shows_today_each_live_incident_and_calls_without_a_price(desk: Desk, clock: FakeClock) -> None:
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0)))
    entries = (
        Interaction("a", clock(), Feature.DIAGNOSIS, "model", incident.id, calls=2, cost=0.25),
        Interaction("b", clock() - timedelta(days=1), Feature.DIAGNOSIS, "model", incident.id, calls=1, cost=0.5),
        Interaction("c", clock(), Feature.QUESTION, "model", calls=3, cost_known=False),
    )
    for entry in entries:
        await desk.db.write(lambda tx, e=entry: desk.journal.add(tx, e))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    said = (await note(desk, "budget")).splitlines()
    assert said[0] == "Today (UTC): $0.2500 of $20, 5 of 1000 calls, the price of 3 of them is not known"
    assert said[1] == "INC-42: $0.7500 of $1, 3 of 40 calls"
    assert (await note(desk, "budget inc-42")).splitlines()[1].startswith("INC-42:")
    with pytest.raises(NotFound, match="no INC-99"):
        await note(desk, "budget INC-99")
