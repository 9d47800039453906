"""Who calls whom by the variables of workloads: names alone, no value, nothing that is not in the cluster."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from bot.domain.payload import Node
from bot.domain.telemetry import Window
from bot.errors import NotAllowed, Unavailable
from connectors.kubernetes.api import KubernetesSettings
from connectors.kubernetes.graph import KubernetesEdges, calls_of, of_workload
from tests.connectors.cluster import Cluster

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(minutes=15), NOON)


def workload(name: str, namespace: str = "shop", service: str = "", **variables: str) -> dict[str, Any]:
    env: list[dict[str, Any]] = [{"name": key, "value": value} for key, value in variables.items()]
    env.append({"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}})
    labels = {"app": service} if service else {}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "app", "env": env}]}}
    return {"metadata": {"name": name, "namespace": namespace, "uid": f"{namespace}/{name}"}, "spec": {"template": template}}


def calls(*workloads: dict[str, Any]) -> set[tuple[str, str]]:
    return {(c.caller, c.callee) for c in calls_of([of_workload(Node(w)) for w in workloads])}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("PAYMENTS_URL", "http://payments:8080/v1"),
        ("UPSTREAM", "payments.shop"),
        ("PAYMENTS_HOST", "payments"),
        ("TARGETS", "payments:8080,10.0.0.1:80"),
        ("DATABASE", "postgres://user:hunter2@payments.shop.svc.cluster.local:5432/x"),
        ("JDBC", "jdbc:postgresql://payments/x"),
        ("NODES", "payments-0.payments.shop.svc:5432"),
        ("SERVICE_URL", "https://PAYMENTS"),
    ],
)
def test_an_address_of_another_workload_is_a_call(key: str, value: str) -> None:
    assert calls(workload("checkout", **{key: value}), workload("payments")) == {("checkout", "payments")}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("WORD", "payments"),
        ("PAYMENTS_URL", "https://payments.example.com/v1"),
        ("PAYMENTS_URL", "http://payments.other:8080"),
        ("LOGIN", "http://payments:1234@example.com"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://payments:4317"),
        ("HTTP_PROXY", "http://payments:3128"),
        ("CHECKOUT_URL", "http://checkout:80"),
        ("HOST", "0.0.0.0:8080"),
    ],
)
def test_what_names_no_other_workload_is_none(key: str, value: str) -> None:
    assert calls(workload("checkout", **{key: value}), workload("payments")) == set()


def test_services_are_named_as_everywhere_else_by_their_label() -> None:
    found = calls(workload("checkout-v2", service="checkout", A="http://pay-api:80"), workload("pay-api", service="payments"))
    assert found == {("checkout", "payments")}


def test_no_value_of_a_variable_is_kept() -> None:
    read = of_workload(Node(workload("checkout", DATABASE="postgres://user:hunter2@db:5432/x", KEY="sk_live_1")))
    assert read.hosts == {"db"}
    assert "hunter2" not in repr(read)


@pytest.mark.parametrize("value", [{"name": 1}, {"spec": []}, {"spec": {"template": {"spec": {"containers": [{"env": 3}]}}}}, 7])
def test_a_strange_object_names_nobody(value: object) -> None:
    assert of_workload(Node(value)).hosts == frozenset()


async def test_every_page_of_all_kinds_is_read_from_an_api_server() -> None:
    async with Cluster() as cluster:
        for name in ("web", "checkout", "search"):
            await cluster.put("deployments", workload(name, CHECKOUT_URL="http://checkout:80"))
        await cluster.put("statefulsets", workload("db", CHECKOUT_URL="http://checkout.shop.svc"))
        source = KubernetesEdges(KubernetesSettings(url=cluster.url, token=SecretStr("cluster-token")))
        seen = await source.seen(WINDOW)
        assert [(c.caller, c.callee, c.calls) for c in seen] == [(n, "checkout", 0.0) for n in ("db", "search", "web")]
        with pytest.raises(NotAllowed, match="service account"):
            await KubernetesEdges(KubernetesSettings(url=cluster.url, token=SecretStr("no"))).seen(WINDOW)
        cluster.down = True
        with pytest.raises(Unavailable):
            await source.seen(WINDOW)
