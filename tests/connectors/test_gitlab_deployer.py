"""What is GitLab's own about deploying there: variables, manual jobs, tags, environments, roles and the checks of a commit."""

from dataclasses import replace

import httpx
import pytest
import yaml

from bot.errors import BadSettings
from bot.ports import CommitChecks, Order, RunState
from bot.wire.orders import title_of
from connectors.gitlab import CONNECTOR
from connectors.gitlab.deployer import GitLabPipelines
from tests.connectors.stage_gitlab import BY_TAG, GitLabTheatre, gitlab
from tests.connectors.stages import body_of, fenced

ORDER = Order("payments", "production", "v43", "0193-key-1")


@pytest.fixture
def theatre() -> GitLabTheatre:
    return GitLabTheatre()


def sent(theatre: GitLabTheatre) -> dict[str, object]:
    return body_of(next(r for r in theatre.asked if r.method == "POST"))


async def test_a_pipeline_gets_the_order_and_the_variables_of_the_settings(theatre: GitLabTheatre) -> None:
    run = await GitLabPipelines(gitlab(variables={"REGION": "eu"}), theatre.transport).start(ORDER)
    assert sent(theatre) == {
        "ref": "main",
        "variables": [
            {"key": "REGION", "value": "eu"},
            {"key": "TOCSIN_SERVICE", "value": "payments"},
            {"key": "TOCSIN_VERSION", "value": "v43"},
            {"key": "TOCSIN_ENVIRONMENT", "value": "production"},
            {"key": "TOCSIN_KEY", "value": "0193-key-1"},
        ],
    }
    assert run.link == "https://gitlab.com/acme/shop/-/pipelines/71"
    assert CONNECTOR.deployer is not None
    with pytest.raises(BadSettings, match="Tocsin_Key is filled in by Tocsin"):
        CONNECTOR.deployer({"project": "acme/shop", "variables": {"Tocsin_Key": "x"}})


async def test_a_pipeline_at_the_versions_tag_is_remembered_by_its_environment(theatre: GitLabTheatre) -> None:
    deployer = GitLabPipelines(BY_TAG, theatre.transport)
    await deployer.start(ORDER)
    assert sent(theatre)["ref"] == "v43"
    theatre.finish(ORDER.key, RunState.SUCCEEDED)
    assert (await deployer.current("payments", "production")).commit == "3" * 40


async def test_versions_have_the_commits_of_their_tags(theatre: GitLabTheatre) -> None:
    theatre.remember(ORDER, RunState.SUCCEEDED)
    theatre.remember(replace(ORDER, version="v44"), RunState.SUCCEEDED)
    found = await GitLabPipelines(gitlab(), theatre.transport).versions("payments", "production")
    assert [(v.version, v.commit) for v in found] == [("v44", ""), ("v43", "3" * 40)]


async def test_a_pipeline_that_waits_for_a_click_runs_and_says_so(theatre: GitLabTheatre) -> None:
    theatre.word = "manual"
    deployer = GitLabPipelines(gitlab(), theatre.transport)
    await deployer.start(ORDER)
    run = await deployer.status(ORDER)
    assert (run.state, run.output) == (RunState.RUNNING, ("it waits for somebody to start a manual job on GitLab",))


async def test_a_failed_pipeline_names_the_jobs_that_failed(theatre: GitLabTheatre) -> None:
    deployer = GitLabPipelines(gitlab(), theatre.transport)
    await deployer.start(ORDER)
    theatre.finish(ORDER.key, RunState.FAILED)
    assert (await deployer.status(ORDER)).output == ("the pipeline ended with failed", "roll out: script_failure")


async def test_the_examination_tells_scope_role_and_file(theatre: GitLabTheatre) -> None:
    theatre.weak, theatre.file = True, "build: {script: make}"
    assert await GitLabPipelines(gitlab(), theatre.transport).check() == (
        "The token's scope is read_api; it needs api.",
        "The token's role in acme/shop is too low; running pipelines needs Developer.",
        ".gitlab-ci.yml at main names no pipeline after TOCSIN_KEY (workflow: name).",
    )
    assert "There is no token" in (await GitLabPipelines(gitlab(token=None), theatre.transport).check())[0]
    gone = await GitLabPipelines(gitlab(project="acme/no"), theatre.transport).check()
    assert "GitLab has no project acme/no that the token may see." in gone


async def test_the_checks_of_a_commit_that_ended_are_told() -> None:
    told = [
        {"name": "unit", "status": "success", "allow_failure": False},
        {"name": "lint", "status": "failed", "allow_failure": False},
        {"name": "audit", "status": "failed", "allow_failure": True},
        {"name": "e2e", "status": "running", "allow_failure": False},
    ]
    said = httpx.MockTransport(lambda _: httpx.Response(200, json=told))
    deployer = GitLabPipelines(gitlab(), said)
    assert isinstance(deployer, CommitChecks)
    found = await deployer.checks("payments", "3" * 40)
    assert found == {"unit": True, "lint": False, "audit": True}


def test_the_pipeline_of_the_docs_has_the_name() -> None:
    (block,) = fenced("docs/connectors/gitlab.md", "yaml")
    name = yaml.safe_load(block)["workflow"]["rules"][0]["variables"]["PIPELINE_NAME"]
    given = {"SERVICE": "payments", "VERSION": "v43", "ENVIRONMENT": "production", "KEY": "0193-key-1"}
    for variable, value in given.items():
        name = name.replace(f"$TOCSIN_{variable}", value)
    assert name == title_of(ORDER)
