"""The PromQL of a runbook is found where it stands, and nothing else is taken for it."""

import pytest

from bot.knowledge.promql import metrics, queries

BLOCK = """
```promql
# the share of errors
sum by (service) (rate(http_requests_total{code=~"5.."}[5m]))
  / sum by (service) (rate(http_requests_total[5m])) > 0.05

histogram_quantile(0.95,
  sum by (le) (rate(latency_seconds_bucket[5m]))
)
up == 0
```
"""


def texts(markdown: str) -> list[str]:
    return [" ".join(q.text.split()) for q in queries(markdown)]


def test_a_block_holds_one_query_a_statement_however_many_lines_it_takes() -> None:
    assert texts(BLOCK) == [
        'sum by (service) (rate(http_requests_total{code=~"5.."}[5m])) / sum by (service) (rate(http_requests_total[5m])) > 0.05',
        "histogram_quantile(0.95, sum by (le) (rate(latency_seconds_bucket[5m])) )",
        "up == 0",
    ]


@pytest.mark.parametrize(
    "markdown",
    [
        "Look at `rate(errors_total[5m])`.",
        'Look at `errors_total{service="cart"}`.',
        "```\nmax_over_time(queue_depth[1h])\n```",
        "```yaml\n- alert: Errors\n  expr: rate(errors_total[5m]) > 1\n```",
    ],
)
def test_what_cannot_be_anything_else_is_a_query(markdown: str) -> None:
    assert len(queries(markdown)) == 1


@pytest.mark.parametrize(
    "markdown",
    [
        "Run `kubectl get pods -n shop`, then `sum(x)` and `up`.",
        "```bash\nkubectl logs deploy/cart | grep rate(\n```",
        "```\ncurl -s localhost:9090/metrics | grep 'x{a=\"b\"}'\n```",
        '```\nqueue_size{name="a"} 0\n```',
        "```promql\nIf the rate is high, restart the pods\n```",
        "```go\nfoo(bar[5m])\n```",
        "rate(errors_total[5m]) in plain words",
    ],
)
def test_commands_samples_and_prose_are_none(markdown: str) -> None:
    assert queries(markdown) == ()


@pytest.mark.parametrize(
    ("written", "asked"),
    [
        ('rate(x{service="$service"}[$__rate_interval])', 'rate(x{service=~".+"}[5m])'),
        ('rate(x{a="b", ns="<namespace>"}[5m])', 'rate(x{a="b", ns=~".+"}[5m])'),
        ("rate(x{pod='{{ $labels.pod }}'}[${__range}])", 'rate(x{pod=~".+"}[1h])'),
        ('rate(x{pod=~"$pod"}[5m]) # here', 'rate(x{pod=~".+"}[5m]) # here'),
    ],
)
def test_a_label_that_waits_for_a_value_matches_any(written: str, asked: str) -> None:
    assert queries(f"```promql\n{written}\n```")[0].runnable == asked


def test_a_placeholder_elsewhere_is_left_to_people_with_the_reason() -> None:
    found = queries("```promql\nrate(<metric>[5m])\n```")[0]
    assert (found.runnable, found.why) == ("", "it holds the placeholder <metric>")


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("a / on(instance) group_left(b) c", ("a", "c")),
        ('sum by (x) (rate(a:b{c="d"}[5m])) > 0.5 and d < 1e3', ("a:b", "d")),
        ('{__name__="a", b="c"}', ("a",)),
        ("topk(5, a offset 1h) unless b", ("a", "b")),
        ("absent(up{job='x'}) or vector(0)", ("up",)),
        ("count_values('v', build) > bool 1", ("build",)),
    ],
)
def test_metrics_are_told_from_functions_labels_and_numbers(query: str, names: tuple[str, ...]) -> None:
    assert metrics(query) == names


def test_a_hostile_page_costs_little() -> None:
    hostile = [
        "`" * 3 + "promql\n" + "(" * 100_000,
        "```promql\n" + "(\n" * 50_000,
        "`a{" * 50_000,
        '```promql\n"' + "\\" * 60_000,
    ]
    assert all(len(queries(page)) <= 60 for page in hostile)
