"""The metrics of services.yaml: what people write is understood, and what cannot work is refused with its line."""

import pytest

from bot.domain.service import CloudResource, ServiceMetrics
from bot.signals.direction import bad_direction
from bot.topology.catalogue import read_catalogue
from bot.topology.measured import NAMED, unbalanced
from bot.topology.rulefile import BadRules

GOOD = """\
services:
  - name: checkout
    metrics:
      selector: '{app="checkout", env!~"test|dev"}'
      golden:
        errors: sum(rate(orders_failed_total{app="checkout"}[1m])) / sum(rate(orders_total{app="checkout"}[1m]))
        basket_age_seconds: max(basket_age{app="checkout"})
      datadog: [service:checkout, kube_namespace:shop]
      cloudwatch:
        - {namespace: AWS/RDS, dimensions: {DBInstanceIdentifier: checkout-db}}
  - name: cart
"""


def test_the_metrics_of_a_service_are_read() -> None:
    catalogue = read_catalogue(GOOD)
    found = catalogue.get("checkout").metrics
    assert found.selector == '{app="checkout", env!~"test|dev"}'
    assert [name for name, _ in found.golden] == ["error_ratio", "basket_age_seconds"]
    assert found.datadog == ("service:checkout", "kube_namespace:shop")
    assert found.cloudwatch == (CloudResource("AWS/RDS", (("DBInstanceIdentifier", "checkout-db"),)),)
    assert catalogue.get("cart").metrics == catalogue.get("unheard-of").metrics == ServiceMetrics()
    assert len({catalogue.get("checkout"), catalogue.get("cart")}) == 2, "services can be members of sets"


def test_the_four_words_are_classified_by_their_names() -> None:
    assert {word: bad_direction(name) for word, name in NAMED.items()} == {
        "errors": 1,
        "latency": 1,
        "traffic": 0,
        "saturation": 1,
    }


@pytest.mark.parametrize(
    ("metrics", "line", "said"),
    [
        ("selector: 'up{app=\"checkout\"}'", 4, "a selector is matchers in braces"),
        ("selector: '{app=\"checkout\"} or vector(1)'", 4, "a selector is matchers in braces"),
        ("golden:\n        errors: 'sum(rate(x[1m])'", 5, "a ( is never closed"),
        ("golden:\n        errors: ok\n        latency: 'rate(x{a=\"b}[1m])'", 6, 'a " is never closed'),
        ("golden:\n        Bad Name: up", 5, "golden.Bad Name"),
        ("goldne: {}", 4, "did you mean golden?"),
        ("datadog: [checkout]", 4, "service:checkout"),
        ("cloudwatch: [{namespace: AWS/RDS, dimensions: {}}]", 4, "dimensions"),
        ("cloudwatch:\n        - {dimensions: {A: b}}", 5, "namespace is missing"),
    ],
)
def test_what_cannot_work_is_refused_with_its_line(metrics: str, line: int, said: str) -> None:
    with pytest.raises(BadRules) as refused:
        read_catalogue(f"services:\n  - name: checkout\n    metrics:\n      {metrics}\n")
    (fault,) = refused.value.faults
    assert fault.line == line
    assert said in fault.message


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("sum by (le) (rate(x{a=\"}])\", b='('}[5m]))", ""),
        ("a[5m)", "a ) closes nothing"),
        ("}", "a } closes nothing"),
        ("'", "a ' is never closed"),
        ('label_replace(x, "a", "$1", "b", `(`)', ""),
    ],
)
def test_brackets_within_quotes_do_not_count(query: str, fault: str) -> None:
    assert unbalanced(query) == fault
