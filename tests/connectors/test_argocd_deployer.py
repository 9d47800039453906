"""Argo CD as a deployer, against a stand-in written from its documented API: one operation per key, whatever is lost."""

from dataclasses import replace

import pytest

from bot.errors import BadPayload, BadSettings, IllegalMove, NotAllowed, NotFound, NotStarted, Unavailable
from bot.ports import Order, RunState
from connectors.argocd import CONNECTOR
from connectors.argocd.deployer import ArgoDeployer, ArgoDeploys
from tests.connectors.argo_server import SOURCE, ArgoServer

ORDER = Order("payments", "production", "v42", "key-1")
SHA = "b" * 40


def deployer(argo: ArgoServer, token: str = "argo-token", **more: object) -> ArgoDeployer:
    settings = ArgoDeploys.model_validate({"url": "https://argo.example", "token": token, **more})
    return ArgoDeployer(settings, transport=argo)


async def test_what_runs_and_what_ran_is_the_applications_history_by_tag() -> None:
    shop = deployer(ArgoServer())
    now = await shop.current("payments", "production")
    assert (now.version, now.commit, now.healthy) == ("v43", "c" * 40, True)
    assert [v.version for v in await shop.versions("payments", "production")] == ["v43", "v42", "v41"]


async def test_a_sync_carries_the_key_and_is_followed_to_its_end() -> None:
    argo = ArgoServer()
    shop = deployer(argo)
    assert (await shop.status(ORDER)).state is RunState.UNKNOWN
    run = await shop.start(ORDER)
    assert (run.state, run.link) == (RunState.RUNNING, "https://argo.example/applications/argocd/payments")
    assert argo.runs[0]["revision"] == SHA
    assert (await shop.start(ORDER)).state is RunState.RUNNING
    argo.begin()
    assert (await shop.status(ORDER)).state is RunState.RUNNING
    argo.end()
    argo.status["health"]["status"] = "Progressing"
    assert (await shop.status(ORDER)).state is RunState.RUNNING
    argo.status["health"]["status"] = "Healthy"
    assert (await shop.status(ORDER)).state is RunState.SUCCEEDED
    assert (await shop.start(ORDER)).state is RunState.SUCCEEDED
    assert len(argo.runs) == 1
    assert (await shop.current("payments", "production")).version == "v42"


async def test_a_failed_sync_says_which_object_failed() -> None:
    argo = ArgoServer()
    shop = deployer(argo)
    await shop.start(ORDER)
    argo.begin()
    bad = {"kind": "Deployment", "name": "payments", "status": "SyncFailed", "message": "field is immutable"}
    argo.end("Failed", "one or more objects failed to apply", resources=[bad])
    run = await shop.status(ORDER)
    assert run.state is RunState.FAILED
    assert run.output == ("Deployment payments: field is immutable", "one or more objects failed to apply")


async def test_a_cancelled_sync_was_terminated_and_only_our_own_is() -> None:
    argo = ArgoServer()
    shop = deployer(argo)
    assert (await shop.cancel(ORDER)).state is RunState.UNKNOWN
    await shop.start(ORDER)
    argo.begin()
    assert (await shop.cancel(replace(ORDER, key="key-2"))).state is RunState.UNKNOWN
    assert argo.status["operationState"]["phase"] == "Running"
    assert (await shop.cancel(ORDER)).state is RunState.RUNNING
    argo.end("Failed", "Operation terminated")
    assert (await shop.cancel(ORDER)).state is RunState.CANCELLED


async def test_a_lost_answer_to_a_sync_loses_nothing() -> None:
    argo = ArgoServer()
    argo.trouble = "after"
    shop = deployer(argo)
    with pytest.raises(Unavailable, match="did not answer"):
        await shop.start(ORDER)
    assert (await shop.status(ORDER)).state is RunState.RUNNING
    assert (await shop.start(ORDER)).state is RunState.RUNNING
    assert len(argo.runs) == 1


async def test_another_source_is_brought_back_by_the_entry_of_the_history() -> None:
    argo = ArgoServer()
    argo.status["history"][1]["source"] = SOURCE | {"path": "old/payments"}
    shop = deployer(argo)
    run = await shop.start(ORDER)
    assert argo.runs == [{"path": "/applications/payments/rollback", "id": 2, "prune": False}]
    told = replace(ORDER, run=run.id)
    assert (await shop.status(told)).state is RunState.RUNNING
    argo.begin()
    argo.end()
    assert (await shop.status(told)).state is RunState.SUCCEEDED
    assert (await shop.status(ORDER)).state is RunState.UNKNOWN  # without its answer nobody can tell


async def test_an_older_operation_of_the_same_revision_is_not_ours() -> None:
    argo = ArgoServer()
    state = {"operation": {"sync": {"revision": SHA}}, "phase": "Succeeded", "startedAt": "2026-03-01T10:00:00Z"}
    argo.status["operationState"] = state
    back = replace(ORDER, run=f"rollback to 2 ({SHA}) after 2026-03-01T10:00:00Z")
    assert (await deployer(argo).status(back)).state is RunState.UNKNOWN
    assert (await deployer(argo).status(replace(back, run=back.run[:-20]))).state is RunState.SUCCEEDED


async def test_an_application_that_syncs_by_itself_is_left_to_git() -> None:
    argo = ArgoServer()
    argo.spec["syncPolicy"] = {"automated": {"selfHeal": True}}
    shop = deployer(argo, application="payments")
    with pytest.raises(IllegalMove, match="syncs by itself"):
        await shop.start(ORDER)
    assert "syncs by itself" in (await shop.check())[0]
    argo.spec["syncPolicy"] = {"automated": {"enabled": False}}
    assert await shop.check() == ()


async def test_a_busy_application_and_several_sources_start_nothing() -> None:
    argo = ArgoServer()
    argo.operation = {"sync": {"revision": SHA}}
    with pytest.raises(NotStarted, match="Another operation runs"):
        await deployer(argo).start(ORDER)
    argo.spec["sources"] = [SOURCE, SOURCE]
    with pytest.raises(IllegalMove, match="several sources"):
        await deployer(argo).start(ORDER)
    assert argo.runs == []


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (401, NotAllowed),
        (403, NotAllowed),
        (404, NotFound),
        (409, BadPayload),
        (422, BadPayload),
        (429, NotStarted),
        (400, BadPayload),
        ("before", NotStarted),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
async def test_refusals_say_whether_anything_was_started(trouble: int | str, error: type[Exception]) -> None:
    argo = ArgoServer()
    argo.trouble = trouble
    with pytest.raises(error) as refused:
        await deployer(argo).start(ORDER)
    assert type(refused.value) is error
    assert "argo-token" not in str(refused.value)
    assert argo.runs == []


async def test_what_is_missing_is_found_by_questions_alone() -> None:
    argo = ArgoServer()
    assert await deployer(argo, project="shop").check() == ()
    argo.trouble = "rbac"
    assert await deployer(argo, project="shop").check() == ("The account tocsin may not sync applications of shop.",)
    with pytest.raises(NotAllowed):
        await deployer(argo, token="wrong-token").check()
    assert "no token" in (await ArgoDeployer(ArgoDeploys(url="https://argo.example"), transport=argo).check())[0]
    assert argo.runs == []


async def test_names_cannot_lead_elsewhere() -> None:
    shop = deployer(ArgoServer())
    with pytest.raises(BadSettings):
        await shop.start(replace(ORDER, service="../../session"))
    assert CONNECTOR.deployer is not None
    with pytest.raises(BadSettings, match=r"url: .* A good one"):
        CONNECTOR.deployer({"url": "argo"})
