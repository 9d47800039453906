"""Anybody can ask where an incident would go and who would be reached, in Slack and on the command line."""

from pathlib import Path

import pytest

from bot.cli import main
from bot.domain.request import CommandRequest, Person
from bot.domain.view import NoteView
from bot.errors import Unavailable
from bot.flows.command import on_command
from bot.ports import OnCall
from bot.slack.blocks.notes import render_note
from bot.storage.database import SqlDatabase
from tests.fakes import FakeClock
from tests.flows.reaching.fakes import FakePages, a_reaching_desk

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
ROUTING = """
default: {channel: "#incidents", on_call: [U0STATIC], on_call_from: "pagerduty:primary", escalation: standard}
escalations: {standard: {SEV1: [{after: 5m, to: "#leads"}]}}
"""


async def ask(database: SqlDatabase, clock: FakeClock, pager: FakePages, *words: str) -> str:
    desk = a_reaching_desk(database, clock, ROUTING, schedules={"pagerduty": pager})
    request = CommandRequest(Person("U0OLIVIA"), "C1", "tocsin", ("route", *words), " ".join(("route", *words)), "", "id")
    shown = await on_command(request, desk)
    assert isinstance(shown, NoteView)
    return shown.text


async def test_it_is_told_with_the_pagers_own_word(database: SqlDatabase, clock: FakeClock) -> None:
    pager = FakePages(people=(OnCall("Olivia", "olivia@example.com"),))
    told = await ask(database, clock, pager, "payments", "sev1")
    assert "not acknowledged after 5 min (Sun 12:05): #leads" in told
    assert told.endswith("pagerduty:primary now: Olivia <olivia@example.com>")
    pager.fails = Unavailable("PagerDuty did not answer.")
    assert "it did not say: PagerDuty did not answer." in await ask(database, clock, pager, "payments")
    assert (await ask(database, clock, pager)).startswith("Usage:")


async def test_a_service_that_nobody_knows_is_said_to_be_one_with_the_nearest_names(
    database: SqlDatabase, clock: FakeClock
) -> None:
    told = await ask(database, clock, FakePages(), "paymants", "sev1")
    assert told.startswith("There is no service 'paymants' in services.yaml; did you mean payments")
    assert "→ #incidents by default" in told
    assert "There is no service" not in await ask(database, clock, FakePages(), "payments")


async def test_people_are_shown_as_people_and_pagers_without_credentials_are_named(
    database: SqlDatabase, clock: FakeClock
) -> None:
    desk = a_reaching_desk(
        database,
        clock,
        """
        default: {channel: "#incidents", on_call: [U0STATIC1], escalation: standard}
        people: {olivia@example.com: U0STATIC1}
        escalations: {standard: {SEV2: [{after: 5m, to: U0LEAD22}, {after: 9m, to: "opsgenie:shop"}]}}
        """,
    )
    shown = await on_command(
        CommandRequest(Person("U0OLIVIA"), "C1", "tocsin", ("route", "payments"), "route payments", "", "id"), desk
    )
    assert isinstance(shown, NoteView)
    assert shown.named == ("U0STATIC1", "U0LEAD22")
    assert "on call: <@U0STATIC1> (olivia@example.com)" in str(render_note(shown))
    assert "! opsgenie:shop cannot page: the credentials of opsgenie are not set; see docs/connectors" in shown.text


def test_the_command_line_tells_the_same_without_a_running_bot(
    database: SqlDatabase, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del database
    (tmp_path / "routing.yaml").write_text(ROUTING)
    (tmp_path / "services.yaml").write_text("services: [{name: payments}]\n")
    assert main(["--config", str(tmp_path), "route", "explain", "payments", "--severity", "SEV1"]) == 0
    told = capsys.readouterr().out
    assert "→ #incidents by default; on call: U0STATIC" in told
    assert "pagerduty cannot say who is on call: its credentials are not set" in told
    assert "parts of Tocsin that fail are told in #incidents; no outside monitor hears a heartbeat" in told
    (tmp_path / "tocsin.toml").write_text('[health]\nheartbeat_url = "https://monitor.example/ping/a-secret-id"\n')
    assert main(["--config", str(tmp_path), "route", "explain", "payments"]) == 0
    told = capsys.readouterr().out
    assert "an outside monitor hears a heartbeat every 60 s" in told
    assert "a-secret-id" not in told
