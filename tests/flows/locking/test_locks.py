"""Locks by hand: whose, how long, who may take them away, and that they hold at every moment of an action."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.actions.policy import read_policies
from bot.domain.action import ActionKind, ActionStatus
from bot.domain.lock import Lock
from bot.domain.request import CommandRequest, Deed, Person
from bot.domain.view import ActionView, NoteView
from bot.errors import IllegalMove, NotFound
from bot.flows.acting.executing import execute
from bot.flows.announce import refresh
from bot.flows.command import on_command
from bot.flows.desk import Desk
from bot.flows.locking.breaking import digest_lines, glass_broken
from bot.flows.locking.locks import end_lock, held_lines
from bot.incidents.routing import read_routing
from bot.storage.database import SqlDatabase
from tests.actions.estate import AMIR, OLIVIA, RULES, SAM, FakeDeployer, a_desk, deeds, open_incident, press, proposed, the
from tests.fakes import NOON, FakeChannel, FakeClock, InMemoryWork
from tests.flows.reaching.fakes import FakePager

CHIEF = "U0CHIEF"


LISTED = RULES + "break_glass: {people: [U0BREAK]}\n"
GROUPED = RULES.replace("groups:\n", "groups:\n  breakers: [S0BREAK]\n") + "break_glass: {groups: [breakers]}\n"


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer()


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer) -> Desk:
    return a_desk(database, clock, vendor)


async def said(desk: Desk, who: str, *words: str, command: str = "deploy") -> NoteView:
    note = await on_command(CommandRequest(Person(who), "C-OPS", command, words, " ".join(words), "t", f"{who}:{words}"), desk)
    assert isinstance(note, NoteView)
    return note


async def held(desk: Desk) -> tuple[Lock, ...]:
    return await desk.db.read(lambda tx: desk.locks.held(tx, desk.clock()))


async def test_a_lock_has_an_owner_a_reason_and_an_end_and_is_in_the_audit(desk: Desk) -> None:
    note = await said(desk, OLIVIA, "lock", "payments", "moving the ledger", "2h")
    assert note.text.splitlines()[0] == "payments is locked in production until 2026-11-22 14:00 UTC: moving the ledger"
    (lock,) = await held(desk)
    assert (lock.owner, lock.until - lock.since) == (OLIVIA, timedelta(hours=2))
    assert await deeds(desk, "lock:payments/production") == [(OLIVIA, "locked")]
    lines, owners = await desk.db.read(lambda tx: held_lines(tx, None, desk))
    assert lines == ("payments (production): locked by U0ONCALL until 2026-11-22 14:00 UTC: moving the ledger",)
    assert owners == (OLIVIA,)


async def test_words_of_a_lock_come_in_any_number(desk: Desk) -> None:
    await said(desk, OLIVIA, "lock", "payments-api", "we", "move", "things", "staging", "30m")
    (lock,) = await held(desk)
    assert (lock.service, lock.environment, lock.reason) == ("payments", "staging", "we move things")
    assert lock.until - lock.since == timedelta(minutes=30)


async def test_a_lock_without_a_reason_a_service_or_a_right_is_refused(desk: Desk) -> None:
    with pytest.raises(IllegalMove, match="Say why"):
        await said(desk, OLIVIA, "lock", "payments", "2h")
    with pytest.raises(NotFound, match="did you mean payments"):
        await said(desk, OLIVIA, "lock", "paymets", "why")
    note = await said(desk, SAM, "lock", "payments", "why")
    assert note.text == 'Only on-call and approvers may lock payments in production (rule "production"). Ask one of them.'
    assert OLIVIA in note.mention
    assert await held(desk) == ()
    assert await deeds(desk, "lock:payments/production") == [(SAM, "refused")]


async def test_of_two_at_the_same_moment_one_has_the_lock(desk: Desk) -> None:
    notes = await asyncio.gather(*(said(desk, who, "lock", "payments", f"by {who}") for who in (OLIVIA, AMIR, CHIEF)))
    (lock,) = await held(desk)
    assert sum("has locked it already" in note.text for note in notes) == 2
    assert lock.reason == f"by {lock.owner}"


async def test_a_locked_service_takes_no_plan_and_the_refusal_says_who_could_and_how(desk: Desk) -> None:
    await said(desk, CHIEF, "lock", "payments", "moving", "2h")
    note = await said(desk, "U0NIGHT", "payments", "v44")
    assert note.text == (
        'payments is locked by U0CHIEF: moving, until 2026-11-22 14:00 UTC (rule "lock of payments"). approvers may override it: '
        '/deploy payments v44 production --override "why"; ask again when it is over.'
    )
    assert note.mention == (AMIR, CHIEF, OLIVIA)
    assert note.named == (CHIEF,)
    assert await deeds(desk, "deploy:payments") == [("U0NIGHT", "refused")]


async def test_whoever_may_overrides_with_a_reason_which_the_plan_and_the_audit_tell(desk: Desk) -> None:
    await said(desk, CHIEF, "lock", "payments", "moving", "2h")
    await said(desk, AMIR, "payments", "v44", "—override", "cards", "fail")
    (action,) = await desk.db.read(desk.actions.unfinished)
    assert action.plan is not None
    assert action.plan.warnings[0] == "payments is locked by U0CHIEF: moving; let through: overridden by U0APPROVER: cards fail"
    (entry,) = await desk.db.read(lambda tx: desk.ledger.entries(tx, action.id))
    assert entry.detail is not None
    assert (entry.detail["claim"], entry.detail["claim_reason"]) == ("override", "cards fail")


async def test_whose_lock_a_plan_tells_of_is_mentioned_by_an_edit_which_rings_nobody(desk: Desk) -> None:
    await said(desk, "U0NIGHT", "lock", "payments", "moving", "2h")
    await said(desk, AMIR, "payments", "v44", "--override", "cards fail")
    (action,) = await desk.db.read(desk.actions.unfinished)
    key = f"action:{action.id}"
    assert isinstance(desk.work, InMemoryWork)
    assert isinstance(desk.channel, FakeChannel)
    await refresh({"key": key}, desk)
    wanted = [work.args for work in desk.work.named("refresh") if work.args["key"] == key]
    await refresh(wanted[-1], desk)
    first, last = [v for p in desk.channel.posts if p.key == key for v in p.views if isinstance(v, ActionView)]
    assert first.action.plan is not None
    assert last.action.plan is not None
    assert first.action.plan.warnings == last.action.plan.warnings
    assert (first.action.plan.named, last.action.plan.named) == ((AMIR,), ("U0NIGHT", AMIR))


async def test_a_lock_that_comes_after_the_plan_stops_the_approval(desk: Desk) -> None:
    action = await proposed(desk)
    await said(desk, CHIEF, "lock", "payments", "moving", "2h")
    note = await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    assert isinstance(note, NoteView)
    assert note.text.startswith("payments is locked by U0CHIEF: moving")
    assert (await the(desk, action.id)).status is ActionStatus.AWAITING


async def test_a_lock_that_comes_after_the_approval_stops_the_start(desk: Desk, vendor: FakeDeployer) -> None:
    action = await proposed(desk)
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    await said(desk, CHIEF, "lock", "payments", "moving", "2h")
    await execute({"action": action.id, "look": 0}, desk)
    ended = await the(desk, action.id)
    assert ended.status is ActionStatus.REFUSED
    assert ended.outcome.startswith("Nothing was started: payments is locked by U0CHIEF: moving")
    assert vendor.runs == []
    assert (await deeds(desk, action.id))[-1] == ("tocsin", "refused")


async def test_an_approver_who_left_the_group_meanwhile_does_not_count_at_the_start(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    desk = a_desk(database, clock, vendor)
    action = await proposed(desk)
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    later = a_desk(database, clock, vendor, policies=read_policies(RULES.replace("U0APPROVER, ", "")))
    await execute({"action": action.id, "look": 0}, later)
    ended = await the(desk, action.id)
    assert (ended.status, vendor.runs) == (ActionStatus.REFUSED, [])
    assert "0 of 1 approvals count by the policy of now" in ended.outcome


async def test_only_the_owner_or_who_overrides_with_a_reason_unlocks(desk: Desk) -> None:
    await said(desk, "U0NIGHT", "lock", "payments", "moving", "2h")
    assert "only they and approvers may end it" in (await said(desk, SAM, "unlock", "payments", "please")).text
    assert "Say why you end it" in (await said(desk, AMIR, "unlock", "payments")).text
    assert len(await held(desk)) == 1
    assert (await said(desk, AMIR, "unlock", "payments", "it", "burns")).text == "payments is free again in production."
    assert (await said(desk, AMIR, "unlock", "payments")).text == "payments is not locked in production."
    last = (await desk.db.read(lambda tx: desk.ledger.entries(tx, "lock:payments/production")))[-1]
    assert last.detail == {"service": "payments", "environment": "production", "reason": "it burns", "owner": "U0NIGHT"}


async def test_a_lock_ends_by_itself_and_the_audit_says_so(desk: Desk, clock: FakeClock) -> None:
    await said(desk, OLIVIA, "lock", "payments", "moving", "1h")
    assert isinstance(desk.work, InMemoryWork)
    (ending,) = desk.work.named("end_lock")
    assert ending.not_before == NOON + timedelta(hours=1)
    await said(desk, OLIVIA, "lock", "payments", "still moving", "2h")
    clock.advance(seconds=3600)
    await end_lock(ending.args, desk)
    assert len(await held(desk)) == 1  # it was made longer
    clock.advance(seconds=3600)
    assert await held(desk) == ()
    await end_lock(ending.args, desk)
    await end_lock(ending.args, desk)
    assert [deed for _, deed in await deeds(desk, "lock:payments/production")] == ["locked", "locked", "lock ended"]


async def test_a_freeze_stops_deploys_of_everything_and_no_rollback(desk: Desk) -> None:
    assert "may freeze production" in (await said(desk, "U0NIGHT", "freeze", "big day", "2h")).text
    note = await said(desk, AMIR, "freeze", "big day", "2h")
    assert note.text.startswith("Deploys are frozen in production until 2026-11-22 14:00 UTC: big day")
    refused = (await said(desk, OLIVIA, "payments", "v44")).text
    assert refused.startswith("Deploys in production are frozen by U0APPROVER: big day, until ")
    assert 'rule "freeze of production"' in refused
    assert "This freeze is of U0APPROVER; only they" in (await said(desk, "U0NIGHT", "unfreeze")).text
    assert "is posted" in (await said(desk, OLIVIA, "payments", "v42", command="rollback")).text
    assert (await said(desk, AMIR, "unfreeze")).text == "Deploys are free again in production."
    assert (await said(desk, AMIR, "unfreeze")).text == "Deploys are not frozen in production."


async def test_a_service_with_an_open_incident_takes_a_fix_and_no_other_deploy(desk: Desk) -> None:
    await open_incident(desk)
    refused = await said(desk, OLIVIA, "payments", "v44")
    assert 'rule "incident guard"' in refused.text
    assert '/deploy payments v44 production --fix "why"' in refused.text
    posted = await said(desk, OLIVIA, "payments", "v44", "--fix", "limits the retries")
    assert posted.text.startswith(
        "The plan to deploy payments to v44 is posted in the thread of INC-42; it is awaiting approval."
    )
    assert "needs a reason" in (await said(desk, OLIVIA, "checkout", "v19", "--fix")).text


@pytest.mark.parametrize("rules", [LISTED, GROUPED], ids=["listed", "of a user group"])
async def test_whoever_breaks_the_glass_approves_alone_the_owner_hears_of_it_and_so_does_the_digest(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer, rules: str
) -> None:
    desk = a_desk(database, clock, vendor, policies=read_policies(rules))
    assert isinstance(desk.channel, FakeChannel)
    desk.channel.memberships["U0BREAK"] = ("S0BREAK",)
    await said(desk, CHIEF, "lock", "payments", "moving", "2h")
    refused = (await said(desk, AMIR, "payments", "v44", "--break-glass", "fire")).text
    assert refused.startswith("Only those whom break_glass in policies.yaml names may break the glass for production deploys")
    await said(desk, "U0BREAK", "payments", "v44", "--break-glass", "fire")
    (action,) = await desk.db.read(desk.actions.unfinished)
    await refresh({"key": f"action:{action.id}"}, desk)
    view = next(p for p in desk.channel.posts if p.key == f"action:{action.id}").views[-1]
    assert isinstance(view, ActionView)
    assert "U0BREAK" in view.approvers, "it waits for whoever asked, too: their own approval is enough"
    await press(desk, Deed.ACTION_APPROVE, action.id, "U0BREAK")
    assert (await the(desk, action.id)).status is ActionStatus.APPROVED
    assert isinstance(desk.work, InMemoryWork)
    (told,) = desk.work.named("glass_broken")
    await glass_broken(told.args, desk)
    await glass_broken(told.args, desk)
    (post,) = [p for p in desk.channel.posts if p.key == f"glass:{action.id}"]
    assert isinstance(post.views[-1], NoteView)
    assert "U0BREAK goes past every guard with the deploy of payments to v44" in post.views[-1].text
    lines = await desk.db.read(lambda tx: digest_lines(tx, desk, NOON - timedelta(days=1)))
    assert lines == ("break-glass once: deploy of payments by U0BREAK (fire)",)
    await execute({"action": action.id, "look": 0}, desk)
    assert vendor.runs == [action.id]


async def test_breaking_the_glass_calls_the_pagers_of_the_owners_escalation_once_under_one_key(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    pager = FakePager()
    routing = read_routing("""
