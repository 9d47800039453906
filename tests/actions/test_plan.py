"""A plan tells what would happen: the versions asked, the commits between, the risk with its reasons, a hash that binds."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.actions.plan import Surroundings, before_guilty, make_plan, taken_out, without_taken_out
from bot.actions.planning.matter import plan_hash, plan_matter
from bot.domain.action import Action, ActionKind, ActionStatus, Plan, Risk, Stage
from bot.domain.change import Commit, Version
from bot.errors import NotFound
from tests.actions.estate import CATALOGUE, FakeDeployer, FakeRepository
from tests.fakes import NOON, a_change, an_incident

RETRIES = Commit("3f2c1a9", "olivia", NOON, "raise retries", ("services/payments/settings.json",))
MIGRATION = Commit("77aa001", "noor", NOON, "new column", ("services/payments/migrations/0007_fee.py",))
DOCS = Commit("99bb002", "sam", NOON, "docs", ("docs/retry.md",))
LIBRARY = Commit("55cc003", "sam", NOON, "cache", ("lib/cache.py",))


def wish(kind: ActionKind = ActionKind.ROLLBACK, target: str = "v42") -> Action:
    return Action("a1", kind, "payments", "production", target, ActionStatus.PROPOSED, "U1", NOON, NOON)


async def plan(
    action: Action,
    *commits: Commit,
    vendor: FakeDeployer | None = None,
    around: Surroundings | None = None,
    now: timedelta = timedelta(),
) -> Plan:
    return await make_plan(
        action,
        vendor or FakeDeployer(),
        [FakeRepository(), FakeRepository(commits)],
        CATALOGUE,
        [a_change(version="v44", commit="44" * 20)],
        around or Surroundings(),
        NOON + now,
    )


async def test_a_rollback_names_what_it_takes_out_again() -> None:
    made = await plan(wish(), DOCS, RETRIES, LIBRARY)
    assert (made.current_version, made.target_version) == ("v43", "v42")
    assert (made.current_commit, made.target_commit) == ("v43-sha", "v42-sha")
    assert made.commits == (RETRIES, LIBRARY)  # the docs do not ship with payments
    assert made.files == ("services/payments/settings.json", "lib/cache.py")
    assert (made.risk, made.reasons) == (Risk.LOW, ("v42 ran here before and was healthy",))
    assert made.warnings == ()
    assert made.made_at == NOON


async def test_a_version_that_ran_is_no_risk_because_its_vendor_cannot_tell_how_well() -> None:
    silent = FakeDeployer(healthy={"v43": None, "v42": None})
    back = await plan(wish(), vendor=silent)
    assert (back.risk, back.reasons) == (Risk.LOW, ("v42 ran here before",))
    again = await plan(wish(ActionKind.DEPLOY), vendor=silent)
    assert again.reasons == ("payments is a tier 1 service",), "it has run here, so nobody says that it has not"


async def test_nothing_secret_in_the_words_or_files_of_a_commit_and_no_diff_is_in_a_plan() -> None:
    token = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    leaky = Commit("3f2c1a9", "oli\u202evia", NOON, f"use {token}", (f"services/payments/{token}.pem",), f"+{token}")
    made = await plan(wish(), leaky)
    assert made.commits == (Commit("3f2c1a9", "olivia", NOON, "use [SECRET]", ("services/payments/[SECRET].pem",)),)
    assert made.files == ("services/payments/[SECRET].pem",)


async def test_a_migration_makes_a_rollback_dangerous() -> None:
    made = await plan(wish(), MIGRATION)
    assert made.risk is Risk.HIGH
    assert made.reasons == ("a database migration lies between the versions (services/payments/migrations/0007_fee.py)",)
    assert made.warnings[0].startswith("The code goes back, the database does not")


async def test_a_new_version_of_an_important_service_is_no_trifle() -> None:
    made = await plan(wish(ActionKind.DEPLOY, "v44"), RETRIES)
    assert made.target_commit == "44" * 20  # a change event told it
    assert made.risk is Risk.MEDIUM
    assert made.reasons == ("v44 has not run here yet", "payments is a tier 1 service")


async def test_a_vendor_that_knows_tags_tells_the_commit_of_a_version_that_never_ran() -> None:
    class Tagged(FakeDeployer):
        async def commit_of(self, service: str, version: str) -> str:
            return f"{service}-{version}-sha"

    made = await plan(wish(ActionKind.DEPLOY, "v45"), vendor=Tagged())
    assert made.target_commit == "payments-v45-sha"
    assert (await plan(wish(ActionKind.DEPLOY, "v45"))).target_commit == ""


async def test_what_else_goes_on_is_said() -> None:
    other = replace(wish(target="v41"), id="a2", status=ActionStatus.EXECUTING)
    neighbour = replace(other, id="a3", service="checkout", target="v17")
    around = Surroundings((other, neighbour), (an_incident(),))
    made = await plan(wish(ActionKind.DEPLOY, "v44"), RETRIES, around=around)
    assert made.risk is Risk.HIGH
    assert "INC-42 is open on payments" in made.reasons
    assert made.warnings == (
        "A rollback of payments to v41 is executing.",
        "Also under way here: checkout to v17.",
    )


async def test_an_old_version_is_flagged_and_so_is_silence_of_the_repository() -> None:
    made = await plan(wish(), now=timedelta(days=30))
    assert made.warnings == (
        "v42 last started 30 days ago.",
        "No repository could tell the commits between the two versions.",
    )


@pytest.mark.parametrize(
    ("healthy", "target"),
    [
        ({"v43": True, "v42": True, "v41": True}, "v42"),
        ({"v43": True, "v42": False, "v41": True}, "v41"),
        ({"v43": None, "v42": None, "v41": True}, "v41"),
        ({"v43": None, "v42": None, "v41": None}, "v42"),
        ({"v44": True, "v43": True, "v42": True}, "v42"),
    ],
)
async def test_without_a_version_the_newest_healthy_one_before_is_taken(healthy: dict[str, bool | None], target: str) -> None:
    made = await plan(wish(target=""), vendor=FakeDeployer(healthy=healthy))
    assert made.target_version == target


async def test_without_any_healthy_version_people_must_name_one() -> None:
    with pytest.raises(NotFound, match="No version of payments in production before v43 is known to have been healthy"):
        await plan(wish(target=""), vendor=FakeDeployer(healthy={"v43": True, "v42": False}))


def test_the_version_before_the_guilty_one() -> None:
    history = [
        Version("v45", healthy=True),
        Version("v44", healthy=True),
        Version("v43", healthy=False),
        Version("v42", healthy=True),
    ]
    assert before_guilty("v44", history) == "v42"
    assert before_guilty("v42", history) == ""
    assert before_guilty("v99", history) == ""


def a_run(kind: ActionKind, before: str, after: str, at: timedelta) -> Action:
    plan = Plan(before, "", after, "")
    stages = (Stage(ActionStatus.VERIFYING, NOON + at),)
    return replace(wish(kind, after), status=ActionStatus.SUCCEEDED, plan=plan, stages=stages)


def test_what_was_rolled_back_is_no_version_to_go_back_to_until_somebody_brings_it_again() -> None:
    minute = timedelta(minutes=1)
    swing = [
        a_run(ActionKind.ROLLBACK, "v44", "v43", minute),
        a_run(ActionKind.ROLLBACK, "v43", "v42", 2 * minute),
        a_run(ActionKind.DEPLOY, "v42", "v44", 3 * minute),
    ]
    assert taken_out(swing[:2]) == {"v44": NOON + minute, "v43": NOON + 2 * minute}
    assert taken_out(swing) == {"v43": NOON + 2 * minute}
    assert taken_out([replace(swing[0], stages=())]) == {}, "it never ran"
    early, late = Version("v43", deployed_at=NOON), Version("v43", deployed_at=NOON + 5 * minute)
    assert without_taken_out([early], taken_out(swing)) == (replace(early, healthy=False),)
    assert without_taken_out([late], taken_out(swing)) == (late,), "another tool brought it again"


async def test_the_hash_is_bound_to_what_would_be_done_only() -> None:
    first = await plan(wish(), RETRIES)
    assert first.hash == (await plan(wish(), RETRIES, now=timedelta(hours=1))).hash
    assert len({first.hash, (await plan(wish(), RETRIES, LIBRARY)).hash, (await plan(wish(target="v41"), RETRIES)).hash}) == 3
    moved = await plan(wish(), RETRIES, vendor=FakeDeployer(running={"payments": "v44"}))
    assert moved.hash != first.hash


async def test_the_hash_of_a_plan_can_be_made_again_once_its_action_is_open() -> None:
    made = await plan(wish(target=""), RETRIES)
    opened = replace(wish(), plan=made, status=ActionStatus.APPROVED, policy="production", claim_reason="why")
    assert plan_hash(opened, made) == made.hash
    assert plan_matter(opened, made) == [
        "rollback",
        "payments",
        "production",
        "v43",
        "v43-sha",
        "v42",
        "v42-sha",
        ["3f2c1a9"],
    ]


async def test_the_hash_of_a_plan_stays_what_it_was_in_earlier_releases() -> None:
    made = await plan(wish(), RETRIES)
    assert made.hash == "732fbc3e3d86cb48e00d6681f10025c42c968ec081d0577adb97ea9728d5fa25"
