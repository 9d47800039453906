"""What is GitHub's own about deploying there: runs that are listed late, tags, steps that failed, checks, rationing."""

from dataclasses import replace

import httpx
import pytest
import yaml

from bot.domain.change import Version
from bot.errors import BadPayload, BadSettings, NotStarted
from bot.ports import CommitChecks, Deployer, Order, RunState, VersionCommits
from bot.wire.orders import title_of
from connectors.github import CONNECTOR
from connectors.github.deployer import GitHubActions
from connectors.github.deployments import GitHubDeployments
from connectors.github.target import INPUTS
from tests.connectors.stage_github import DeploymentsTheatre, GitHubTheatre, github
from tests.connectors.stages import body_of, fenced

ORDER = Order("payments", "production", "v43", "0193-key-1", commit="3" * 40)


@pytest.fixture
def theatre() -> GitHubTheatre:
    return GitHubTheatre()


@pytest.fixture
def deployer(theatre: GitHubTheatre) -> GitHubActions:
    return GitHubActions(github(inputs={"region": "eu"}), theatre.transport)


def made(**table: object) -> Deployer:
    assert CONNECTOR.deployer is not None
    return CONNECTOR.deployer(table)


async def test_a_run_that_is_not_listed_yet_is_found_by_the_id_that_github_told(
    theatre: GitHubTheatre, deployer: GitHubActions
) -> None:
    theatre.late = True
    run = await deployer.start(ORDER)
    assert (await deployer.status(ORDER)).state is RunState.UNKNOWN
    assert (await deployer.status(replace(ORDER, run=run.id))).state is RunState.RUNNING


async def test_a_server_that_tells_no_id_has_a_run_all_the_same(theatre: GitHubTheatre) -> None:
    theatre.classic = True
    deployer = GitHubActions(github(run_details=False), theatre.transport)
    assert (await deployer.start(ORDER)).id == ""
    assert (await deployer.status(ORDER)).id == "71"
    assert "return_run_details" not in body_of(next(r for r in theatre.asked if r.method == "POST"))


async def test_the_workflow_gets_the_order_and_the_inputs_of_the_settings(
    theatre: GitHubTheatre, deployer: GitHubActions
) -> None:
    await deployer.start(ORDER)
    sent = body_of(next(r for r in theatre.asked if r.method == "POST"))
    assert sent["inputs"] == {
        "region": "eu",
        "service": "payments",
        "version": "v43",
        "environment": "production",
        "tocsin_key": "0193-key-1",
    }
    with pytest.raises(BadSettings, match="version is filled in by Tocsin"):
        made(repository="acme/shop", inputs={"version": "v1"})


async def test_versions_have_the_commits_of_their_tags(theatre: GitHubTheatre, deployer: GitHubActions) -> None:
    theatre.remember(replace(ORDER, key="by-hand"), RunState.SUCCEEDED)
    assert (await deployer.current("payments", "production")).commit == "3" * 40
    theatre.remember(replace(ORDER, version="4d1a2b3"), RunState.SUCCEEDED)
    assert (await deployer.current("payments", "production")) == Version("4d1a2b3", "4d1a2b3", theatre.plays[-1].at)


async def test_a_run_by_hand_with_another_title_is_no_version(theatre: GitHubTheatre, deployer: GitHubActions) -> None:
    theatre.remember(Order("", "production", "v9", "x"), RunState.SUCCEEDED)
    assert await deployer.versions("payments", "production") == ()


async def test_what_runs_is_looked_for_behind_a_hundred_runs_of_others(theatre: GitHubTheatre, deployer: GitHubActions) -> None:
    for version in ("v42", "v43"):
        theatre.remember(replace(ORDER, version=version), RunState.SUCCEEDED)
    for number in range(150):
        theatre.remember(replace(ORDER, service="checkout", key=f"k{number}"), RunState.SUCCEEDED)
    assert (await deployer.current("payments", "production")).version == "v43"
    assert [v.version for v in await deployer.versions("payments", "production")] == ["v43", "v42"]


