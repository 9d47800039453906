"""What is Jenkins' own about deploying there: the queue before the build, crumbs, folders, parameters."""

import re
from dataclasses import replace

import httpx
import pytest

from bot.errors import BadPayload, NotAllowed
from bot.ports import Order, RunState
from connectors.jenkins.deployer import PARAMETERS, JenkinsJob
from tests.connectors.stage_jenkins import JenkinsTheatre, jenkins
from tests.connectors.stages import Trouble, fenced

ORDER = Order("payments", "production", "v43", "0193-key-1", commit="3" * 40)


@pytest.fixture
def theatre() -> JenkinsTheatre:
    return JenkinsTheatre()


async def test_a_queued_item_becomes_a_build_and_is_found_either_way(theatre: JenkinsTheatre) -> None:
    theatre.patient = True
    deployer = JenkinsJob(jenkins(), theatre.transport)
    queued = await deployer.start(ORDER)
    assert queued.id == "queue/71"
    for order in (ORDER, replace(ORDER, run=queued.id)):
        waits = await deployer.status(order)
        assert (waits.id, waits.state, waits.output) == ("queue/71", RunState.RUNNING, ("Waiting for next available executor",))
    theatre.queued.clear()
    for order in (ORDER, replace(ORDER, run=queued.id), replace(ORDER, run="build/71")):
        built = await deployer.status(order)
        assert (built.id, built.link) == ("build/71", "https://jenkins.example/job/deploy/job/shop/71/")


async def test_what_waits_in_the_queue_is_taken_out_of_it(theatre: JenkinsTheatre) -> None:
    theatre.patient = True
    deployer = JenkinsJob(jenkins(), theatre.transport)
    queued = await deployer.start(ORDER)
    assert (await deployer.cancel(replace(ORDER, run=queued.id))).state is RunState.CANCELLED
    assert theatre.asked[-2].url.path == "/queue/cancelItem"


async def test_an_item_whose_answer_was_lost_is_found_in_the_queue(theatre: JenkinsTheatre) -> None:
    theatre.patient, theatre.trouble = True, Trouble.BROKEN
    deployer = JenkinsJob(jenkins(), theatre.transport)
    with pytest.raises(Exception, match="cannot be reached"):
        await deployer.start(ORDER)
    assert (await deployer.start(ORDER)).id == "queue/71"
    assert theatre.started == [ORDER.key]


async def test_a_post_brings_the_crumb_and_its_session_where_that_is_wanted(theatre: JenkinsTheatre) -> None:
    theatre.crumb = "c0ffee"
    with pytest.raises(NotAllowed):
        await JenkinsJob(jenkins(), theatre.transport).start(ORDER)
    await JenkinsJob(jenkins(crumbs=True), theatre.transport).start(ORDER)
    assert theatre.started == [ORDER.key]
    theatre.crumb = ""
    await JenkinsJob(jenkins(crumbs=True), theatre.transport).start(replace(ORDER, key="k2"))
    assert theatre.started == [ORDER.key, "k2"]


async def test_who_asks_and_the_commit_are_told(theatre: JenkinsTheatre) -> None:
    deployer = JenkinsJob(jenkins(), theatre.transport)
    await deployer.start(ORDER)
    assert all(request.headers["authorization"].startswith("Basic ") for request in theatre.asked)
    theatre.finish(ORDER.key, RunState.SUCCEEDED)
    assert (await deployer.current("payments", "production")).commit == "3" * 40


async def test_a_redirect_to_the_login_started_nothing() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        lists: dict[str, list[object]] = {"items": [], "builds": []}
        return (
            httpx.Response(302, headers={"location": "/login"}) if request.method == "POST" else httpx.Response(200, json=lists)
        )

    with pytest.raises(BadPayload, match="302"):
        await JenkinsJob(jenkins(), httpx.MockTransport(answer)).start(ORDER)


async def test_the_examination_names_missing_parameters_and_jobs(theatre: JenkinsTheatre) -> None:
    lacks = await JenkinsJob(jenkins(parameters={"REGION": "eu"}), theatre.transport).check()
    assert lacks == ("The job deploy/shop has no parameter REGION.",)
    gone = await JenkinsJob(jenkins(job="deploy/no"), theatre.transport).check()
    assert gone == ("Jenkins has no job deploy/no that tocsin may see.",)
    assert "no user or no token" in (await JenkinsJob(jenkins(token=None), theatre.transport).check())[0]


def test_the_job_of_the_docs_has_the_parameters() -> None:
    (block,) = [b for b in fenced("docs/connectors/jenkins.md", "groovy") if "parameters {" in b]
    assert set(re.findall(r"string\(name: '(\w+)'", block)) == set(PARAMETERS)
