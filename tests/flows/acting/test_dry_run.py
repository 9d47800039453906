"""A dry run stops at its plan; its button asks for approval with a fresh one, for whoever presses."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.actions.approvals import NotYours
from bot.actions.policy import read_policies
from bot.domain.action import Action, ActionKind, ActionStatus, Claim
from bot.domain.change import Commit
from bot.domain.incident import Status
from bot.domain.lock import Lock
from bot.domain.request import CommandRequest, Deed, Person
from bot.domain.view import NoteView, Place
from bot.errors import Unavailable
from bot.flows.acting.ordering import from_command, on_order
from bot.flows.acting.proposing import propose
from bot.flows.desk import Desk
from bot.flows.showing import incident_view
from bot.storage.database import SqlDatabase
from tests.actions.estate import (
    AMIR,
    OLIVIA,
    RULES,
    SAM,
    FakeDeployer,
    FakeRepository,
    a_desk,
    deeds,
    open_incident,
    press,
    proposed,
    run_for,
    the,
)
from tests.fakes import NOON, FakeClock, a_change, an_incident

SHA = "44" * 20
GREEN = RULES.replace(
    "    self_approval: false\n", "    self_approval: false\n    required_checks: [unit]\n    checks_override: [approvers]\n"
)
FREEZE = """
freezes:
  - {name: lunch, dates: ["2026-01-01 - 2027-12-31"], environments: [production], reason: nobody is here}
