"""A deploy or rollback by words or by form: the same wish, planned once; what is mistyped is answered with what is close."""

import pytest

from bot.actions.policy import read_policies
from bot.domain.action import ActionKind, ActionStatus, Claim
from bot.domain.change import ChangeKind
from bot.domain.request import ChangeRequest, CommandRequest, Deed, Person
from bot.domain.view import NoteView, Shown
from bot.errors import IllegalMove, NotFound
from bot.flows.acting.ordering import from_command, on_order, services
from bot.flows.command import on_command
from bot.flows.desk import Desk
from bot.storage.database import SqlDatabase
from tests.actions.estate import AMIR, OLIVIA, RULES, FakeDeployer, a_desk, clear, deeds, press, proposed, run_for, the
from tests.fakes import FakeClock, a_change


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


async def test_the_same_form_sent_twice_is_one_action_with_its_reason(desk: Desk) -> None:
    said = await on_order(wish(), desk)
    assert await on_order(wish(), desk) == said
    assert isinstance(said, NoteView)
    assert "The plan to deploy payments to v44 is posted" in said.text
    [action] = await desk.db.read(desk.actions.unfinished)
    assert (action.status, action.requested_by) == (ActionStatus.AWAITING, OLIVIA)
    assert "abcdefgh" not in action.reason
    assert action.reason.endswith("is out")


async def test_whoever_breaks_the_glass_is_not_handed_the_plan_that_waits_without_it(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = a_desk(database, clock, vendor, policies=read_policies(f"{RULES}break_glass:\n  people: [{OLIVIA}]\n"))
    await on_order(wish(), desk)
    await on_order(wish(id="view:V2", claim=Claim.BREAK_GLASS, reason="the shop is down"), desk)
    plain, broken = await desk.db.read(desk.actions.unfinished)
    assert [plain.claim, broken.claim] == [Claim.NONE, Claim.BREAK_GLASS]
    await press(desk, Deed.ACTION_APPROVE, broken.id, OLIVIA)
    assert (await the(desk, broken.id)).status is ActionStatus.APPROVED
    assert await deeds(desk, "break-glass") == [(OLIVIA, "broke the glass")]


async def test_a_second_rollback_never_brings_back_what_the_first_one_took_out(
    desk: Desk, vendor: FakeDeployer, clock: FakeClock
) -> None:
    action = await proposed(desk)
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    await run_for(desk, clock, 10)
    await clear(desk)
    await run_for(desk, clock, 10)
    assert (await the(desk, action.id)).status is ActionStatus.SUCCEEDED
    vendor.healthy = {"v42": None, "v43": None, "v41": None}  # its runs, newest first; it cannot tell health
    again = await on_order(wish(kind=ActionKind.ROLLBACK, version="", id="view:V2"), desk)
    assert isinstance(again, NoteView)
    assert "roll back payments to v41" in again.text
    stale = await press(desk, Deed.ROLLBACK_PROPOSE, action.incident_id, OLIVIA, "a second look at the card")
    assert isinstance(stale, NoteView)
    assert stale.text.startswith("payments v43 was rolled back in production at ")
    assert stale.text.endswith("UTC already; v42 runs. To go back further: /rollback payments <version> production")
    with pytest.raises(IllegalMove, match=r"was rolled back in production .* /deploy payments v43 production"):
        await on_order(wish(kind=ActionKind.ROLLBACK, version="v43", id="view:V3"), desk)


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


async def typed(desk: Desk, command: str, words: str, who: str = OLIVIA) -> Shown:
    return await on_command(CommandRequest(Person(who), "C-OPS", command, tuple(words.split()), words, "t1", "c1"), desk)


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("deploy", "paymnts v44", "There is no service 'paymnts'; did you mean payments"),
        ("deploy", "Payments-ap v44", "did you mean payments-api"),
        ("deploy", "chekc v44", "did you mean checkout"),
        ("deploy", "payments v44 productoin", "payments has no environment 'productoin'; did you mean production?"),
        ("deploy", "payments v44 moon", "payments has no environment 'moon'; known are: production, staging."),
        ("rollback", "payments v421", "v421 never ran in production; did you mean v42 or v41 or v43?"),
        ("rollback", "payments nonsense", "nonsense never ran in production; those that did: v43, v42, v41."),
        ("rollback", "zzz", "There is no service 'zzz'; known are: acmepay, checkout, payments, payments-api, printer."),
    ],
)
async def test_what_is_mistyped_is_answered_with_what_is_close_to_it(desk: Desk, command: str, words: str, said: str) -> None:
    with pytest.raises(NotFound) as caught:
        await typed(desk, command, words)
    assert said in caught.value.for_people


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        (
            "deploy",
            "payments",
            "Which version of payments? `/deploy` alone opens a form with those there are.\nUsage: /deploy <service>",
        ),
        ("deploy", "statsu", "Did you mean `/deploy status`?\nUsage: /deploy"),
        ("deploy", "unlok payments", "I do not know `/deploy unlok`. Did you mean `/deploy unlock`?"),
        ("deploy", "cancle payments staging", "Did you mean `/deploy cancel`?"),
        ("deploy", "hsitory payments v1 production extra", "Did you mean `/deploy history`?"),
        ("rollback", "payments v1 production extra", "Usage: /rollback <service> [version]"),
    ],
)
async def test_words_that_mean_nothing_are_answered_with_how_it_is_used(desk: Desk, command: str, words: str, said: str) -> None:
    shown = await typed(desk, command, words)
    assert isinstance(shown, NoteView)
    assert said in shown.text


async def test_a_version_that_nobody_told_of_is_planned_and_the_close_one_is_named(desk: Desk) -> None:
    shown = await on_order(wish(version="v44", id="first"), desk)
    assert isinstance(shown, NoteView)
    assert "did you mean" not in shown.text, "nobody tells of builds here"
    told = a_change(version="v45", commit="c45", kind=ChangeKind.BUILD)
    await desk.db.write(lambda tx: desk.changes.save(tx, [told]))
    shown = await typed(desk, "deploy", "payments v54")
    assert isinstance(shown, NoteView)
    assert "No build of v54 was told of; did you mean v45" in shown.text
    known = await on_order(wish(version="v45", id="other"), desk)
    assert isinstance(known, NoteView)
    assert "did you mean" not in known.text
