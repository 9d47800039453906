"""Argo CD's dry run: a sync or rollback with `dryRun`, what it finds for people, and nothing ever really synced."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.errors import BadPayload, BadSettings, BotError, IllegalMove, NotAllowed, NotFound, NotStarted, Unavailable
from bot.ports import Order, Rehearsal, RunState
from connectors.argocd.deployer import LOOKS, ArgoDeployer, ArgoDeploys
from connectors.argocd.rehearsal import BEFORE, DRY, KEY
from tests.connectors.argo_server import SOURCE, ArgoServer
from tests.fakes import NOON

ORDER = Order("payments", "production", "v42", "key-1")
OTHER = replace(ORDER, version="v41", key="key-2")
SHA = "b" * 40
RESOURCES: list[dict[str, Any]] = [
    {"kind": "ConfigMap", "name": "old", "status": "Pruned", "message": "pruned (dry run)"},
    {"kind": "Job", "name": "migrate", "hookType": "PreSync", "message": "job.batch/migrate created (dry run)"},
    {"kind": "Service", "name": "new", "status": "Synced", "message": "service/new created (dry run)"},
    {"kind": "Secret", "name": "kept", "status": "PruneSkipped", "message": "ignored (requires pruning)"},
    {
        "kind": "Deployment",
        "name": "payments",
        "status": "Synced",
        "message": "deployment.apps/payments configured (dry run)",
        "images": ["r.example:5000/payments:v42", "envoy:v1"],
    },
]


class Pauses:
    """How often it was waited; nobody really waits."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self, _: float) -> None:
        self.count += 1


def deployer(argo: ArgoServer, now: datetime = NOON, pause: Pauses | None = None, **more: object) -> ArgoDeployer:
    settings = ArgoDeploys.model_validate({"url": "https://argo.example", "token": "argo-token", "dry_run": True, **more})
    return ArgoDeployer(settings, argo, pause or Pauses(), lambda: now)


async def test_what_would_become_of_each_resource_is_told_and_nothing_is_synced() -> None:
    argo = ArgoServer()
    argo.finds = ("Succeeded", "successfully synced (all tasks run)", RESOURCES)
    argo.status["summary"] = {"images": ["r.example:5000/payments:v43", "envoy:v1"]}
    argo.status["operationState"] = {"operation": {"sync": {"revision": "c" * 40}}, "phase": "Succeeded", "startedAt": "x"}
    history = [dict(entry) for entry in argo.status["history"]]
    shop = deployer(argo)
    assert isinstance(shop, Rehearsal)
    assert await shop.rehearse(ORDER) == (
        "Deployment payments: deployment.apps/payments configured (dry run)",
        "Job migrate: PreSync hook, would run: job.batch/migrate created (dry run)",
        "Service new: service/new created (dry run)",
        "ConfigMap old: would be deleted (pruned)",
        "Secret kept: is not in this revision, and would stay: ignored (requires pruning)",
        "image r.example:5000/payments:v43 → r.example:5000/payments:v42",
        f"5 resources of {SHA[:12]}, tried by Argo CD without the cluster's admission: successfully synced (all tasks run)",
    )
    assert (argo.runs, argo.status["history"]) == ([], history)
    assert (await shop.current("payments", "production")).version == "v43"


async def test_it_asks_for_what_start_would_ask_with_dry_run_and_without_the_key() -> None:
    argo = ArgoServer()
    shop = deployer(argo, prune=True, namespace="apps", project="shop")
    await shop.rehearse(ORDER)
    await shop.start(ORDER)
    tried, ran = argo.tried[0], argo.runs[0]
    assert tried.pop("dryRun") is True
    assert tried.pop("retryStrategy") == {"limit": 0}, "a policy of the application may try again for minutes"
    assert [info["name"] for info in tried.pop("infos")] == [DRY]
    assert KEY in [info["name"] for info in ran.pop("infos")]
    assert tried == ran


async def test_a_version_with_another_source_is_tried_as_the_rollback_that_it_would_be() -> None:
    argo = ArgoServer()
    argo.status["history"][1]["source"] = SOURCE | {"path": "old/payments"}
    lines = await deployer(argo).rehearse(ORDER)
    assert argo.tried == [{"path": "/applications/payments/rollback", "id": 2, "prune": False, "dryRun": True}]
    assert lines[-1].startswith(f"0 resources of {SHA[:12]}")
    assert argo.runs == []


@pytest.mark.parametrize(
    ("finds", "error", "words"),
    [
        (
            ("Failed", "one or more objects failed to apply (dry run)"),
            IllegalMove,
            "would fail: Deployment payments: no such field",
        ),
        (("Error", "ComparisonError: helm template failed"), IllegalMove, "A sync would fail: .*helm template failed"),
        (("Failed", "Operation terminated"), Unavailable, "Somebody terminated the dry run"),
    ],
)
async def test_a_dry_run_that_fails_says_what_would_fail(finds: tuple[str, str], error: type[BotError], words: str) -> None:
    argo = ArgoServer()
    bad = {"kind": "Deployment", "name": "payments", "status": "SyncFailed", "message": "no such field spec.replica"}
    argo.finds = (*finds, [bad])
    with pytest.raises(error, match=words):
        await deployer(argo).rehearse(ORDER)
    assert argo.runs == []


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (400, BadPayload),
        (401, NotAllowed),
        (403, NotAllowed),
        (404, NotFound),
        (409, BadPayload),
        (422, BadPayload),
        (429, NotStarted),
        (500, Unavailable),
        (503, Unavailable),
        ("before", NotStarted),
        ("after", Unavailable),
    ],
)
async def test_whatever_is_answered_no_sync_begins_and_it_is_asked_for_once(trouble: int | str, error: type[Exception]) -> None:
    argo, pause = ArgoServer(), Pauses()
    argo.trouble = trouble
    shop = deployer(argo, pause=pause)
    with pytest.raises(error) as refused:
        await shop.rehearse(ORDER)
    assert type(refused.value) is error
    assert "argo-token" not in str(refused.value)
    assert (argo.runs, len(argo.tried), pause.count) == ([], trouble == "after", 0)
    assert (await shop.status(ORDER)).state is RunState.UNKNOWN


