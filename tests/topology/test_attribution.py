"""Whose alert it is when its labels do not name a service that the catalogue knows."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.alert import Alert, Severity, fingerprint
from bot.domain.attribution import ServiceMapping
from bot.domain.service import Catalogue, Service
from bot.domain.vocabulary import service_of
from bot.topology.attribution import Attribution, in_common

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
CATALOGUE = Catalogue(
    {
        s.name: s
        for s in (
            Service("cart", aliases=("basket",), repository="acme/cart"),
            Service("payments", repository="https://github.com/acme/shop.git", paths=("services/payments",)),
            Service("search", repository="acme/shop", paths=("services/search",)),
            Service("shop-web"),
            Service("orders.v2"),
            Service("orders-db"),
        )
    }
)


def alert(**labels: str) -> Alert:
    service, found = service_of(labels)
    return Alert(
        "alertmanager", "PodCrashLooping", service, "production", Severity.SEV2, False, NOW, labels=labels, service_from=found
    )


@pytest.mark.parametrize(
    ("labels", "service", "why"),
    [
        ({"service": "cart"}, "cart", "label service"),
        ({"service": "Cart"}, "cart", "label service, written Cart"),
        ({"app": "orders_v2"}, "orders.v2", "written orders_v2"),
        (
            {"service": "kube-state-metrics", "container": "cart"},
            "cart",
            "label container; label service says kube-state-metrics",
        ),
        ({"job": "kube-state-metrics", "pod": "cart-7d4b9c6f5d-x2x7k"}, "cart", "cart-7d4b9c6f5d-x2x7k belongs to cart"),
        ({"job": "kube-state-metrics", "pod": "basket-zt8wq"}, "cart", "belongs to basket"),
        ({"pod": "orders-db-0"}, "orders-db", "orders-db-0 belongs to orders-db"),
        ({"pod": "cart-28391040-9xk2z"}, "cart", "belongs to cart"),
        ({"job_name": "cart-28391040"}, "cart", "label job_name"),
        ({"replicaset": "cart-7d4b9c6f5d"}, "cart", "label replicaset"),
        ({"namespace": "shop", "pod": "web-7d4b9c6f5d-x2x7k"}, "shop-web", "belongs to shop-web"),
        ({"namespace": "shop", "deployment": "shop-cart"}, "cart", "belongs to cart"),
        ({"deployment": "cart-staging", "env": "staging"}, "cart", "belongs to cart"),
        ({"repository": "https://github.com/Acme/cart.git"}, "cart", "is its repository"),
        ({"repo": "git@github.com:acme/shop", "path": "services/search/main.py"}, "search", "is its repository"),
        ({"image": "ghcr.io/acme/cart:v3@sha256:00ff"}, "cart", "ghcr.io/acme/cart is its image"),
        ({"image": "registry:5000/payments"}, "payments", "is its image"),
    ],
)
def test_a_catalogued_service_is_found_and_the_reason_is_kept(labels: dict[str, str], service: str, why: str) -> None:
    found = Attribution(CATALOGUE).of(alert(**labels))
    assert found.service == service
    assert why in found.service_from


@pytest.mark.parametrize(
    "labels",
    [
        {"service": "billing"},
        {"pod": "billing-7d4b9c6f5d-x2x7k"},
        {"deployment": "cart-http2"},  # a deployment's name has no suffix
        {"pod": "cart-mysql"},  # spells a word, which no suffix of Kubernetes does
        {"repository": "acme/shop"},  # two services live there
        {},
    ],
)
def test_a_name_that_no_catalogue_knows_stays_the_labels_own_word(labels: dict[str, str]) -> None:
    told = alert(**labels)
    assert Attribution(CATALOGUE).of(told) is told


def test_two_services_that_are_spelt_alike_are_not_guessed_between() -> None:
    alike = Catalogue({"a-b": Service("a-b"), "a.b": Service("a.b")})
    assert Attribution(alike).of(alert(service="A_B")).service == "A_B"


def test_what_a_person_said_wins_over_patterns_and_keeps_the_problem_the_same() -> None:
    told = alert(job="kube-state-metrics", namespace="infra", pod="cart-7d4b9c6f5d-x2x7k")
    mapped = Attribution(CATALOGUE, [ServiceMapping("namespace", "infra", "search", "U0ANNA", NOW)]).of(told)
    assert (mapped.service, mapped.called) == ("search", "kube-state-metrics")
    assert "namespace=infra is search" in mapped.service_from
    assert fingerprint(mapped) == fingerprint(told)
    assert (
        Attribution(CATALOGUE, [ServiceMapping("namespace", "infra", "search", "U", NOW)]).of(alert(service="cart")).service
        == "cart"
    )


def test_alerts_may_be_mapped_by_their_word_for_the_service_or_by_their_name() -> None:
    for label, value in (("service", "billing"), ("alertname", "PodCrashLooping")):
        mapped = Attribution(CATALOGUE, [ServiceMapping(label, value, "cart", "U0ANNA", NOW)])
        assert mapped.of(alert(service="billing")).service == "cart"
        assert mapped.of(replace(alert(service="other"), name="Else")).service == "other"


def test_what_alerts_have_in_common_is_their_word_else_a_place_else_their_name() -> None:
    assert in_common(alert(service="billing", namespace="x")) == ("service", "billing")
    assert in_common(alert(instance="10.0.0.7:9100", alertname="x")) == ("instance", "10.0.0.7:9100")
    assert in_common(alert()) == ("alertname", "PodCrashLooping")


@pytest.mark.parametrize(
    ("summary", "service"),
    [
        ("HighErrorRate cart (production critical)", "cart"),
        ("the Basket is slow", "cart"),
        ("cart waits for search", "unknown"),  # two are named
        ("nothing known", "unknown"),
    ],
)
def test_where_words_are_all_there_is_the_one_service_that_they_name_is_it(summary: str, service: str) -> None:
    told = replace(alert(), name="x", summary=summary, called="slack")
    assert Attribution(CATALOGUE).of(told).service == service
    assert Attribution(CATALOGUE).of(replace(told, called="")).service == "unknown"  # with labels words count for nothing
