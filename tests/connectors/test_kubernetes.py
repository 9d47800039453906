"""The watcher of Kubernetes against a small API server: nothing is missed, nothing counts twice."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from bot.domain.alert import Alert
from bot.domain.change import Change
from bot.errors import BadPayload, BadSignature
from bot.intake.inbox import Drain, Told
from bot.intake.meters import Meters
from bot.intake.watching import Watching
from bot.ports import Delivery, Event
from bot.storage.database import SqlDatabase
from connectors.kubernetes import CONNECTOR, KubernetesSightings
from connectors.kubernetes.api import KubernetesSettings
from connectors.kubernetes.watch import KubernetesWatcher
from tests.connectors.cluster import Cluster, Object
from tests.desk import a_desk
from tests.fakes import FakeClock

READER = KubernetesSightings()
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def a_deployment(name: str = "payments", revision: int = 1, state: str = "done", tag: str = "v42", **meta: Any) -> Object:
    said = {"done": "NewReplicaSetAvailable", "busy": "ReplicaSetUpdated", "stuck": "ProgressDeadlineExceeded"}[state]
    progress = {"type": "Progressing", "reason": said, "message": f"{name} is {state}", "lastUpdateTime": "2026-11-22T11:58:00Z"}
    env = [{"name": "PASSWORD", "value": "hunter2"}]
    container = {"name": "app", "image": f"registry.example:5000/{name}:{tag}", "env": env}
    return {
        "metadata": {
            "name": name,
            "namespace": "shop",
            "uid": f"uid-{name}",
            "generation": revision,
            "labels": {"app.kubernetes.io/name": name},
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "managedFields": [
                {"manager": "helm", "time": "2026-11-22T11:57:00Z"},
                {"manager": "kube-controller-manager", "time": "2026-11-22T11:59:00Z", "subresource": "status"},
            ],
            **meta,
        },
        "spec": {"replicas": 2, "template": {"spec": {"containers": [container]}}},
        "status": {"observedGeneration": revision, "conditions": [progress]},
    }


def a_warning(name: str = "payments-7d9f8c6b5-x2abc", reason: str = "BackOff", at: str = "11:59:00", kind: str = "Pod") -> Object:
    return {
        "metadata": {"uid": f"event-{name}-{reason}", "name": "e", "namespace": "shop"},
        "type": "Warning",
        "reason": reason,
        "message": "Back-off restarting failed container",
        "involvedObject": {"kind": kind, "name": name, "namespace": "shop", "uid": f"uid-{name}"},
        "firstTimestamp": "2026-11-22T11:50:00Z",
        "lastTimestamp": f"2026-11-22T{at}Z",
    }


class Ear:
    """What was told, as the inbox would keep it: the same id counts once."""

    def __init__(self) -> None:
        self.kept: dict[str, Delivery] = {}
        self.told = 0

    async def __call__(self, delivery: Delivery) -> None:
        self.told += 1
        self.kept.setdefault(READER.delivery_id(delivery), delivery)

    @property
    def events(self) -> list[Event]:
        return [event for delivery in self.kept.values() for event in READER.parse(delivery)]

    @property
    def deploys(self) -> list[tuple[str, str]]:
        return [(e.version, e.status.value) for e in self.events if isinstance(e, Change)]

    @property
    def alerts(self) -> list[tuple[str, str, bool]]:
        return [(e.name, e.service, e.resolved) for e in self.events if isinstance(e, Alert)]


def a_watcher(cluster: Cluster, clock: Callable[[], datetime] = lambda: NOW, **settings: Any) -> KubernetesWatcher:
    own = KubernetesSettings(url=cluster.url, token=SecretStr("cluster-token"), environment="production", **settings)
    return KubernetesWatcher("kubernetes", own, clock, first_pause=0.01, look=0.02)


@asynccontextmanager
async def watched(watcher: KubernetesWatcher, told: Callable[[Delivery], Awaitable[None]]) -> AsyncIterator[None]:
    task = asyncio.create_task(watcher.watch(told))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not true():
            await asyncio.sleep(0.01)


async def test_a_rollout_is_one_deploy_from_its_beginning_to_its_end() -> None:
    ear = Ear()
    async with Cluster() as cluster, watched(a_watcher(cluster), ear):
        await until(lambda: cluster.watching == 4)
        await cluster.put("deployments", a_deployment(revision=2, state="busy", tag="v43"))
        await cluster.put("deployments", a_deployment(revision=2, state="busy", tag="v43"))  # one pod more is ready: no news
        await cluster.put("deployments", a_deployment(revision=2, tag="v43"))
        await cluster.put("deployments", a_deployment(revision=3, state="stuck", tag="v44"))
        await until(lambda: len(ear.kept) == 3)
    assert ear.deploys == [("v43", "running"), ("v43", "succeeded"), ("v44", "failed")]
    began, ended, failed = (e for e in ear.events if isinstance(e, Change))
    assert began.id == ended.id != failed.id
    assert (ended.services, ended.environment, ended.author) == (("payments",), "production", "helm")
    assert (f"{began.at:%H:%M}", f"{ended.at:%H:%M}") == ("11:57", "11:58")
    assert "payments is stuck" in failed.title
    assert "hunter2" not in repr(ear.kept)


async def test_what_ended_long_ago_is_no_news_and_what_ended_while_nobody_watched_is() -> None:
    ear = Ear()
    async with Cluster() as cluster:
        for n in range(5):
            old = a_deployment(f"old-{n}")
            old["status"]["conditions"][0]["lastUpdateTime"] = "2026-11-01T00:00:00Z"
            await cluster.put("deployments", old)
        await cluster.put("deployments", a_deployment(tag="v43"))
        meta = {"uid": "s", "name": "db", "namespace": "shop", "creationTimestamp": "2026-01-01T00:00:00Z"}
        status = {"updateRevision": "db-1", "updatedReplicas": 1, "readyReplicas": 3}
        await cluster.put("statefulsets", {"metadata": meta, "spec": {"replicas": 3}, "status": status})
        async with watched(a_watcher(cluster), ear):
            await until(lambda: cluster.watching == 4 and len(ear.kept) == 2)
    assert sorted(ear.deploys) == [("", "running"), ("v43", "succeeded")]


async def test_a_broken_connection_is_resumed_where_it_broke_and_said_once(caplog: pytest.LogCaptureFixture) -> None:
    ear = Ear()
    async with Cluster() as cluster, watched(a_watcher(cluster), ear):
        await until(lambda: cluster.watching == 4)
        await cluster.put("deployments", a_deployment(tag="v42"))
        await until(lambda: len(ear.kept) == 1)
        cluster.down = True
        cluster.cut()
        await until(lambda: cluster.watching == 0)
        await cluster.put("deployments", a_deployment(revision=2, tag="v43"))
        await asyncio.sleep(0.1)
        cluster.down = False
        await until(lambda: len(ear.kept) == 2)
        await until(lambda: "kubernetes is watched again" in caplog.messages)
    assert ear.deploys == [("v42", "succeeded"), ("v43", "succeeded")]
    assert len([q for plural, q in cluster.requests if plural == "deployments" and "watch" not in q]) == 1  # listed once
    assert [m.split(":")[0] for m in caplog.messages] == ["kubernetes cannot be watched", "kubernetes is watched again"]
    assert "cluster-token" not in caplog.text


async def test_after_410_everything_is_listed_anew_and_nothing_counts_twice() -> None:
    ear = Ear()
    async with Cluster() as cluster, watched(a_watcher(cluster), ear):
        await until(lambda: cluster.watching == 4)
        await cluster.put("deployments", a_deployment(tag="v42"))
        await cluster.put("events", a_warning())
        await until(lambda: len(ear.kept) == 2)
        told = ear.told
        cluster.compact()
        cluster.cut()
        await until(lambda: len([q for p, q in cluster.requests if p in ("deployments", "events") and "watch" not in q]) == 4)
        await cluster.put("deployments", a_deployment(revision=2, tag="v43"))
        await until(lambda: len(ear.kept) == 3)
    assert ear.deploys == [("v42", "succeeded"), ("v43", "succeeded")]
    assert ear.told == told + 1


async def test_a_warning_alerts_once_for_its_workload_and_clears_when_it_stops() -> None:
    ear, clock = Ear(), FakeClock(NOW)
    async with Cluster() as cluster:
        await cluster.put("deployments", a_deployment())
        cluster.pods["payments-7d9f8c6b5-x2abc"] = {
            "metadata": {"labels": {"app.kubernetes.io/name": "payments-api", "pod-template-hash": "7d9f8c6b5"}},
            "status": {
                "containerStatuses": [{"name": "app", "lastState": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}]
            },
        }
        async with watched(a_watcher(cluster, clock), ear):
            await until(lambda: cluster.watching == 4)
            await cluster.put("events", a_warning())
            await cluster.put("events", a_warning(at="12:03:00"))  # again: the same alert
            await cluster.put("events", a_warning("payments-7d9f8c6b5-other", "Unhealthy"))  # its pod is gone already
            await cluster.put("events", a_warning(reason="DNSConfigForming"))
            await until(lambda: len(ear.alerts) == 2)
            await asyncio.sleep(0.1)
            assert sorted(ear.alerts) == [("BackOff", "payments-api", False), ("Unhealthy", "payments", False)]
            first = next(e for e in ear.events if isinstance(e, Alert))
            assert first.description == "app: OOMKilled (exit code 137)"
            assert "pod-template-hash" not in first.labels
            clock.now = NOW + timedelta(minutes=9, seconds=30)  # the other one was last seen at 11:59
            await until(lambda: ("Unhealthy", "payments", True) in ear.alerts)
            assert ("BackOff", "payments-api", True) not in ear.alerts
            clock.now = NOW + timedelta(minutes=14)
            await until(lambda: ("BackOff", "payments-api", True) in ear.alerts)
    cleared = next(e for e in ear.events if isinstance(e, Alert) and e.resolved and e.name == "BackOff")
    assert f"{cleared.ended_at:%H:%M}" == "12:03"
    assert {(e.labels["name"], e.group["owner"]) for e in ear.events if isinstance(e, Alert) and e.name == "BackOff"} == {
        ("payments-7d9f8c6b5-x2abc", "payments")
    }


async def test_two_replicas_see_the_same_and_the_inbox_keeps_it_once(database: SqlDatabase, clock: FakeClock) -> None:
    desk, changes, meters = a_desk(database, clock), [], Meters()
    async with Cluster() as cluster:
        watchers = [
            Watching(desk, {"kubernetes": a_watcher(cluster)}, {"kubernetes": CONNECTOR}, meters, 100, lambda _: None)
            for _ in "ab"
        ]
        tasks = [asyncio.create_task(w.run()) for w in watchers]
        await until(lambda: cluster.watching == 8)
        await cluster.put("deployments", a_deployment(revision=2, state="busy", tag="v43"))
        await cluster.put("deployments", a_deployment(revision=2, tag="v43"))
        await until(lambda: meters.watched.labels("kubernetes", "duplicate")._value.get() == 2)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    told = Told(alerts=lambda *_: None, changes=lambda _tx, found, _desk: changes.extend(found))
    assert await Drain(desk, {"kubernetes": CONNECTOR}, told).once() == 2
    assert [(c.version, c.status.value) for c in changes] == [("v43", "running"), ("v43", "succeeded")]


async def test_a_watcher_that_fails_is_started_again(
    database: SqlDatabase, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        starts = 0

        async def watch(self, told: object) -> None:
            self.starts += 1
            raise ValueError("a vendor's bug")

        def trouble(self) -> str:
            return ""

    broken = Broken()
    watching = Watching(a_desk(database, clock), {"broken": broken}, {}, Meters(), 10, lambda _: None, pause=0.01)
    task = asyncio.create_task(watching.run())
    await until(lambda: broken.starts >= 3)
    (probe,) = watching.probes().values()
    assert await probe() == "it breaks off (ValueError); see the log"
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert "a vendor's bug" in caplog.text


async def test_the_wrong_token_is_said_with_what_to_do(caplog: pytest.LogCaptureFixture) -> None:
    async with Cluster() as cluster:
        own = KubernetesSettings(url=cluster.url, token=SecretStr("wrong-token"))
        watcher = KubernetesWatcher("kubernetes", own, lambda: NOW, first_pause=0.01)
        assert watcher.trouble() == ""
        async with watched(watcher, Ear()):
            await until(lambda: bool(caplog.messages))
            assert "401 (its service account may not list and watch this)" in watcher.trouble()
    assert "401 (its service account may not list and watch this)" in caplog.text
    assert "wrong-token" not in caplog.text


@pytest.mark.parametrize(
    "body", [b"{}", b"[]", b"{", b'{"rollout": 1}', b'{"rollout": {"kind": "Deployment"}}', b'{"warning": {"kind": ""}}']
)
def test_what_no_watcher_told_is_refused(body: bytes) -> None:
    with pytest.raises(BadPayload):
        READER.parse(Delivery("kubernetes", {}, body, NOW))


def test_nothing_comes_by_http() -> None:
    with pytest.raises(BadSignature):
        READER.verify(Delivery("kubernetes", {}, json.dumps({}).encode(), NOW), ["x"])