async def test_answers_that_are_older_than_the_request_are_waited_out() -> None:
    argo, pause = ArgoServer(), Pauses()
    shop = deployer(argo, pause=pause)
    await shop.start(OTHER)
    argo.begin()
    argo.end()
    argo.late = 3
    assert await shop.rehearse(ORDER)
    assert pause.count == 3 + 1
    assert len(argo.tried) == 1


async def test_one_that_never_ends_is_given_up_and_left_alone() -> None:
    argo, pause = ArgoServer(), Pauses()
    argo.finds = ("Running", "Waiting for pruning confirmation of v1/ConfigMap/old", [])
    with pytest.raises(Unavailable, match="has not ended; see `argocd app get payments"):
        await deployer(argo, pause=pause).rehearse(ORDER)
    assert (pause.count, argo.runs, len(argo.tried)) == (LOOKS, [], 1)


async def test_the_fate_of_the_operation_before_is_carried_on_by_every_dry_run() -> None:
    argo = ArgoServer()
    shop = deployer(argo)
    run = await shop.start(ORDER)
    argo.begin()
    argo.end("Failed", "Operation terminated")
    for _ in range(3):
        await shop.rehearse(OTHER)
        found = await shop.status(ORDER)
        assert (found.state, found.id) == (RunState.CANCELLED, run.id)
    assert [i["value"] for i in argo.tried[-1]["infos"] if i["name"] == BEFORE] == [f"key-1 Failed {SHA} terminated"]
    assert (await shop.status(OTHER)).state is RunState.UNKNOWN
    assert (await shop.start(ORDER)).state is RunState.CANCELLED
    assert len(argo.runs) == 1


async def test_a_rollout_that_goes_on_stays_running_through_a_dry_run() -> None:
    argo = ArgoServer()
    shop = deployer(argo)
    await shop.start(ORDER)
    argo.begin()
    argo.end()
    argo.status["health"]["status"] = "Progressing"
    await shop.rehearse(OTHER)
    assert (await shop.status(ORDER)).state is RunState.RUNNING
    argo.status["health"]["status"] = "Healthy"
    assert (await shop.status(ORDER)).state is RunState.SUCCEEDED


async def test_what_cannot_be_carried_on_is_left_to_be_asked_for_first() -> None:
    argo = ArgoServer()
    ended = datetime(2026, 3, 4, 10, tzinfo=UTC)
    state = {"operation": {"sync": {"revision": SHA}}, "phase": "Succeeded", "startedAt": "2026-03-04T09:59:00Z"}
    argo.status["operationState"] = state | {"finishedAt": "2026-03-04T10:00:00Z"}
    for now, health in ((ended + timedelta(seconds=59), "Healthy"), (ended + timedelta(days=1), "Progressing")):
        argo.status["health"]["status"] = health
        with pytest.raises(Unavailable, match="has hardly ended"):
            await deployer(argo, now).rehearse(OTHER)
    assert argo.tried == []
    argo.status["health"]["status"] = "Healthy"
    assert await deployer(argo, ended + timedelta(seconds=61)).rehearse(OTHER)


async def test_while_a_dry_run_goes_on_nothing_starts_and_none_is_cancelled_for_an_order() -> None:
    argo = ArgoServer()
    argo.operation = {"sync": {"revision": SHA, "dryRun": True}, "info": [{"name": KEY, "value": ORDER.key}]}
    argo.finds = ("Running", "", [])
    shop = deployer(argo)
    assert (await shop.cancel(ORDER)).state is RunState.UNKNOWN
    with pytest.raises(NotStarted, match="A dry run runs on payments"):
        await shop.start(replace(ORDER, key="key-9"))
    assert argo.runs == []


async def test_it_is_off_unless_it_is_set_and_asks_nothing_of_what_syncs_by_itself() -> None:
    argo = ArgoServer()
    assert await deployer(argo, dry_run=False).rehearse(ORDER) == ()
    with pytest.raises(BadSettings):
        await deployer(argo).rehearse(replace(ORDER, service="../../session"))
    argo.spec["syncPolicy"] = {"automated": {}}
    with pytest.raises(IllegalMove, match="syncs by itself"):
        await deployer(argo).rehearse(ORDER)
    argo.spec.pop("syncPolicy")
    argo.operation = {"sync": {"revision": SHA}}
    with pytest.raises(NotStarted, match="Another operation runs"):
        await deployer(argo).rehearse(ORDER)
    assert (argo.tried, argo.runs) == ([], [])
