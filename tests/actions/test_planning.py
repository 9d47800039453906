"""What a plan asks and looks at: checks, a dry run, neighbours; whoever does not answer is named, never waited for."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from bot.actions.plan import Patience, Surroundings, Wanted, make_plan
from bot.actions.planning.around import neighbours, reached
from bot.actions.planning.asking import LINES, TAIL, WIDTH
from bot.domain.action import Action, ActionKind, ActionStatus, CommitCheck, Plan, Risk
from bot.domain.change import Change, ChangeKind, ChangeStatus, Commit
from bot.domain.incident import Status
from bot.domain.lock import Lock
from bot.domain.service import Catalogue, Service, ServiceGraph
from bot.domain.watch import Bake, BakeVerdict
from bot.errors import BotError, NotFound, Unavailable
from bot.ports import CommitChecks, Order, Rehearsal
from tests.actions.estate import CATALOGUE, FakeDeployer, FakeRepository
from tests.fakes import NOON, a_change, an_incident

SHA = "44" * 20
ANNOUNCED = a_change(id="d44", version="v44", commit=SHA)
COMMIT = Commit("3f2c1a9", "olivia", NOON, "raise retries", ("services/payments/settings.json",))
SOON = Patience(deployer=0.05, forge=0.05, rehearsal=0.05)


@dataclass
class Knowing(FakeDeployer):
    """A deployer that also knows checks and can rehearse; an error is raised instead, and `slow` names who never answers."""

    green: Mapping[str, bool] | BotError = field(default_factory=dict)
    lines: tuple[str, ...] | BotError = ()
    slow: tuple[str, ...] = ()
    given_up: list[str] = field(default_factory=list)

    async def checks(self, service: str, commit: str) -> Mapping[str, bool]:
        self._answer("checks")
        await self._wait("checks")
        if isinstance(self.green, BotError):
            raise self.green
        return self.green if commit == SHA else {}

    async def rehearse(self, order: Order) -> tuple[str, ...]:
        self._answer("rehearse")
        await self._wait("rehearse")
        if isinstance(self.lines, BotError):
            raise self.lines
        return self.lines

    async def _wait(self, what: str) -> None:
        if what in self.slow:
            try:
                await asyncio.sleep(60)
            finally:
                self.given_up.append(what)


@dataclass
class Deaf(FakeRepository):
    """A repository that fails, or that does not even stop when it is told to, until the test is `over`."""

    error: BotError | None = None
    over: asyncio.Event = field(default_factory=asyncio.Event)

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        if self.error is not None:
            raise self.error
        while not self.over.is_set():
            try:
                await self.over.wait()
            except asyncio.CancelledError:
                continue
        return ()


def wish(kind: ActionKind = ActionKind.DEPLOY, target: str = "v44") -> Action:
    return Action("a1", kind, "payments", "production", target, ActionStatus.PROPOSED, "U1", NOON, NOON)


async def plan(
    vendor: FakeDeployer,
    action: Action | None = None,
    *,
    sources: tuple[FakeRepository, ...] = (FakeRepository((COMMIT,)),),
    changes: tuple[Change, ...] = (ANNOUNCED,),
    around: Surroundings | None = None,
    required: tuple[str, ...] = (),
    catalogue: Catalogue = CATALOGUE,
    knobs: tuple[str, ...] = (),
) -> Plan:
    checkers = (vendor,) if isinstance(vendor, CommitChecks) else ()
    wanted = Wanted(required, checkers, lambda _commits, _service: knobs, SOON)
    return await make_plan(action or wish(), vendor, sources, catalogue, changes, around or Surroundings(), NOON, wanted)


async def test_the_checks_of_the_commit_are_told_the_required_ones_first() -> None:
    made = await plan(Knowing(green={"lint": True, "unit": True, "e2e": False}), required=("unit", "build"))
    assert made.checks == (
        CommitCheck("unit", True, required=True),
        CommitCheck("build", None, required=True),
        CommitCheck("e2e", False),
        CommitCheck("lint", True),
    )
    assert made.risk is Risk.MEDIUM
    assert "failed checks: e2e" in made.reasons
    assert "required checks have not passed: build" in made.reasons


async def test_a_required_check_that_failed_is_a_high_risk_and_comes_first() -> None:
    made = await plan(Knowing(green={"unit": False}), required=("unit",))
    assert (made.risk, made.reasons[0]) == (Risk.HIGH, "failed checks: unit")


async def test_checks_that_events_told_of_count_until_somebody_is_asked() -> None:
    build = a_change(id="b1", kind=ChangeKind.BUILD, commit=SHA, checks={"unit": False, "lint": True}, services=())
    rerun = replace(build, id="b2", at=build.at + timedelta(minutes=1), checks={"unit": True})
    other = replace(build, id="b3", commit="55" * 20, checks={"other": False})
    told = (ANNOUNCED, rerun, build, other)
    assert [(c.name, c.passed) for c in (await plan(FakeDeployer(), changes=told)).checks] == [("lint", True), ("unit", True)]
    asked = await plan(Knowing(green={"unit": False}), changes=told)
    assert [(c.name, c.passed) for c in asked.checks] == [("unit", False), ("lint", True)]


async def test_a_rollback_is_not_made_risky_by_red_checks_of_long_ago() -> None:
    vendor = Knowing(green={"unit": False})
    made = await plan(vendor, wish(ActionKind.ROLLBACK, "v42"), changes=())
    assert (made.risk, made.reasons) == (Risk.LOW, ("v42 ran here before and was healthy",))


async def test_what_the_deployers_own_dry_run_says_is_redacted_and_cut() -> None:
    token = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    vendor = Knowing(lines=(f"use {token}", "x" * 5000, *(f"line {n}" for n in range(500)), "Plan: 1 to add"))
    assert isinstance(vendor, Rehearsal)
    made = await plan(vendor)
    assert made.rehearsal[0] == "use [SECRET]"
    assert len(made.rehearsal) == LINES
    assert max(map(len, made.rehearsal)) == WIDTH
    assert made.rehearsal[-1] == "Plan: 1 to add"
    assert made.rehearsal[-TAIL - 1] == f"… {503 - LINES + 1} lines are left out …"


async def test_whoever_does_not_answer_in_time_is_named_and_raises_the_risk() -> None:
    vendor = Knowing(slow=("checks", "rehearse"))
    deaf = Deaf(error=Unavailable("GitHub did not answer within 5 s."))
    made = await asyncio.wait_for(plan(vendor, wish(ActionKind.ROLLBACK, "v42"), sources=(deaf,)), 20)  # they would take 60 s
    assert made.unasked == (
        "demo/shop, for the commits: GitHub did not answer within 5 s.",
        "the checks of v42-sha: no answer within 0.05 s",
        "the deployer's own dry run: no answer within 0.05 s",
    )
    assert (made.risk, made.reasons) == (Risk.MEDIUM, ("not everything could be asked (demo/shop, for the commits and 2 more)",))
    await asyncio.sleep(0)
    assert sorted(vendor.given_up) == ["checks", "rehearse"]


async def test_whoever_does_not_even_stop_when_told_is_not_waited_for() -> None:
    deaf = Deaf()
    planning = asyncio.ensure_future(plan(FakeDeployer(), sources=(deaf,)))
    await asyncio.wait({planning}, timeout=10)
    deaf.over.set()
    assert planning.done()
    assert (await planning).unasked == ("demo/shop, for the commits: no answer within 0.05 s",)


async def test_one_repository_that_knows_the_commits_makes_up_for_another_that_fails() -> None:
    made = await plan(FakeDeployer(), sources=(Deaf(error=Unavailable("down")), FakeRepository((COMMIT,))))
    assert made.unasked == ()
    assert [c.sha for c in made.commits] == ["3f2c1a9"]


async def test_a_forge_that_never_heard_of_the_commit_is_no_failure_and_errors_are_redacted() -> None:
    assert (await plan(Knowing(green=NotFound("no such commit")))).unasked == ()
    said = (await plan(Knowing(green=Unavailable("no: token=abcdefgh12345678 " + "x" * 900)))).unasked[0]
    assert "abcdefgh" not in said
    assert len(said) < 400


async def test_a_vendor_that_does_not_tell_the_commit_of_a_new_version_is_named() -> None:
    class Tagged(FakeDeployer):
        error: BotError = Unavailable("GitHub did not answer.")

        async def commit_of(self, service: str, version: str) -> str:
            raise self.error

    vendor = Tagged()
    made = await plan(vendor, changes=())
    assert made.unasked == ("the commit of v44: GitHub did not answer.",)
    assert made.warnings == ("Nobody knows the commit of v44, so neither commits nor checks can be told.",)
    vendor.error = NotFound("no such tag")
    assert (await plan(vendor, changes=())).unasked == ()


async def test_only_the_versions_are_indispensable() -> None:
    vendor = Knowing(down=True)
    with pytest.raises(Unavailable, match="does not answer"):
        await plan(vendor)

    async def never(service: str, environment: str) -> None:
        await asyncio.sleep(60)

    slow = FakeDeployer()
    slow.versions = never  # type: ignore[assignment]  # a vendor that hangs
    with pytest.raises(Unavailable, match=r"did not say within 0\.05 s what runs in production; try again"):
        await plan(slow)


async def test_open_incidents_of_neighbours_are_told_with_how_they_stand_to_it() -> None:
    beside = an_incident(id="i2", number=7, service="checkout", members=(), title="slow token=abcdefgh12345678")
    far = an_incident(id="i3", number=8, service="printer", members=())
    elsewhere = an_incident(id="i4", number=9, service="checkout", members=(), environment="staging")
    over = an_incident(id="i5", number=10, service="checkout", members=(), status=Status.RESOLVED)
    made = await plan(FakeDeployer(), around=Surroundings(incidents=(beside, far, elsewhere, over)))
    assert len(made.nearby) == 1
    assert made.nearby[0].startswith("INC-7 (SEV2) is open on checkout, which calls payments: slow")
    assert "abcdefgh" not in made.nearby[0]
    assert "an incident is open on its neighbour checkout" in made.reasons


async def test_the_incident_that_the_action_is_for_is_not_told_as_another() -> None:
    action = replace(wish(ActionKind.ROLLBACK, "v42"), incident_id=an_incident().id)
    assert (await plan(FakeDeployer(), action, around=Surroundings(incidents=(an_incident(),)))).nearby == ()


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "deploy of payments v45, began 10 min ago by olivia (github) and has not ended"),
        ({"services": ("checkout",)}, "deploy of checkout v45, which calls payments, began 10 min ago by olivia"),
        ({"services": ("printer",)}, ""),
        ({"environment": "staging"}, ""),
        ({"at": NOON - timedelta(hours=3)}, ""),
        ({"kind": ChangeKind.BUILD}, ""),
        ({"status": ChangeStatus.SUCCEEDED}, ""),
    ],
)
async def test_deployments_that_began_and_have_not_ended_are_told(fields: dict[str, object], told: str) -> None:
    change = replace(a_change(id="d45", version="v45", status=ChangeStatus.RUNNING), **fields)
    made = await plan(FakeDeployer(), changes=(ANNOUNCED, change))
    assert [line[: len(told)] for line in made.running] == ([told] if told else [])
    assert any("another deployment of" in r for r in made.reasons) is bool(told)


async def test_another_sender_who_told_of_its_end_ends_a_deployment() -> None:
    begun = a_change(id="d45", version="v45", status=ChangeStatus.RUNNING)
    ended = a_change(id="argocd:9", version="v45", at=NOON - timedelta(minutes=5))
    assert (await plan(FakeDeployer(), changes=(ANNOUNCED, begun, ended))).running == ()


async def test_a_fresh_deployment_that_is_still_watched_and_a_neighbours_lock_are_warned_of() -> None:
    bake = Bake(
        "b", "payments", "production", ("c",), "payments v43 by ines-d", NOON, NOON + timedelta(minutes=30), hits=("p99",)
    )
    done, other = replace(bake, verdict=BakeVerdict.CLEAN), replace(bake, service="checkout")
    lock = Lock("checkout", "production", "U0NIGHT", "moving the ledger", NOON, NOON + timedelta(hours=1), 1)
    made = await plan(FakeDeployer(), around=Surroundings(bakes=(bake, done, other), locks=(lock,)))
    assert made.warnings == (
        "payments v43 by ines-d is watched until 12:30 UTC, as it was just deployed; worse so far: p99.",
        "checkout, which calls payments, is locked by U0NIGHT: moving the ledger.",
    )
    assert made.named == ("U0NIGHT",)


async def test_a_knob_that_was_turned_when_an_incident_began_is_a_high_risk() -> None:
    made = await plan(FakeDeployer(), knobs=("same knob as INC-17: retries 2 → 10 in settings.json",))
    assert (made.risk, made.reasons[0]) == (Risk.HIGH, "same knob as INC-17: retries 2 → 10 in settings.json")


def test_neighbours_are_one_call_away_learned_ones_too_and_whom_it_reaches_is_a_sentence() -> None:
    tiers = {"web": 1, "cart": 1, "search": 1, "mail": 1, "batch": 3}
    calls = {"web": ("core",), "cart": ("core",), "search": ("core",), "mail": ("core",), "batch": ("web",)}
    services = {n: Service(n, tier=t, depends_on=calls[n]) for n, t in tiers.items()}
    core = Service("core", depends_on=("db", "web"))
    catalogue = Catalogue({**services, "core": core}, learned=ServiceGraph({"core": ("redis",)}))
    near = neighbours(core, catalogue)
    assert (near["web"], near["db"], near["redis"]) == (
        "which core calls and is called by",
        "which core calls",
        "which core calls",
    )
    assert "batch" not in near
    assert reached(core, catalogue) == "5 services within two hops, 4 of tier 1 (cart, mail, search and 1 more)"
    assert reached(Service("alone"), catalogue) == "no service is known to depend on it"


async def test_what_is_told_does_not_change_the_hash() -> None:
    calm = await plan(FakeDeployer())
    wild = await plan(
        Knowing(green={"unit": False}, lines=("a",), slow=()),
        around=Surroundings(incidents=(an_incident(service="checkout", members=()),)),
        required=("unit",),
    )
    assert wild.risk is not calm.risk
    assert wild.hash == calm.hash


async def test_authors_are_counted_the_most_busy_first() -> None:
    many = tuple(Commit(f"{n:07}", "noor" if n % 3 else "ines", NOON, "x") for n in range(5))
    assert (await plan(FakeDeployer(), sources=(FakeRepository(many),))).authors == (("noor", 3), ("ines", 2))