async def test_the_commit_of_a_version_that_never_ran_is_that_of_its_tag(deployer: GitHubActions) -> None:
    assert isinstance(deployer, VersionCommits)
    assert await deployer.commit_of("payments", "v42") == "4" * 40
    assert await deployer.commit_of("payments", "a1b2c3d4") == "a1b2c3d4"
    assert await deployer.commit_of("payments", "v99") == ""


async def test_a_failed_run_names_the_steps_that_failed(theatre: GitHubTheatre, deployer: GitHubActions) -> None:
    await deployer.start(ORDER)
    theatre.finish(ORDER.key, RunState.FAILED)
    assert (await deployer.status(ORDER)).output == ("the run ended with failure", "deploy › Roll out failed")


async def test_a_secondary_rate_limit_is_no_lack_of_rights(theatre: GitHubTheatre, deployer: GitHubActions) -> None:
    theatre.refusal = 403, {"retry-after": "60"}
    with pytest.raises(NotStarted, match="60 s"):
        await deployer.start(ORDER)


async def test_the_examination_reads_the_workflow_file(theatre: GitHubTheatre, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.connectors.stage_github.FILE", "on: push")
    lacks = await GitHubActions(github(), theatre.transport).check()
    assert ".github/workflows/deploy.yml at main does not say 'workflow_dispatch'." in lacks
    assert ".github/workflows/deploy.yml at main does not say 'run-name'." in lacks
    other = await GitHubActions(github(workflow="no.yml"), theatre.transport).check()
    assert other == ("acme/shop has no workflow no.yml, or the token may not read Actions.",)
    assert "There is no token" in (await GitHubActions(github(token=None), theatre.transport).check())[0]


async def test_the_checks_of_a_commit_that_ended_are_told() -> None:
    runs = [
        {"name": "unit", "status": "completed", "conclusion": "success"},
        {"name": "lint", "status": "completed", "conclusion": "failure"},
        {"name": "e2e", "status": "in_progress", "conclusion": None},
    ]
    said = httpx.MockTransport(lambda _: httpx.Response(200, json={"check_runs": runs}))
    deployer = GitHubActions(github(), said)
    assert isinstance(deployer, CommitChecks)
    assert await deployer.checks("payments", "3" * 40) == {"unit": True, "lint": False}


async def test_a_deployment_is_of_the_commit_and_waits_for_its_checks() -> None:
    theatre = DeploymentsTheatre()
    await GitHubDeployments(github(mode="deployments"), theatre.transport).start(ORDER)
    sent = body_of(next(r for r in theatre.asked if r.method == "POST"))
    assert (sent["ref"], sent["auto_merge"], "required_contexts" in sent) == ("3" * 40, False, False)
    await GitHubDeployments(github(mode="deployments", required_checks=False), theatre.transport).start(
        replace(ORDER, key="k2", commit="")
    )
    sent = body_of([r for r in theatre.asked if r.method == "POST"][-1])
    assert (sent["ref"], sent["required_contexts"]) == ("v43", [])


async def test_checks_that_failed_are_why_nothing_was_started() -> None:
    """GitHub's words, with 409."""
    words = {"message": "Conflict: Commit status checks failed for main."}
    said = httpx.MockTransport(lambda r: httpx.Response(409, json=words) if r.method == "POST" else httpx.Response(200, json=[]))
    with pytest.raises(BadPayload, match="Commit status checks failed"):
        await GitHubDeployments(github(mode="deployments"), said).start(ORDER)


@pytest.mark.parametrize(("mode", "kind"), [("workflow", GitHubActions), ("deployments", GitHubDeployments)])
def test_the_settings_choose_the_way(mode: str, kind: type) -> None:
    assert isinstance(made(repository="acme/shop", mode=mode), kind)


def test_the_workflow_of_the_docs_has_the_title_and_the_inputs() -> None:
    (block,) = [b for b in fenced("docs/connectors/github.md", "yaml") if "workflow_dispatch" in b]
    said = yaml.safe_load(block)
    title = said["run-name"]
    for name, value in zip(INPUTS, ("payments", "v43", "production", "0193-key-1"), strict=True):
        title = title.replace(f"${{{{ inputs.{name} }}}}", value)
    assert title == title_of(ORDER)
    assert set(said[True]["workflow_dispatch"]["inputs"]) == set(INPUTS), "YAML reads `on` as true"
