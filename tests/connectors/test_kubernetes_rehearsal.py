"""Kubernetes' dry run: the very patch is tried on the server, what it would change is told, and nothing ever changes."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.actions.planning.asking import Patience, ask_around
from bot.errors import BadSettings, BotError, IllegalMove, NotAllowed, NotFound, Unavailable
from bot.ports import Order, Rehearsal
from connectors.kubernetes.deployer import KubernetesDeployer, KubernetesDeploys
from tests.connectors.rollouts import TOKEN, Rollouts

NEW = Order("payments", "production", "v44", "key-1")
OLD = Order("payments", "production", "v41", "key-2")
AGREED = "the API server would take this: validation and admission agreed"
GOING = "replicas 2: pods would be replaced one after another"
DENIED = 'admission webhook "images.policy.example" denied the request: payments:v44 is not signed'
NO_RIGHT = (
    'deployments.apps "payments" is forbidden: User "system:serviceaccount:tocsin:tocsin" cannot patch resource "deployments" '
    'in API group "apps" in the namespace "production"'
)


@pytest.fixture
async def cluster() -> AsyncIterator[Rollouts]:
    async with Rollouts() as made:
        yield made


def deployer(cluster: Rollouts, **more: object) -> KubernetesDeployer:
    table = {"url": cluster.url, "token": TOKEN, "ca_file": cluster.authorities, "namespace": "{environment}", **more}
    return KubernetesDeployer(KubernetesDeploys.model_validate(table))


def unchanged(cluster: Rollouts) -> bool:
    """Nothing was written, and every patch that was sent said so."""
    return cluster.changes == [] and all(query["dryRun"] == "All" for query in cluster.patches)


async def test_a_new_image_is_told_with_what_it_replaces_and_nothing_changes(cluster: Rollouts) -> None:
    shop, before = deployer(cluster), cluster.read()
    assert isinstance(shop, Rehearsal)
    told = await shop.rehearse(NEW)
    of = "registry.example:5000/shop/payments"
    assert told == (f"payments image {of}:v43 → {of}:v44", GOING, AGREED)
    assert cluster.tried == 1
    assert cluster.read() == before
    assert unchanged(cluster)


async def test_an_undo_tells_limits_and_names_other_fields_without_their_values(cluster: Rollouts) -> None:
    container = cluster.item["spec"]["template"]["spec"]["containers"][0]
    container["env"] = [{"name": "PASSWORD", "value": "hunter2-hunter2"}]
    told = await deployer(cluster).rehearse(OLD)
    assert told[1:] == (
        "payments memory limit 128Mi → 1Gi",
        "payments also: env (values are not shown)",
        GOING,
        AGREED,
    )
    assert "hunter2" not in "".join(told)
    assert unchanged(cluster)


async def test_the_patch_that_was_tried_is_the_patch_that_is_sent(cluster: Rollouts) -> None:
    shop = deployer(cluster)
    for order in (OLD, NEW):
        await shop.rehearse(order)
        await shop.start(order)
        tried, sent = cluster.bodies[-2:]
        assert tried == sent
        cluster.roll()
    assert len(cluster.changes) == 2


async def test_how_pods_would_be_replaced_is_told(cluster: Rollouts) -> None:
    cluster.item["spec"]["strategy"] = {"type": "Recreate"}
    assert "replicas 2: every old pod would stop before a new one starts (Recreate)" in await deployer(cluster).rehearse(NEW)
    cluster.item["spec"] |= {"strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": "25%"}}}
    assert f"{GOING}, at most 25% unavailable" in await deployer(cluster).rehearse(NEW)
    cluster.item["spec"]["replicas"] = 0
    assert "replicas 0: no pod runs, so none would be replaced" in await deployer(cluster).rehearse(NEW)
    same = await deployer(cluster).rehearse(replace(NEW, version="v43"))
    assert same == ("no pod would be replaced: the template stays as it is", AGREED)


async def test_what_the_server_takes_reluctantly_is_told(cluster: Rollouts) -> None:
    cluster.warns = ['would violate PodSecurity "restricted": runAsNonRoot != true', f"your token is {TOKEN}"]
    told = await deployer(cluster).rehearse(NEW)
    assert 'the API server warns: would violate PodSecurity "restricted": runAsNonRoot != true' in told
    assert TOKEN not in "".join(told)


@pytest.mark.parametrize(
    ("answer", "error", "words"),
    [
        ((403, DENIED), IllegalMove, "The cluster would refuse this .403.: admission webhook .* is not signed"),
        ((400, DENIED), IllegalMove, "would refuse this .400.: admission webhook"),
        ((422, "ValidatingAdmissionPolicy 'frozen' denied request: frozen"), IllegalMove, "would refuse .* frozen"),
        ((422, 'Deployment.apps "payments" is invalid: spec.template: Invalid value'), IllegalMove, "would refuse .* is invalid"),
        ((403, NO_RIGHT), NotAllowed, "may not patch the Deployment payments .403., so a deploy would be refused"),
        ((401, "Unauthorized"), NotAllowed, "does not know the token"),
        ((404, "not found"), NotFound, "the Deployment payments is not there any more"),
        ((400, 'admission webhook "m.example" does not support dry run'), IllegalMove, "cannot be tried in this cluster"),
        ((409, "the object has been modified"), Unavailable, "Somebody changed the Deployment payments .* plan again"),
        ((429, "too many requests"), Unavailable, "could not try it .429."),
        ((500, 'failed calling webhook "m.example": no route'), Unavailable, "could not try it .500.: failed calling webhook"),
        ((503, f"busy, {TOKEN}"), Unavailable, "could not try it .503.[.]"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, tuple) else "",
)
async def test_a_refusal_is_told_in_words_for_people_and_changes_nothing(
    cluster: Rollouts, answer: tuple[int, str], error: type[BotError], words: str
) -> None:
    cluster.trouble = answer
    with pytest.raises(error, match=words) as refused:
        await deployer(cluster).rehearse(NEW)
    assert type(refused.value) is error
    assert TOKEN not in str(refused.value) + refused.value.for_people
    assert unchanged(cluster)
    assert len(cluster.patches) == 1, "a dry run is asked for once"


@pytest.mark.parametrize("trouble", ["before", "after", "meanwhile"])
async def test_a_dry_run_whose_answer_is_lost_or_that_comes_too_late_changed_nothing(cluster: Rollouts, trouble: str) -> None:
    cluster.trouble = trouble
    with pytest.raises(Unavailable):
        await deployer(cluster, timeout_seconds=0.3).rehearse(NEW)
    assert unchanged(cluster)
    assert (await deployer(cluster).status(NEW)).id == ""


async def test_a_plan_has_what_would_change_or_the_reason_of_the_refusal(cluster: Rollouts) -> None:
    shop, patience = deployer(cluster), Patience(rehearsal=30)
    answers = await ask_around(NEW, "", ("", ""), shop, (), (), {}, patience)
    assert (answers.rehearsal[-1], answers.unasked) == (AGREED, ())
    cluster.trouble = (403, DENIED)
    answers = await ask_around(NEW, "", ("", ""), shop, (), (), {}, patience)
    assert answers.rehearsal == ()
    assert answers.unasked == (f"the deployer's own dry run: The cluster would refuse this (403): {DENIED}",)
    assert unchanged(cluster)


async def test_it_can_be_turned_off_and_asks_nothing_for_what_cannot_be_deployed(cluster: Rollouts) -> None:
    assert await deployer(cluster, dry_run=False).rehearse(NEW) == ()
    with pytest.raises(BadSettings):
        await deployer(cluster).rehearse(replace(NEW, version="v1; rm"))
    assert cluster.asked == []
    cluster.item["spec"]["paused"] = True
    with pytest.raises(IllegalMove, match="is paused"):
        await deployer(cluster).rehearse(NEW)
    assert cluster.patches == []
