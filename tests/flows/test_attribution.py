"""Alerts without a service: listed, mapped by one press, applied to the live incident and from then on, undone by another."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from bot.actions.policy import read_policies
from bot.cli import main
from bot.domain.alert import Alert
from bot.domain.incident import Status
from bot.domain.request import CommandRequest, Deed, Person, Press
from bot.domain.view import NoteView, Place, UnmatchedView
from bot.errors import NotAllowed, NotFound
from bot.flows.attribution import on_press
from bot.flows.command import on_command
from bot.storage.database import SqlDatabase
from tests.fakes import NOON, an_alert
from tests.flows.desk_of_alerts import Story

ANNA = Person("U0ANNA")


@pytest.fixture
def story(database: SqlDatabase) -> Story:
    return Story(database)


def a_disk(name: str = "DiskFull", **more: object) -> Alert:
    labels = {"namespace": "infra", "alertname": name, "node": "n1"}
    return an_alert(**{"name": name, "service": "unknown", "labels": labels, "service_from": "no label names one", **more})


async def listed(story: Story) -> UnmatchedView:
    words = ("unmatched",)
    view = await on_command(CommandRequest(ANNA, "C1", "incident", words, "unmatched", "t", "id"), story.desk)
    assert isinstance(view, UnmatchedView)
    return view


def press(deed: Deed, value: str, service: str = "") -> Press:
    return Press(ANNA, Place("C1"), deed, value, "t", "id", text=service)


async def test_what_could_not_be_attributed_is_listed_by_what_it_has_in_common(story: Story) -> None:
    story.alerts(
        a_disk(), a_disk("NodeDown"), an_alert(service="billing", labels={"app": "billing"}), an_alert(service="payments")
    )
    rows = {(row.label, row.value): row for row in (await listed(story)).rows}
    assert set(rows) == {("namespace", "infra"), ("service", "billing")}
    assert (rows["namespace", "infra"].names, rows["namespace", "infra"].events) == (("DiskFull", "NodeDown"), 2)


async def test_one_press_maps_it_for_the_live_incident_and_from_then_on(story: Story) -> None:
    story.alerts(a_disk())
    before = story.only()
    shown = await on_press(press(Deed.SERVICE_MAP, "namespace=infra", "store"), story.desk)
    assert isinstance(shown, NoteView)
    assert f"namespace=infra are about store. {before.key} is about it now." in shown.text
    incident = story.only()
    assert (incident.service, [m.service for m in incident.members]) == ("store", ["store"])
    assert "said that namespace=infra is store" in story.told(incident)
    assert "investigate" in story.ends()
    view = await listed(story)
    assert [(m.value, m.service, m.by) for m in view.mappings] == [("infra", "store", "U0ANNA")]
    assert view.rows == ()
    ledger = story.database.read_now(lambda tx: story.desk.ledger.entries(tx))
    assert [(line.actor, line.deed) for line in ledger] == [("U0ANNA", "service mapped")]


async def test_the_problem_that_fired_before_the_mapping_is_cleared_after_it(story: Story) -> None:
    story.alerts(a_disk())
    await on_press(press(Deed.SERVICE_MAP, "namespace=infra", "store"), story.desk)
    story.alerts(replace(a_disk(), resolved=True, ended_at=NOON + timedelta(minutes=5)))
    assert (story.only().firing, len(story.only().members)) == (0, 1)
    assert (await listed(story)).rows == ()  # what came in before is as it was written down, and said for
    story.alerts(a_disk("NodeDown"))
    assert {m.service for i in story.incidents() for m in i.members} == {"store"}


async def test_undo_is_for_what_comes_in_later(story: Story) -> None:
    story.alerts(a_disk())
    await on_press(press(Deed.SERVICE_MAP, "namespace=infra", "store"), story.desk)
    await on_press(press(Deed.SERVICE_UNMAP, "namespace=infra"), story.desk)
    view = await listed(story)
    assert (view.mappings, [row.value for row in view.rows]) == ((), ["infra"])
    assert story.only().service == "store"
    story.move(story.only(), Status.RESOLVED)
    story.alerts(a_disk("NodeDown"))
    assert story.incidents()[-1].members[-1].service == "unknown"
    shown = await on_press(press(Deed.SERVICE_UNMAP, "namespace=infra"), story.desk)
    assert shown == NoteView("That was taken back already.")


async def test_a_service_that_is_not_described_is_refused(story: Story) -> None:
    with pytest.raises(NotFound, match=r"no service 'nothing' in services\.yaml"):
        await on_press(press(Deed.SERVICE_MAP, "namespace=infra", "nothing"), story.desk)


def test_the_terminal_lists_them_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "services.yaml").write_text("services: [{name: store}]\n", encoding="utf-8")
    database = SqlDatabase(f"sqlite:///{tmp_path}/.tocsin/tocsin.db")
    (tmp_path / ".tocsin").mkdir()
    database.open()
    Story(database).alerts(a_disk(), an_alert(service="store"))
    database.close()
    assert main(["--config", str(tmp_path), "incidents", "unmatched"]) == 0
    said = capsys.readouterr().out
    assert "1  namespace=infra  DiskFull" in said
    assert "store" not in said
    assert main(["--config", str(tmp_path), "incidents", "unmatched", "--json"]) == 0
    assert '"label": "namespace"' in capsys.readouterr().out


async def test_whoever_is_in_no_group_of_policies_yaml_says_nothing_about_whose_alerts_are_whose(story: Story) -> None:
    policies = read_policies("groups: {sre: [U0ONCALL]}\nrules: []\n", "policies.yaml")
    desk = replace(story.desk, policies=lambda: policies)
    story.alerts(a_disk())
    for deed in (Deed.SERVICE_MAP, Deed.SERVICE_UNMAP):
        with pytest.raises(NotAllowed, match=r"Only people of the groups in policies.yaml"):
            await on_press(press(deed, "namespace=infra", "store"), desk)
    view = await listed(story)
    assert (view.mappings, [row.value for row in view.rows]) == ((), ["infra"])
    allowed = replace(press(Deed.SERVICE_MAP, "namespace=infra", "store"), person=Person("U0ONCALL"))
    assert isinstance(await on_press(allowed, desk), NoteView)
