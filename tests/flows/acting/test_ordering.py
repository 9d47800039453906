"""A deploy or rollback by form: what can be wrong is said under its field; the form knows what ran."""

import asyncio

import pytest

from bot.domain.action import ActionKind, ActionStatus
from bot.domain.change import Version
from bot.domain.request import ChangeRequest, CommandRequest, Person
from bot.domain.view import NoteView
from bot.flows.acting import ordering
from bot.flows.acting.ordering import check_order, from_command, on_order, order_form, services
from bot.flows.desk import Desk
from bot.storage.database import SqlDatabase
from tests.actions.estate import OLIVIA, SAM, FakeDeployer, a_desk
from tests.fakes import FakeClock


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer()


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> Desk:
    return a_desk(database, clock, vendor)


def wish(**fields: object) -> ChangeRequest:
    given: dict[str, object] = {
        "person": Person(OLIVIA),
        "channel": "C-OPS",
        "kind": ActionKind.DEPLOY,
        "service": "payments",
        "version": "v44",
        "environment": "production",
        "reason": "token=abcdefgh12345678 is out",
        "id": "view:V1",
    }
    return ChangeRequest(**{**given, **fields})  # type: ignore[arg-type]  # a test's shorthand


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"service": "nobody"}, "service", "no service 'nobody'"),
        ({"service": "printer"}, "service", "no deployer"),
        ({"environment": "moon"}, "environment", "it has production, staging"),
        ({"version": "v1; rm -rf /"}, "version", "Letters, digits"),
        ({"version": ""}, "version", "Which version?"),
        ({"person": Person(SAM)}, "service", "Only on-call and approvers may ask for production deploys"),
    ],
)
def test_what_is_wrong_is_said_under_its_field(desk: Desk, fields: dict[str, object], field: str, words: str) -> None:
    wrong = check_order(wish(**fields), desk)
    assert list(wrong) == [field]
    assert words in wrong[field]


def test_a_good_wish_has_nothing_wrong_and_a_rollback_needs_no_version(desk: Desk, vendor: FakeDeployer) -> None:
    assert check_order(wish(), desk) == {}
    assert check_order(wish(kind=ActionKind.ROLLBACK, version=""), desk) == {}
    assert vendor.asked == []


async def test_the_same_form_sent_twice_is_one_action_with_its_reason(desk: Desk) -> None:
    said = await on_order(wish(), desk)
    assert await on_order(wish(), desk) == said
    assert isinstance(said, NoteView)
    assert "The plan to deploy payments to v44 is posted" in said.text
    [action] = await desk.db.read(desk.actions.unfinished)
    assert (action.status, action.requested_by) == (ActionStatus.AWAITING, OLIVIA)
    assert "abcdefgh" not in action.reason
    assert action.reason.endswith("is out")


async def test_an_empty_form_opens_without_asking_anybody(desk: Desk, vendor: FakeDeployer) -> None:
    form = await order_form(ActionKind.ROLLBACK, "", "", desk)
    assert (form.services, form.environments) == (("payments", "checkout"), ("production", "staging"))
    assert (form.environment, form.service, form.versions) == ("production", "", ())
    assert vendor.asked == []


async def test_a_chosen_service_brings_its_environments_and_versions(desk: Desk) -> None:
    form = await order_form(ActionKind.ROLLBACK, "checkout", "staging", desk)
    assert (form.environments, form.environment, form.current) == (("production",), "production", "v18")
    assert form.versions == ("v43", "v42", "v41")


async def test_a_deployer_that_is_down_or_slow_leaves_the_version_to_be_typed(
    desk: Desk, vendor: FakeDeployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.down = True
    assert (await order_form(ActionKind.ROLLBACK, "payments", "", desk)).versions == ()
    vendor.down = False

    async def slow(service: str, environment: str) -> tuple[Version, ...]:
        await asyncio.sleep(10)
        return ()

    monkeypatch.setattr(vendor, "versions", slow)
    monkeypatch.setattr(ordering, "ASKING", 0.05)
    form = await order_form(ActionKind.ROLLBACK, "payments", "", desk)
    assert (form.service, form.versions) == ("payments", ())


@pytest.mark.parametrize(
    ("command", "words", "version", "environment"),
    [
        ("deploy", "payments v44", "v44", ""),
        ("deploy", "payments v44 staging", "v44", "staging"),
        ("rollback", "payments", "", ""),
        ("rollback", "payments v42", "v42", ""),
        ("rollback", "payments staging", "", "staging"),
        ("rollback", "payments v42 staging", "v42", "staging"),
    ],
)
def test_a_command_in_words_is_the_same_wish(desk: Desk, command: str, words: str, version: str, environment: str) -> None:
    request = CommandRequest(Person(OLIVIA), "C-OPS", command, tuple(words.split()), words, "t1", "c1")
    asked = from_command(request, ActionKind(command), desk)
    assert asked is not None
    assert (asked.service, asked.version, asked.environment, asked.id) == ("payments", version, environment, "c1")


@pytest.mark.parametrize(("command", "words"), [("deploy", "payments"), ("deploy", ""), ("rollback", "a b c d")])
def test_too_few_or_too_many_words_are_no_wish(desk: Desk, command: str, words: str) -> None:
    request = CommandRequest(Person(OLIVIA), "C-OPS", command, tuple(words.split()), words, "t1", "c1")
    assert from_command(request, ActionKind(command), desk) is None


def test_every_service_of_the_catalogue_can_have_an_incident(desk: Desk) -> None:
    assert services(desk) == ("payments", "checkout", "acmepay", "printer")
