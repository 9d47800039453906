"""Kubernetes as a deployer, against a stand-in of the API server: a key changes a Deployment once, whatever is lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.errors import BadPayload, BadSettings, IllegalMove, NotAllowed, NotFound, NotStarted, Unavailable
from bot.ports import Order, RunState
from connectors.kubernetes import CONNECTOR
from connectors.kubernetes.deployer import KubernetesDeployer, KubernetesDeploys
from connectors.kubernetes.images import image_for, version_of
from tests.connectors.rollouts import TOKEN, Rollouts

NEW = Order("payments", "production", "v44", "key-1")
OLD = Order("payments", "production", "v41", "key-2")


@pytest.fixture
async def cluster() -> AsyncIterator[Rollouts]:
    async with Rollouts() as made:
        yield made


def deployer(cluster: Rollouts, **more: object) -> KubernetesDeployer:
    table = {"url": cluster.url, "token": TOKEN, "ca_file": cluster.authorities, "namespace": "{environment}", **more}
    return KubernetesDeployer(KubernetesDeploys.model_validate(table))


async def test_what_runs_and_what_ran_is_read_from_the_template_and_the_replica_sets(cluster: Rollouts) -> None:
    shop = deployer(cluster)
    now = await shop.current("payments", "production")
    assert (now.version, now.healthy) == ("v43", True)
    assert [v.version for v in await shop.versions("payments", "production")] == ["v43", "v42", "v41"]
    assert (await deployer(cluster, selector="app={service}").current("payments", "production")).version == "v43"


async def test_a_new_version_is_a_new_image_and_is_followed_until_the_last_old_pod_is_gone(cluster: Rollouts) -> None:
    shop = deployer(cluster)
    assert (await shop.status(NEW)).state is RunState.UNKNOWN
    assert (await shop.start(NEW)).state is RunState.RUNNING
    images = [c["image"] for c in cluster.changes[0]["spec"]["containers"]]
    assert images == ["registry.example:5000/shop/payments:v44", "envoy:v1"]
    assert cluster.item["metadata"]["annotations"]["kubernetes.io/change-cause"] == "v44 by Tocsin (key-1)"
    cluster.roll(ready=1)
    run = await shop.status(NEW)
    assert (run.state, run.output) == (RunState.RUNNING, ("1 old pods are still there",))
    cluster.roll()
    assert (await shop.status(NEW)).state is RunState.SUCCEEDED
    assert (await shop.start(NEW)).state is RunState.SUCCEEDED
    assert len(cluster.changes) == 1


async def test_a_version_that_ran_comes_back_with_its_whole_template(cluster: Rollouts) -> None:
    shop = deployer(cluster)
    await shop.start(OLD)
    back = cluster.changes[0]
    assert back["spec"]["containers"][0]["resources"] == {"limits": {"memory": "1Gi"}}
    assert back["metadata"]["labels"] == {"app": "payments"}
    cluster.roll()
    assert (await shop.status(OLD)).state is RunState.SUCCEEDED
    assert [v.version for v in await shop.versions("payments", "production")] == ["v41", "v43", "v42"]


async def test_a_rollout_past_its_deadline_has_failed_and_says_so(cluster: Rollouts) -> None:
    shop = deployer(cluster)
    await shop.start(NEW)
    cluster.roll(ready=0, failed=True)
    run = await shop.status(NEW)
    assert (run.state, run.output) == (RunState.FAILED, ("timed out progressing",))
    assert (await shop.current("payments", "production")).healthy is False


async def test_what_another_rollout_overtook_has_failed_and_does_not_run_again(cluster: Rollouts) -> None:
    shop = deployer(cluster)
    await shop.start(NEW)
    cluster.roll()
    await shop.start(OLD)
    cluster.roll()
    run = await shop.start(NEW)
    assert run.state is RunState.FAILED
    assert run.output == ("another rollout came after it: revision 5 of payments",)
    assert len(cluster.changes) == 2


async def test_an_image_that_somebody_else_set_is_not_ours(cluster: Rollouts) -> None:
    shop = deployer(cluster)
    await shop.start(NEW)
    cluster.item["spec"]["template"]["spec"]["containers"][0]["image"] = "registry.example:5000/shop/payments:v50"
    cluster.roll()
    assert "another rollout came after it" in (await shop.status(NEW)).output[0]


async def test_two_that_start_at_once_change_it_once(cluster: Rollouts) -> None:
    runs = await asyncio.gather(*(deployer(cluster).start(NEW) for _ in range(4)))
    assert {run.state for run in runs} == {RunState.RUNNING}
    assert len(cluster.changes) == 1


async def test_a_lost_answer_loses_nothing_and_a_change_in_between_starts_nothing(cluster: Rollouts) -> None:
    cluster.trouble = "after"
    with pytest.raises(Unavailable, match="did not answer within 1 s"):
        await deployer(cluster, timeout_seconds=1).start(NEW)
    shop = deployer(cluster)
    assert (await shop.start(NEW)).state is RunState.RUNNING
    assert len(cluster.changes) == 1
    cluster.trouble = "meanwhile"
    with pytest.raises(BadPayload, match=r"409.*has been modified"):
        await shop.start(OLD)
    assert len(cluster.changes) == 1


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        (401, NotAllowed),
        (403, NotAllowed),
        (404, NotFound),
        (409, BadPayload),
        (422, BadPayload),
        (429, NotStarted),
        (500, Unavailable),
        (503, Unavailable),
    ],
)
async def test_refusals_say_whether_anything_was_begun(cluster: Rollouts, trouble: int, error: type[Exception]) -> None:
    cluster.trouble = trouble
    with pytest.raises(error) as refused:
        await deployer(cluster).start(NEW)
    assert type(refused.value) is error
    assert TOKEN not in str(refused.value)
    assert cluster.changes == []


async def test_where_nobody_answers_nothing_was_begun() -> None:
    async with Rollouts() as gone:
        shop = deployer(gone, ca_file=None)
    with pytest.raises(NotStarted):
        await shop.start(NEW)
    with pytest.raises(Unavailable, match="cannot be reached"):
        await shop.status(NEW)


async def test_a_proxy_of_the_environment_counts_unless_no_proxy_names_the_server(
    cluster: Rollouts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Rollouts() as gone:
        monkeypatch.setenv("http_proxy", gone.url)
    monkeypatch.setenv("no_proxy", "localhost,.svc")
    with pytest.raises(Unavailable, match="cannot be reached"):
        await deployer(cluster).current("payments", "production")
    monkeypatch.setenv("no_proxy", "localhost,127.0.0.1,.svc")
    assert (await deployer(cluster).current("payments", "production")).version == "v43"


async def test_a_file_of_authorities_that_is_not_there_is_a_wrong_setting(cluster: Rollouts) -> None:
    with pytest.raises(BadSettings, match="no way to reach the API server"):
        await deployer(cluster, ca_file=f"{cluster.authorities}.gone").current("payments", "production")


async def test_what_cannot_be_deployed_is_refused_with_the_reason(cluster: Rollouts) -> None:
    with pytest.raises(NotFound, match="No Deployment has app=orders"):
        await deployer(cluster, selector="app=orders").current("payments", "production")
    with pytest.raises(BadSettings, match="No container is named 'web'; there are payments, proxy"):
        await deployer(cluster, container="web").current("payments", "production")
    with pytest.raises(BadSettings):
        await deployer(cluster).start(replace(NEW, service="../secrets"))
    cluster.item["spec"]["paused"] = True
    with pytest.raises(IllegalMove, match="is paused"):
        await deployer(cluster).start(NEW)
    with pytest.raises(IllegalMove, match="cannot stop"):
        await deployer(cluster).cancel(NEW)
    assert cluster.changes == []


async def test_what_the_service_account_may_not_is_found_out_without_a_change(cluster: Rollouts) -> None:
    shop = deployer(cluster, namespace="production")
    assert await shop.check() == ()
    cluster.denied = {"patch deployments"}
    assert await shop.check() == ("The service account may not patch deployments in production.",)
    assert set(cluster.asked) == {"POST"}
    assert "key-1" in shop.how_to_ask(NEW)


@pytest.mark.parametrize(
    ("image", "version"),
    [
        ("payments:v42", "v42"),
        ("registry.example:5000/shop/payments:v42", "v42"),
        ("registry.example:5000/shop/payments", "latest"),
        ("payments:v42@sha256:0123456789abcdef", "v42"),
        ("payments@sha256:0123456789abcdef", "0123456789ab"),
        ("", ""),
    ],
)
def test_the_version_of_an_image_is_its_tag_or_digest(image: str, version: str) -> None:
    assert version_of(image) == version


def test_an_image_for_a_version_keeps_the_registry_and_drops_the_digest() -> None:
    assert image_for("", "registry.example:5000/shop/payments:v41@sha256:01", "v42") == "registry.example:5000/shop/payments:v42"
    assert image_for("", "registry.example:5000/shop/payments", "v42") == "registry.example:5000/shop/payments:v42"
    assert image_for("r.example/p:{version}-slim", "payments", "v42") == "r.example/p:v42-slim"
    assert CONNECTOR.deployer is not None
    with pytest.raises(BadSettings, match="image has to hold"):
        CONNECTOR.deployer({"image": "payments:v1"})