"""


class Forge(FakeDeployer):
    """A deployer that knows the checks of the new commit."""

    green: Mapping[str, bool] = {}
    gone = False

    async def checks(self, service: str, commit: str) -> Mapping[str, bool]:
        if self.gone:
            raise Unavailable("The forge does not answer.")
        return self.green


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer()


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> Desk:
    return a_desk(database, clock, vendor)


async def dry(desk: Desk, who: str = OLIVIA, kind: ActionKind = ActionKind.DEPLOY, **more: object) -> Action:
    given: dict[str, object] = {"target": "v44", "claim": Claim.NONE, "reason": "because", "dry": True, "key": "", **more}
    return await propose(
        incident=None,
        kind=kind,
        service="payments",
        environment="production",
        person=Person(who),
        desk=desk,
        place=Place("C-OPS"),
        **given,  # type: ignore[arg-type]  # a test's shorthand
    )


async def told_of(desk: Desk) -> None:
    await desk.db.write(lambda tx: desk.changes.save(tx, [a_change(id="d44", version="v44", commit=SHA)]))


async def test_a_dry_run_is_kept_and_in_the_audit_and_nobody_can_approve_it(desk: Desk, vendor: FakeDeployer) -> None:
    action = await dry(desk)
    assert (action.status, action.target, action.policy) == (ActionStatus.PLANNED, "v44", "production")
    assert action.expires_at == NOON + timedelta(minutes=30)
    assert await deeds(desk, action.id) == [(OLIVIA, "planned")]
    card = await desk.db.read(lambda tx: desk.cards.get(tx, f"action:{action.id}"))
    assert card is not None
    assert card.place.channel == "C-OPS"
    assert isinstance(await press(desk, Deed.ACTION_APPROVE, action.id, AMIR), NoteView)
    assert (await the(desk, action.id)).status is ActionStatus.PLANNED
    assert vendor.runs == []


async def test_the_same_request_again_is_the_same_dry_run(desk: Desk) -> None:
    assert (await dry(desk, key="k")).id == (await dry(desk, key="k")).id


async def test_its_button_asks_for_approval_with_a_fresh_plan(desk: Desk, clock: FakeClock, vendor: FakeDeployer) -> None:
    action = await dry(desk)
    clock.advance(minutes=20)
    vendor.running["payments"] = "v42"  # the world went on
    note = await press(desk, Deed.ACTION_ASK, action.id, OLIVIA)
    assert note == NoteView("The deploy of payments to v44 has a fresh plan; it is awaiting approval.")
    asked = await the(desk, action.id)
    assert asked.status is ActionStatus.AWAITING
    assert asked.plan is not None
    assert action.plan is not None
    assert (asked.plan.current_version, asked.plan.made_at) == ("v42", clock.now)
    assert asked.plan.hash != action.plan.hash
    assert asked.expires_at == clock.now + timedelta(minutes=30)
    assert await deeds(desk, action.id) == [(OLIVIA, "planned"), (OLIVIA, "requested")]
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    assert (await the(desk, action.id)).status is ActionStatus.APPROVED


async def test_whoever_presses_is_who_asks_and_may_not_approve_it(desk: Desk) -> None:
    action = await dry(desk)
    await press(desk, Deed.ACTION_ASK, action.id, AMIR)
    assert (await the(desk, action.id)).requested_by == AMIR
    refused = await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    assert isinstance(refused, NoteView)
    assert (await the(desk, action.id)).status is ActionStatus.AWAITING


async def test_an_outsider_makes_no_dry_run_and_asks_for_nothing_by_its_button(desk: Desk, vendor: FakeDeployer) -> None:
    with pytest.raises(NotYours, match="Only on-call and approvers"):
        await dry(desk, SAM)
    assert vendor.asked == []
    action = await dry(desk)
    note = await press(desk, Deed.ACTION_ASK, action.id, SAM)
    assert isinstance(note, NoteView)
    assert "Only on-call and approvers may ask" in note.text
    assert (await the(desk, action.id)).status is ActionStatus.PLANNED
    assert [(e.actor, e.deed) for e in await desk.db.read(lambda tx: desk.ledger.entries(tx, "deploy:payments"))] == [
        (SAM, "refused"),
        (SAM, "refused"),
    ]


async def test_a_claim_is_of_whoever_made_it(desk: Desk) -> None:
    lock = Lock("payments", "production", "U0NIGHT", "moving", NOON, NOON + timedelta(hours=1))
    await desk.db.write(lambda tx: desk.locks.put(tx, None, lock))
    action = await dry(desk, OLIVIA, claim=Claim.OVERRIDE, reason="the bank waits")
    assert action.plan is not None
    assert action.plan.barriers == ()
    assert "let through: overridden by U0ONCALL: the bank waits" in action.plan.warnings[0]
    assert set(action.plan.named) == {"U0NIGHT", OLIVIA}
    refused = await press(desk, Deed.ACTION_ASK, action.id, AMIR)  # Amir may override locks too, but did not say so
    assert isinstance(refused, NoteView)
    assert "locked by U0NIGHT" in refused.text
    await press(desk, Deed.ACTION_ASK, action.id, OLIVIA)
    assert (await the(desk, action.id)).status is ActionStatus.AWAITING


async def test_a_dry_run_tells_what_would_refuse_it(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock, FakeDeployer(), policies=read_policies(RULES + FREEZE))
    await open_incident(desk, id="i9", number=9)
    action = await dry(desk)
    assert action.plan is not None
    assert [line.partition(",")[0] for line in action.plan.barriers] == [
        "Production deploys are frozen: nobody is here",
        "INC-9 is open on payments",
    ]
    assert action.plan.barriers[0].endswith("until 2028-01-01 00:00 UTC; nobody may override it")
    note = await press(desk, Deed.ACTION_ASK, action.id, OLIVIA)
    assert isinstance(note, NoteView)
    assert "are frozen" in note.text
    assert (await the(desk, action.id)).status is ActionStatus.PLANNED


async def test_a_freeze_that_begins_soon_is_warned_of(database: SqlDatabase, clock: FakeClock) -> None:
    begins = NOON + timedelta(minutes=45)
    first = f"{begins:%Y-%m-%d %H:%M} - {begins + timedelta(hours=2):%Y-%m-%d %H:%M}"
    spans = f'{first}", "{begins + timedelta(days=5):%Y-%m-%d %H:%M} - 2030-01-01'
    policies = read_policies(RULES + f'freezes:\n  - {{name: sale, dates: ["{spans}"], override: [approvers]}}\n')
    desk = a_desk(database, clock, FakeDeployer(), policies=policies)
    made = (await dry(desk, dry=False)).plan
    assert made is not None
    assert made.warnings[0] == f"The freeze sale begins in 45 min, at {begins.astimezone(UTC):%H:%M} UTC."
    back = (await dry(desk, kind=ActionKind.ROLLBACK, target="")).plan  # the freeze is about deploys
    assert back is not None
    assert not any("freeze" in w for w in back.warnings)


async def test_a_dry_run_is_made_beside_what_is_under_way_but_asks_for_nothing_then(desk: Desk) -> None:
    busy = await proposed(desk)
    await press(desk, Deed.ACTION_APPROVE, busy.id, AMIR)
    action = await dry(desk, kind=ActionKind.ROLLBACK, target="v41")
    assert action.plan is not None
    assert "A rollback of payments to v42 is approved." in action.plan.warnings
    note = await press(desk, Deed.ACTION_ASK, action.id, OLIVIA)
    assert isinstance(note, NoteView)
    assert "one at a time" in note.text


async def test_two_who_press_at_once_ask_once(desk: Desk) -> None:
    action = await dry(desk)
    notes = await asyncio.gather(*(press(desk, Deed.ACTION_ASK, action.id, who) for who in (OLIVIA, AMIR)))
    assert sorted(isinstance(n, NoteView) and "fresh plan" in n.text for n in notes) == [False, True]
    assert [deed for _, deed in await deeds(desk, action.id)] == ["planned", "requested"]


async def test_a_dry_run_expires_and_asks_for_nothing_any_more(desk: Desk, clock: FakeClock) -> None:
    action = await dry(desk)
    clock.advance(minutes=30)
    note = await press(desk, Deed.ACTION_ASK, action.id, OLIVIA)
    assert isinstance(note, NoteView)
    assert "planned too long ago" in note.text
    await run_for(desk, clock, 2)
    assert (await the(desk, action.id)).status is ActionStatus.EXPIRED
    assert (await deeds(desk, action.id))[-1] == ("tocsin", "expired")


async def test_what_was_asked_for_expires_by_its_new_time(desk: Desk, clock: FakeClock) -> None:
    action = await dry(desk)
    clock.advance(minutes=20)
    await press(desk, Deed.ACTION_ASK, action.id, OLIVIA)
    await run_for(desk, clock, 15 * 60, step=60)
    assert (await the(desk, action.id)).status is ActionStatus.AWAITING
    await run_for(desk, clock, 16 * 60, step=60)
    assert (await the(desk, action.id)).status is ActionStatus.EXPIRED


async def test_a_dry_run_does_not_stand_on_the_card_of_an_incident(desk: Desk, clock: FakeClock) -> None:
    incident = await open_incident(desk)
    action = await propose(
        incident=incident,
        kind=ActionKind.ROLLBACK,
        service="payments",
        target="",
        environment="production",
        person=Person(OLIVIA),
        desk=desk,
        reason="to see",
        dry=True,
    )
    assert action.incident_id == incident.id
    assert (await desk.db.read(lambda tx: incident_view(tx, incident, desk))).action is None
    clock.advance(minutes=31)
    await run_for(desk, clock, 2)
    assert (await desk.db.read(lambda tx: incident_view(tx, incident, desk))).action is None


@pytest.mark.parametrize(
    ("command", "words", "dry_run", "claim"),
    [
        ("deploy", "payments v44 --dry-run", True, Claim.NONE),
        ("deploy", "--dry-run payments v44", True, Claim.NONE),
        ("deploy", "payments v44 production —dry-run", True, Claim.NONE),
        ("deploy", "payments v44 --dry-run --override why", True, Claim.OVERRIDE),
        ("deploy", "payments v44 --override why --dry-run", True, Claim.OVERRIDE),
        ("deploy", "payments v44", False, Claim.NONE),
        ("rollback", "payments --dry-run", True, Claim.NONE),
    ],
)
def test_a_command_in_words_may_want_the_plan_alone(desk: Desk, command: str, words: str, dry_run: bool, claim: Claim) -> None:
    request = CommandRequest(Person(OLIVIA), "C-OPS", command, tuple(words.split()), words, "t1", "c1")
    asked = from_command(request, ActionKind(command), desk)
    assert asked is not None
    assert (asked.dry, asked.claim, asked.service) == (dry_run, claim, "payments")
    assert "dry" not in asked.reason


async def test_the_command_says_that_nobody_was_asked(desk: Desk) -> None:
    words = ("payments", "v44", "--dry-run")
    asked = from_command(CommandRequest(Person(OLIVIA), "C-OPS", "deploy", words, "", "t1", "c1"), ActionKind.DEPLOY, desk)
    assert asked is not None
    note = await on_order(asked, desk)
    assert isinstance(note, NoteView)
    assert note.text.startswith("The plan to deploy payments to v44 is posted; it is planned. Nobody is asked until somebody")


async def test_a_commit_without_its_required_checks_is_refused_with_what_lacks_and_who_may_override(
    database: SqlDatabase, clock: FakeClock
) -> None:
    vendor = Forge()
    desk = a_desk(database, clock, vendor, policies=read_policies(GREEN))
    await told_of(desk)
    with pytest.raises(NotYours, match=r"Required checks are not green on 4444444: unit is not known to have passed"):
        await dry(desk, dry=False)
    vendor.green = {"unit": False}
    with pytest.raises(NotYours, match=r"unit failed.*approvers may override it: .*--override.*Ask again when they have passed"):
        await dry(desk, dry=False)
    seen = (await dry(desk)).plan
    assert seen is not None
    assert seen.barriers == ("Required checks are not green on 4444444: unit failed; approvers may override it",)
    past = await dry(desk, AMIR, dry=False, claim=Claim.OVERRIDE, reason="it is flaky")
    assert past.status is ActionStatus.AWAITING
    vendor.green = {"unit": True, "lint": False}
    assert (await dry(desk, dry=False)).status is ActionStatus.AWAITING


async def test_checks_that_cannot_be_asked_are_not_green(database: SqlDatabase, clock: FakeClock) -> None:
    vendor = Forge()
    vendor.gone = True
    desk = a_desk(database, clock, vendor, policies=read_policies(GREEN))
    await told_of(desk)
    with pytest.raises(NotYours, match="unit is not known to have passed"):
        await dry(desk, dry=False)
    made = (await dry(desk)).plan
    assert made is not None
    assert made.unasked == ("the checks of 4444444: The forge does not answer.",)
    back = await dry(desk, kind=ActionKind.ROLLBACK, target="v42", dry=False)
    assert back.status is ActionStatus.AWAITING


async def test_any_deployer_that_knows_the_commit_can_tell_its_checks(database: SqlDatabase, clock: FakeClock) -> None:
    forge = Forge()
    forge.green = {"unit": True}
    desk = a_desk(database, clock, FakeDeployer(), policies=read_policies(GREEN))
    desk = replace(desk, deployers={**desk.deployers, "ci": forge})
    await told_of(desk)
    assert (await dry(desk, dry=False)).status is ActionStatus.AWAITING


async def test_the_policy_in_force_when_the_button_is_pressed_decides(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock, FakeDeployer())
    action = await dry(desk)
    stricter = replace(desk, policies=lambda: read_policies(GREEN))
    note = await press(stricter, Deed.ACTION_ASK, action.id, OLIVIA)
    assert isinstance(note, NoteView)
    assert "unit is not known" in note.text


async def test_a_knob_of_a_past_incident_is_found_in_the_commits(database: SqlDatabase, clock: FakeClock) -> None:
    file = "services/payments/settings.py"
    diff = f"--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-max_retries = 2\n+max_retries = 10\n"
    turned = Commit(SHA, "ines", NOON, "more patience", (file,), diff)
    desk = a_desk(database, clock, FakeDeployer(), change_sources=(FakeRepository((turned,)),))
    await told_of(desk)
    past = an_incident(id="i1", number=17, confirmed_cause="max_retries was raised without backoff", confirmed_by=OLIVIA)
    over = replace(past, status=Status.RESOLVED, resolved_at=NOON, opened_at=datetime(2026, 1, 1, tzinfo=UTC))
    await desk.db.write(lambda tx: desk.incidents.save(tx, over))
    made = (await dry(desk)).plan
    assert made is not None
    assert [r for r in made.reasons if "INC-17" in r] == [r for r in made.reasons if r.startswith("same knob as INC-17: ")] != []
    assert made.impact.startswith("1 service within two hops")
