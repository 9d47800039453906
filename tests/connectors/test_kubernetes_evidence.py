"""Kubernetes as evidence: what happened to a service's pods, asked of an API server over real HTTP; failures are readings."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from pydantic import SecretStr

from bot.domain.payload import Node
from bot.domain.telemetry import Readings, SourceStatus, Window
from connectors.kubernetes.api import KubernetesSettings
from connectors.kubernetes.evidence import KubernetesEvidence
from connectors.kubernetes.pods import of_rollout

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(hours=1), NOON)
SECRET = "cluster-token-s3cret"
Object = dict[str, Any]


def a_pod(name: str = "payments-7d9-x2", label: str = "app.kubernetes.io/name", service: str = "payments") -> Object:
    killed = {"reason": "OOMKilled", "exitCode": 137, "finishedAt": "2026-11-22T11:50:00Z"}
    backs_off = {"reason": "CrashLoopBackOff", "message": "back-off 40s restarting failed container"}
    return {
        "metadata": {"name": name, "namespace": "shop", "labels": {label: service}},
        "spec": {
            "nodeName": "node-1",
            "containers": [
                {"name": "app", "env": [{"name": "P", "value": SECRET}], "resources": {"limits": {"memory": "128Mi"}}}
            ],
        },
        "status": {
            "startTime": "2026-11-22T11:40:00Z",
            "conditions": [{"type": "Ready", "status": "False", "lastTransitionTime": "2026-11-22T11:51:00Z"}],
            "containerStatuses": [
                {"name": "app", "restartCount": 6, "state": {"waiting": backs_off}, "lastState": {"terminated": killed}}
            ],
        },
    }


def a_replica_set(revision: int, memory: str, at: str) -> Object:
    container = {"name": "app", "image": "registry/payments:v42", "resources": {"limits": {"memory": memory}}}
    return {
        "metadata": {
            "name": f"payments-{revision}",
            "labels": {"app.kubernetes.io/name": "payments"},
            "ownerReferences": [{"kind": "Deployment", "name": "payments"}],
            "annotations": {"deployment.kubernetes.io/revision": str(revision)},
            "creationTimestamp": at,
        },
        "spec": {"template": {"spec": {"containers": [container]}}},
    }


def a_probe_warning() -> Object:
    return {
        "type": "Warning",
        "reason": "Unhealthy",
        "message": "Readiness probe failed: HTTP 503",
        "count": 12,
        "involvedObject": {"kind": "Pod", "name": "payments-7d9-x2"},
        "firstTimestamp": "2026-11-22T11:49:00Z",
        "lastTimestamp": "2026-11-22T11:59:00Z",
    }


PRESSED = {
    "metadata": {"name": "node-1"},
    "status": {
        "conditions": [
            {"type": "MemoryPressure", "status": "True", "message": "low", "lastTransitionTime": "2026-11-22T11:48:00Z"},
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-01T11:48:00Z"},
        ]
    },
}
ESTATE: dict[str, list[Object]] = {
    "pods": [a_pod(), a_pod("web-1", "app", "web")],
    "replicasets": [a_replica_set(3, "512Mi", "2026-11-20T11:00:00Z"), a_replica_set(4, "128Mi", "2026-11-22T11:40:00Z")],
    "events": [a_probe_warning(), {**a_probe_warning(), "involvedObject": {"kind": "Pod", "name": "strange"}}],
}


@asynccontextmanager
async def serving(answer: Callable[[web.Request], web.StreamResponse]) -> AsyncIterator[KubernetesEvidence]:
    async def handle(request: web.Request) -> web.StreamResponse:
        return answer(request)

    app = web.Application()
    app.router.add_get("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield KubernetesEvidence(KubernetesSettings(url=url, token=SecretStr(SECRET)), seconds=2)
    finally:
        await runner.cleanup()


def estate(request: web.Request) -> web.StreamResponse:
    assert request.headers["authorization"] == f"Bearer {SECRET}"
    plural = request.path.rpartition("/")[2]
    if plural == "node-1":
        return web.json_response(PRESSED)
    label, _, values = request.query.get("labelSelector", "").partition(" in ")
    wanted = values.strip("()").split(",")
    items = [o for o in ESTATE[plural] if not label or o["metadata"]["labels"].get(label) in wanted]
    return web.json_response({"items": items})


def of(readings: tuple[Readings, ...], service: str) -> dict[str, str]:
    """What happened, by reason."""
    return {h.reason: h.text for r in readings for h in r.happenings if h.service == service}


async def test_kills_loops_probes_limits_and_nodes_of_a_service_are_told() -> None:
    async with serving(estate) as source:
        readings = await source.read(("payments", "web", "search"), WINDOW)
    assert [r.status for r in readings] == [SourceStatus.OK, SourceStatus.OK, SourceStatus.NO_DATA]
    told = of(readings, "payments")
    assert told["OOMKilled"] == "app ended: OOMKilled, exit code 137, 6 restarts, its memory limit is 128Mi"
    assert told["CrashLoopBackOff"] == "app waits: back-off 40s restarting failed container"
    assert told["Unhealthy"] == "Readiness probe failed: HTTP 503"
    assert told["MemoryPressure"] == "node node-1: low"
    assert told["Rollout"] == "revision 4: app memory limit 512Mi → 128Mi"
    [rollout] = [h for h in readings[0].happenings if h.reason == "Rollout"]
    assert not rollout.bad
    assert rollout.at == NOON - timedelta(minutes=20)
    assert "OOMKilled" in of(readings, "web")
    assert SECRET not in repr(readings)


async def test_what_happened_outside_the_window_is_left_out() -> None:
    async with serving(estate) as source:
        [reading] = await source.read(("payments",), Window(NOON - timedelta(hours=3), NOON - timedelta(hours=2)))
    assert reading.status is SourceStatus.OK
    assert reading.happenings == ()


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (lambda _: web.json_response({"kind": "Status"}, status=401), "401"),
        (lambda _: web.json_response({"kind": "Status"}, status=403), "may not list"),
        (lambda _: web.Response(status=500, text=SECRET), "500"),
        (lambda _: web.Response(status=429), "429"),
        (lambda _: web.Response(text="<html>"), "not JSON"),
        (lambda _: web.Response(text="[" * 100_000), "not JSON"),
        (lambda _: web.json_response([]), "object"),
        (lambda _: web.json_response({"hello": 1}), "items"),
    ],
)
async def test_a_failure_is_a_reading_with_its_reason(answer: Callable[[web.Request], web.StreamResponse], says: str) -> None:
    async with serving(answer) as source:
        [one, two] = await source.read(("payments", 'o"d}'), WINDOW)
    assert {one.status, two.status} == {SourceStatus.FAILED}
    assert says in one.reason
    assert SECRET not in repr((one, two))


async def test_an_api_server_that_is_not_there_is_said() -> None:
    source = KubernetesEvidence(KubernetesSettings(url="http://127.0.0.1:9"), seconds=2)
    [reading] = await source.read(("payments",), WINDOW)
    assert (reading.status, "cannot be reached" in reading.reason) == (SourceStatus.FAILED, True)
    assert await source.read((), WINDOW) == ()


async def test_without_any_configuration_that_is_said() -> None:
    [reading] = await KubernetesEvidence(KubernetesSettings()).read(("payments",), WINDOW)
    assert "no way to reach the API server" in reading.reason


def test_a_revision_that_is_no_number_is_no_rollout() -> None:
    odd = [a_replica_set(n, memory, "2026-05-04T09:00:00Z") for n, memory in ((3, "1Gi"), (4, "2Gi"))]
    for one, revision in zip(odd, ("²", "9" * 5000), strict=True):
        one["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = revision
    assert list(of_rollout([Node(one) for one in odd], "payments")) == []


async def test_nobody_leads_us_elsewhere() -> None:
    asked: list[str] = []

    def elsewhere(request: web.Request) -> web.StreamResponse:
        asked.append(request.path)
        return web.Response(status=302, headers={"location": "/elsewhere"})

    async with serving(elsewhere) as source:
        [reading] = await source.read(("payments",), WINDOW)
    assert (reading.status, "sends us to another address" in reading.reason) == (SourceStatus.FAILED, True)
    assert "/elsewhere" not in asked
