"""The form for a deploy or rollback: only what this person may choose, and what is wrong is said under its field."""

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.actions.policy import read_policies
from bot.domain.action import ActionKind, Claim
from bot.domain.change import ChangeKind, ChangeStatus, Version
from bot.domain.deployments import Offer, OrderForm
from bot.domain.lock import Lock
from bot.domain.request import ChangeRequest, Person
from bot.flows.acting import forming
from bot.flows.acting.forming import check_order, merged, order_form, versions_like
from bot.flows.desk import Desk
from bot.storage.database import SqlDatabase
from tests.actions.estate import AMIR, OLIVIA, RULES, SAM, FakeDeployer, a_desk, open_incident
from tests.fakes import NOON, FakeChannel, FakeClock, a_change
from tests.postgres import on_sqlite

GLASS = RULES + "break_glass:\n  people: [U0CHIEF]\n"
DEPLOY, BACK = ActionKind.DEPLOY, ActionKind.ROLLBACK


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
        "kind": DEPLOY,
        "service": "payments",
        "version": "v44",
        "environment": "production",
        "reason": "",
        "id": "view:V1",
    }
    return ChangeRequest(**{**given, **fields})  # type: ignore[arg-type]  # a test's shorthand


async def form(desk: Desk, who: str, service: str = "", environment: str = "", kind: ActionKind = BACK) -> OrderForm:
    return await order_form(kind, service, environment, Person(who), desk)


def names(offers: Iterable[Offer]) -> list[str]:
    return [o.version for o in offers]


@on_sqlite
async def test_an_empty_form_opens_without_asking_a_deployer(desk: Desk, vendor: FakeDeployer) -> None:
    shown = await form(desk, OLIVIA)
    assert (shown.services, shown.environments) == (("payments", "checkout"), ("production", "staging"))
    assert (shown.environment, shown.service, shown.versions) == ("production", "", ())
    assert vendor.asked == []


@on_sqlite
async def test_only_services_and_environments_in_which_this_person_may_ask_are_offered(desk: Desk) -> None:
    stranger = await form(desk, SAM)
    assert (stranger.services, stranger.environments) == (("payments",), ("staging",))
    chosen = await form(desk, SAM, "payments", "production")
    assert (chosen.environments, chosen.environment) == (("staging",), "staging")
    assert (await form(desk, SAM, "checkout")).service == "", "what is not offered is not chosen"
    nothing = read_policies("groups: {a: [U0APPROVER]}\nrules: [{name: all, request: [a], approve: [a]}]\n")
    none = await form(replace(desk, policies=lambda: nothing), SAM)
    assert none.services == ()
    assert "`/deploy explain payments` tells why" in none.trouble