default: {channel: "#incidents", on_call: [U0ANNA], escalation: standard}
escalations: {standard: {SEV2: [{after: 5m, to: U0LEAD}, {after: 10m, to: "pagerduty:payments"}, {after: 20m, to: opsgenie}]}}
""")
    rules = read_policies(RULES + "break_glass: {people: [U0BREAK]}\n")
    desk = replace(a_desk(database, clock, vendor, policies=rules), pagers={"pagerduty": pager}, routing=lambda: routing)
    await said(desk, "U0BREAK", "payments", "v44", "--break-glass", "fire")
    assert isinstance(desk.work, InMemoryWork)
    (told,) = desk.work.named("glass_broken")
    await glass_broken(told.args, desk)
    (page,) = pager.pages
    assert (page.target, page.service, page.text) == ("payments", "payments", "fire")
    assert page.title == "Break-glass: deploy of payments to v44 in production"
    assert isinstance(desk.channel, FakeChannel)
    assert [p.views[-1].mention for p in desk.channel.posts if isinstance(p.views[-1], NoteView)] == [("U0ANNA",)]
    await glass_broken(told.args, desk)
    assert len({p.key for p in pager.pages}) == 1
    assert len(desk.channel.posts) == 1


async def test_a_user_group_of_slack_counts_and_one_that_slack_does_not_tell_does_not(
    database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer
) -> None:
    rules = read_policies(RULES.replace("approvers: [", 'approvers: ["@release", '))
    desk = a_desk(database, clock, vendor, policies=rules)
    assert isinstance(desk.channel, FakeChannel)
    action = await proposed(desk)
    note = await press(desk, Deed.ACTION_APPROVE, action.id, SAM)
    assert isinstance(note, NoteView)
    assert "Only approvers may approve" in note.text
    desk.channel.memberships[SAM] = ("S0REL", "release")
    await press(desk, Deed.ACTION_APPROVE, action.id, SAM)
    assert (await the(desk, action.id)).status is ActionStatus.APPROVED
    await execute({"action": action.id, "look": 0}, desk)
    assert vendor.runs == [action.id]


async def test_explain_in_slack_is_about_whoever_asks(desk: Desk) -> None:
    note = await said(desk, SAM, "explain", "payments", "rollback")
    assert "1. production: decides" in note.text
    assert "U0OUTSIDER asks: no, Only on-call and approvers may ask for production rollbacks" in note.text
    assert ActionKind.ROLLBACK.value in note.text.splitlines()[0]
