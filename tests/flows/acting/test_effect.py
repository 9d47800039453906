"""The effect of an action by its metrics: read before and after, kept as numbers, told, and what follows from it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from bot.actions.policy import BOT, read_policies
from bot.domain.action import Action, ActionKind, ActionStatus, Authority, Claim
from bot.domain.incident import Status
from bot.domain.lock import Lock
from bot.domain.request import ChangeRequest, Deed, Person
from bot.domain.verification import Judgement
from bot.domain.view import NoteView
from bot.flows.acting import ordering
from bot.flows.acting.measuring import measure
from bot.flows.acting.taking_back import SUBJECT, take_back
from bot.flows.desk import Desk
from bot.ports import RunState
from bot.storage.database import SqlDatabase
from tests.actions.estate import (
    AMIR,
    OLIVIA,
    RULES,
    FakeDeployer,
    a_desk,
    clear,
    deeds,
    handlers,
    press,
    proposed,
    run_for,
    the,
)
from tests.fakes import FakeChannel, FakeClock, InMemoryWork
from tests.flows.watching.numbers import Logs, Numbers

TAKES = RULES.replace("self_approval: false", "self_approval: false\n    way_back: take")
Curve = Callable[[datetime], float]


def steps(deployer: FakeDeployer, clock: FakeClock, by_version: dict[str, float]) -> Curve:
    """The value that belongs to the version that ran at each time, as far as this was asked."""
    began: list[tuple[datetime, str]] = []

    def at(when: datetime) -> float:
        running = deployer.running["payments"]
        if not began or began[-1][1] != running:
            began.append((clock.now, running))
        return by_version[next((v for since, v in reversed(began) if since <= when), began[0][1])]

    return at


@pytest.fixture
def vendor() -> FakeDeployer:
    return FakeDeployer(healthy={"v44": None, "v43": True, "v42": True, "v41": True})


@pytest.fixture
def metrics() -> Numbers:
    return Numbers(step=timedelta(seconds=5))


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers) -> Desk:
    return a_desk(database, clock, vendor, evidence_sources=(metrics,), policies=read_policies(TAKES))


def curves(metrics: Numbers, vendor: FakeDeployer, clock: FakeClock, errors: dict[str, float]) -> None:
    """The share of errors of each version, and a latency that goes with it."""
    slow = {version: 240 + 1400 * share for version, share in errors.items()}
    for metric, values in (("http_error_ratio", errors), ("http_request_latency_p95_ms", slow)):
        metrics.metrics["payments", metric] = curve = steps(vendor, clock, values)
        curve(clock.now)


async def passes(desk: Desk, clock: FakeClock, seconds: float) -> None:
    await run_for(desk, clock, seconds, step=5)


async def approved(desk: Desk, clock: FakeClock) -> Action:
    action = await proposed(desk)
    clock.advance(minutes=3)  # the incident goes on for a while
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    return await the(desk, action.id)


async def deployed(desk: Desk, version: str = "v44") -> Action:
    """A deploy without an incident, asked for by one and approved by another."""
    asked = ChangeRequest(Person(OLIVIA), "C1", ActionKind.DEPLOY, "payments", version, "production", "next", f"order:{version}")
    await ordering.on_order(asked, desk)
    (action,) = [a for a in await desk.db.read(desk.actions.unfinished) if a.target == version]
    await press(desk, Deed.ACTION_APPROVE, action.id, AMIR)
    return await the(desk, action.id)


async def backs(desk: Desk) -> list[Action]:
    found = await desk.db.read(desk.actions.unfinished)
    return [a for a in found if a.undoes]


async def test_a_rollback_that_helps_says_by_how_much_keeps_the_numbers_and_the_audit_tells_them(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.41, "v42": 0.002})
    action = await approved(desk, clock)
    await passes(desk, clock, 10)
    watched = (await the(desk, action.id)).verification
    assert watched is not None
    assert {m.metric: m.before.middle for m in watched.measured} == {
        "http_error_ratio": 0.41,
        "http_request_latency_p95_ms": pytest.approx(814),
    }
    await clear(desk)
    await passes(desk, clock, 80)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.SUCCEEDED
    told = "error ratio 41 % → 0.2 %, p95 latency 814 → 243 ms; its alert cleared: better"
    assert told in done.outcome
    assert done.verification is not None
    assert (done.verification.judgement, done.verification.metrics) == (Judgement.BETTER, Judgement.BETTER)
    incident = await desk.db.read(lambda tx: desk.incidents.get(tx, done.incident_id))
    assert incident is not None
    assert incident.status is Status.RESOLVED
    entries = await desk.db.read(lambda tx: desk.timeline.of(tx, done.incident_id))
    assert any(told in e.text for e in entries)
    audit = await desk.db.read(lambda tx: desk.ledger.entries(tx, done.id))
    assert audit[-1].detail["effect"] == told
    assert len(metrics.asked) < 12  # not at every look


async def test_metrics_that_got_better_count_while_alerts_of_long_windows_fire_on_and_the_incident_stays_open(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.41, "v42": 0.002})
    action = await approved(desk, clock)
    await passes(desk, clock, 140)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.SUCCEEDED
    assert done.outcome.startswith("It helped: v42 runs; error ratio 41 % → 0.2 %")
    assert "These should clear now: HighErrorRate on payments" in done.outcome
    incident = await desk.db.read(lambda tx: desk.incidents.get(tx, done.incident_id))
    assert incident is not None
    assert incident.live


async def test_sources_that_do_not_answer_leave_it_to_the_alerts_and_that_is_said(
    desk: Desk, clock: FakeClock, metrics: Numbers
) -> None:
    metrics.down = True
    action = await approved(desk, clock)
    await clear(desk)
    await passes(desk, clock, 10)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.SUCCEEDED
    assert done.verification is not None
    assert (done.verification.metrics, done.verification.judgement) == (Judgement.UNKNOWN, Judgement.BETTER)
    assert done.verification.doubt == "the sources of metrics did not answer"


async def test_a_source_that_stops_answering_leaves_what_was_known(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.41, "v42": 0.002})
    action = await approved(desk, clock)
    await passes(desk, clock, 100)
    metrics.down = True
    await clear(desk)
    await passes(desk, clock, 20)
    done = await the(desk, action.id)
    assert done.verification is not None
    assert done.verification.metrics is Judgement.BETTER


async def test_no_source_and_no_metrics_are_told_apart(desk: Desk, clock: FakeClock) -> None:
    action = await approved(desk, clock)
    await passes(desk, clock, 5)
    seen = (await the(desk, action.id)).verification
    assert seen is not None
    assert seen.doubt == "no source has metrics of payments"
    unseen = replace(await the(desk, action.id), verification=None)
    for sources in ((), (Logs(),)):
        bare = await measure(unseen, replace(desk, evidence_sources=sources))
        assert bare.doubt == "no source of metrics is set up"


async def test_a_deploy_that_makes_things_worse_without_any_alert_is_taken_back_by_its_rule_and_people_are_called(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.002, "v44": 0.3})
    action = await deployed(desk)
    await passes(desk, clock, 75)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.FAILED
    assert "It made things worse: v44 runs; error ratio 0.2 % → 30 %" in done.outcome
    (back,) = await backs(desk)
    assert (back.requested_by, back.target, back.kind, back.claim) == (BOT, "v43", ActionKind.ROLLBACK, Claim.FIX)
    (said,) = [d for d in back.decisions if d.approved]
    assert (said.by, said.authority) == ("production", Authority.RULE)
    await passes(desk, clock, 130)
    assert vendor.running["payments"] == "v43"
    assert len(vendor.runs) == 2
    back = await the(desk, back.id)
    assert back.status is ActionStatus.SUCCEEDED
    undone = await the(desk, action.id)
    assert undone.status is ActionStatus.ROLLED_BACK
    assert "It was taken back: v43 runs again." in undone.outcome
    assert ('rule "production"', "approved") in await deeds(desk, back.id)
    assert (BOT, "rolled back") in await deeds(desk, action.id)
    assert isinstance(desk.channel, FakeChannel)
    (call,) = [p for p in desk.channel.posts if isinstance(p.view, NoteView)]
    assert isinstance(call.view, NoteView)
    assert "rule 'production' takes it back: v43 is on its way" in call.view.text
    assert {OLIVIA, AMIR} <= set(call.view.mention)


async def test_people_are_called_again_where_the_way_back_that_was_on_its_way_fails(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.002, "v44": 0.3})
    action = await deployed(desk)
    await passes(desk, clock, 5)
    vendor.outcome = RunState.FAILED
    await passes(desk, clock, 80)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.FAILED
    assert "/rollback payments v43 production. payments v44 made things worse" in done.outcome
    assert done.outcome.endswith("The way back to v43 failed; its message says why.")
    assert isinstance(desk.channel, FakeChannel)
    first, second = [p.view for p in desk.channel.posts if isinstance(p.view, NoteView)]
    assert "v43 is on its way" in first.text
    assert second.text.startswith("The rollback of payments to v43, which the bot took by itself, failed. ")
    assert second.text.endswith("By hand: `/rollback payments v43 production`")
    assert OLIVIA in first.mention
    assert OLIVIA in second.mention


async def test_the_way_back_is_only_offered_where_the_rule_says_no_more_and_never_taken_for_no_change(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.41, "v42": 0.41})
    action = await approved(desk, clock)
    await passes(desk, clock, 200)
    done = await the(desk, action.id)
    assert done.status is ActionStatus.FAILED
    assert "It did not help" in done.outcome
    assert done.verification is not None
    assert done.verification.judgement is Judgement.NO_CHANGE
    assert await backs(desk) == []
    offers = replace(desk, policies=lambda: read_policies(RULES))
    await press(offers, Deed.ACTION_BACK, action.id, OLIVIA)
    (back,) = await backs(desk)
    assert (back.undoes, back.status) == (action.id, ActionStatus.AWAITING)


async def test_worse_is_only_offered_by_a_rule_that_offers(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    offers = replace(desk, policies=lambda: read_policies(RULES))
    curves(metrics, vendor, clock, {"v43": 0.002, "v44": 0.3})
    action = await deployed(offers)
    await passes(offers, clock, 150)
    assert (await the(desk, action.id)).status is ActionStatus.FAILED
    assert await backs(desk) == []
    await press(offers, Deed.ACTION_BACK, action.id, OLIVIA)
    (back,) = await backs(desk)
    card = await desk.db.read(lambda tx: desk.cards.get(tx, f"action:{back.id}"))
    assert card is not None
    assert card.place.channel == "C-PAYMENTS", "where the button was pressed, not in the default channel"


async def test_a_way_back_that_makes_things_worse_too_is_not_taken_back(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.002, "v44": 0.1})
    action = await deployed(desk)
    await passes(desk, clock, 75)
    curves(metrics, vendor, clock, {"v43": 0.9, "v44": 0.1})
    await passes(desk, clock, 200)
    assert await backs(desk) == []
    assert vendor.running["payments"] == "v43"
    assert len(vendor.runs) == 2
    assert (await the(desk, action.id)).status is ActionStatus.FAILED


async def test_one_service_is_taken_back_by_itself_once_an_hour(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.002, "v44": 0.3, "v45": 0.3})
    await deployed(desk)
    await passes(desk, clock, 220)
    second = await deployed(desk, "v45")
    await passes(desk, clock, 120)
    done = await the(desk, second.id)
    assert done.status is ActionStatus.FAILED
    assert "once an hour at most" in done.outcome
    assert len(vendor.runs) == 3
    assert len(await desk.db.read(lambda tx: desk.ledger.entries(tx, SUBJECT))) == 1


async def test_the_lock_of_somebody_else_stops_the_way_back_and_people_hear_why(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.002, "v44": 0.3})
    action = await deployed(desk)
    await passes(desk, clock, 20)
    lock = Lock("payments", "production", "U0OTHER", "moving the ledger", clock.now, clock.now + timedelta(hours=1))
    await desk.db.write(lambda tx: desk.locks.put(tx, None, lock))
    await passes(desk, clock, 100)
    assert len(vendor.runs) == 1
    assert [b.status for b in await backs(desk)] in ([], [ActionStatus.AWAITING])
    assert "locked by U0OTHER: moving the ledger" in (await the(desk, action.id)).outcome


async def test_taking_back_twice_is_once_whatever_was_done_before_a_crash(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.002, "v44": 0.3})
    action = await deployed(desk)
    await passes(desk, clock, 75)
    (back,) = await backs(desk)
    await asyncio.gather(*(take_back({"action": action.id, "look": n}, desk) for n in (0, 0, 1)))
    assert [b.id for b in await backs(desk)] == [back.id]
    await passes(desk, clock, 150)
    await take_back({"action": action.id}, desk)
    assert len(vendor.runs) == 2
    assert isinstance(desk.channel, FakeChannel)
    assert len([p for p in desk.channel.posts if isinstance(p.view, NoteView)]) == 1
    assert len(await desk.db.read(lambda tx: desk.ledger.entries(tx, SUBJECT))) == 1


async def test_a_deployer_that_is_away_is_asked_again_before_people_are_told(
    desk: Desk, clock: FakeClock, vendor: FakeDeployer, metrics: Numbers
) -> None:
    curves(metrics, vendor, clock, {"v43": 0.002, "v44": 0.3})
    action = await deployed(desk)
    assert isinstance(desk.work, InMemoryWork)
    known = dict(handlers(desk))
    for _ in range(75):
        clock.advance(seconds=1)
        await desk.work.run_all({**known, "take_back": known["refresh"]}, now=clock.now)
    assert (await the(desk, action.id)).status is ActionStatus.FAILED
    vendor.down = True
    await take_back({"action": action.id, "look": 0}, desk)
    assert await backs(desk) == []
    vendor.down = False
    await passes(desk, clock, 20)
    assert [b.status for b in await backs(desk)] != []