@on_sqlite
async def test_people_of_a_user_group_are_offered_what_it_may_and_everything_if_the_chat_is_slow(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies = read_policies(RULES.replace("on-call: [U0ONCALL, U0NIGHT]", 'on-call: ["@night"]'))
    grouped = replace(desk, policies=lambda: policies)
    channel = grouped.channel
    assert isinstance(channel, FakeChannel)
    assert (await form(grouped, SAM)).services == ("payments",)
    channel.memberships[SAM] = ("night",)
    assert (await form(grouped, SAM)).services == ("payments", "checkout")
    channel.memberships.clear()

    async def slow(user: str) -> frozenset[str]:
        await asyncio.sleep(10)
        return frozenset()

    monkeypatch.setattr(channel, "groups", slow)
    monkeypatch.setattr(forming, "BELONGING", 0.02)
    assert (await form(grouped, SAM)).services == ("payments", "checkout"), "it is weighed again when they send it"


@on_sqlite
async def test_break_glass_is_offered_to_those_who_may(desk: Desk) -> None:
    policies = read_policies(GLASS)
    guarded = replace(desk, policies=lambda: policies)
    assert Claim.BREAK_GLASS in (await form(guarded, "U0CHIEF")).claims
    assert (await form(guarded, OLIVIA)).claims == (Claim.NONE, Claim.FIX, Claim.OVERRIDE)


@on_sqlite
async def test_a_chosen_service_brings_its_environments_and_versions(desk: Desk) -> None:
    shown = await form(desk, OLIVIA, "checkout", "staging")
    assert (shown.environments, shown.environment, shown.current) == (("production",), "production", "v18")
    assert names(shown.versions) == ["v43", "v42", "v41"]


@on_sqlite
async def test_a_deploy_offers_versions_that_were_told_of_too_the_newest_first(desk: Desk, vendor: FakeDeployer) -> None:
    vendor.healthy["v41"] = False
    for version, minutes, status in (
        ("v45", 5, "succeeded"),
        ("v44", 9, "succeeded"),
        ("v46", 1, "failed"),
        ("v42", 2, "succeeded"),
    ):
        at = NOON - timedelta(minutes=minutes)
        told = a_change(id=version, kind=ChangeKind.BUILD, version=version, at=at, status=ChangeStatus(status))
        await desk.db.write(lambda tx, told=told: desk.changes.save(tx, [told]))
    shown = await form(desk, OLIVIA, "payments", kind=DEPLOY)
    assert names(shown.versions) == ["v45", "v44", "v43", "v42", "v41"]
    assert [(o.ran, o.healthy) for o in shown.versions][1:] == [(False, None), (True, True), (True, True), (True, False)]
    assert names((await form(desk, OLIVIA, "payments")).versions) == ["v43", "v42", "v41"], "nobody goes back to what never ran"
    assert names(await versions_like(DEPLOY, "payments", "production", "V4", desk)) == names(shown.versions)
    assert names(await versions_like(BACK, "payments", "production", "42", desk)) == ["v42"]
    assert await versions_like(BACK, "nobody", "production", "42", desk) == ()


def test_versions_without_a_time_stay_in_the_order_of_the_deployer() -> None:
    ran = [Offer("b"), Offer("a"), Offer("c", NOON)]
    assert names(merged(ran, [Offer("d", NOON + timedelta(hours=1), ran=False)])) == ["d", "c", "b", "a"]


@on_sqlite
async def test_a_deployer_that_is_down_or_slow_leaves_the_version_to_be_typed(
    desk: Desk, vendor: FakeDeployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    vendor.down = True
    assert (await form(desk, OLIVIA, "payments")).versions == ()
    vendor.down = False

    async def slow(service: str, environment: str) -> tuple[Version, ...]:
        await asyncio.sleep(10)
        return ()

    monkeypatch.setattr(vendor, "versions", slow)
    monkeypatch.setattr(forming, "ASKING", 0.05)
    monkeypatch.setattr(forming, "TYPING", 0.05)
    shown = await form(desk, OLIVIA, "payments")
    assert (shown.service, shown.versions) == ("payments", ())
    assert await versions_like(BACK, "payments", "production", "", desk) == ()


@pytest.mark.parametrize(
    ("fields", "field", "words"),
    [
        ({"service": "paymets"}, "service", "did you mean payments"),
        ({"service": "printer"}, "service", "no deployer"),
        ({"service": "acmepay"}, "service", "not ours"),
        ({"environment": "producton"}, "environment", "did you mean production?"),
        ({"version": "v1; rm -rf /"}, "version", "Letters, digits"),
        ({"version": ""}, "version", "Which version?"),
        ({"person": Person(SAM)}, "service", "Only on-call and approvers may ask for production deploys"),
        ({"claim": Claim.FIX}, "reason", "needs a reason"),
        ({"claim": Claim.BREAK_GLASS, "reason": "now"}, "service", "may break the glass"),
    ],
)
@on_sqlite
async def test_what_is_wrong_is_said_under_its_field(desk: Desk, fields: dict[str, object], field: str, words: str) -> None:
    wrong = await check_order(wish(**fields), desk)
    assert list(wrong) == [field]
    assert words in wrong[field]


@on_sqlite
async def test_a_good_wish_has_nothing_wrong_and_a_rollback_needs_no_version(desk: Desk, vendor: FakeDeployer) -> None:
    assert await check_order(wish(), desk) == {}
    assert await check_order(wish(kind=BACK, version=""), desk) == {}
    assert vendor.asked == []


@on_sqlite
async def test_an_open_incident_is_told_before_the_form_closes_and_a_fix_or_a_dry_run_passes(desk: Desk) -> None:
    await open_incident(desk)
    wrong = await check_order(wish(), desk)
    assert "which takes only rollbacks and fixes" in wrong["service"]
    assert await check_order(wish(claim=Claim.FIX, reason="it mends it"), desk) == {}
    assert await check_order(wish(dry=True), desk) == {}


@on_sqlite
async def test_what_names_a_person_is_told_in_a_message_that_can_show_them(desk: Desk, clock: FakeClock) -> None:
    lock = Lock("payments", "production", AMIR, "moving", clock.now, clock.now + timedelta(hours=1))
    await desk.db.write(lambda tx: desk.locks.put(tx, None, lock))
    assert await check_order(wish(), desk) == {}
