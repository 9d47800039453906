"""Which service did it: what its callees do not explain of a rise is a service's own."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.domain.service import ServiceGraph
from bot.domain.telemetry import Edge, Readings, Series, SourceStatus, Window
from bot.investigation.case import Case
from bot.investigation.diagnose import diagnose
from bot.investigation.nodes.measures import Measure, measure_of
from bot.investigation.nodes.of_case import clear_first, sentence
from bot.investigation.nodes.ranking import Blame, rank_nodes
from bot.investigation.nodes.rises import see
from tests.investigation.cases import GRAPH, alert, at, rises, series

Row = tuple[str, str, Sequence[float]]
USUAL = (1.0, 1.2, 0.9, 1.1, 1.0, 0.8, 1.0, 1.1)


def measured(service: str, metric: str, values: Sequence[float], start: float = 600.0, **labels: str) -> Series:
    """One value a minute."""
    return Series(service, metric, tuple((at(start + 60 * n), v) for n, v in enumerate(values)), labels)


def usual(service: str, metric: str, level: float, **labels: str) -> Series:
    """Eight quiet minutes around a level."""
    return measured(service, metric, [level * v for v in USUAL], 0.0, **labels)


def ranked(
    usually: Sequence[tuple[str, str, float]],
    during: Sequence[Row],
    about: Measure | None = Measure.LATENCY,
    alerting: Sequence[str] = ("web",),
) -> tuple[Blame, ...]:
    """The ranking for the bookshop's graph."""
    sight = see([usual(*row) for row in usually], [measured(*row) for row in during])
    return rank_nodes(sight, GRAPH, alerting, about)


LEVELS = [(s, "latency_p99_ms", 10.0) for s in ("web", "orders", "billing", "stock", "db")]
CALLS: list[Row] = [("web", "calls", [100.0] * 4), ("orders", "calls", [100.0] * 4), ("billing", "calls", [20.0] * 4)]


def test_a_service_whose_callee_explains_its_rise_is_not_to_blame() -> None:
    found = ranked(
        LEVELS,
        [
            ("web", "latency_p99_ms", [10, 250, 250, 10]),
            ("orders", "latency_p99_ms", [10, 245, 245, 10]),
            ("stock", "latency_p99_ms", [10, 20, 20, 10]),
            *CALLS,
        ],
    )
    assert found[0].service == "orders"
    assert clear_first(found) == "orders"
    assert sentence(found[0]).startswith("orders: latency p99 rose by 235 ms, its callees explain 10 ms of it")


def test_a_leaf_that_is_hardly_called_is_not_to_blame_however_loud_it_is() -> None:
    rows: list[Row] = [("web", "latency_p99_ms", [10, 90, 90]), ("billing", "latency_p99_ms", [10, 110, 110]), *CALLS]
    rows += [("orders", "latency_p99_ms", [10, 85, 85])]
    assert ranked(LEVELS, rows)[0].service == "orders"


def test_what_rose_while_nobody_suffered_is_not_to_blame() -> None:
    rows: list[Row] = [("web", "latency_p99_ms", [10, 10, 200, 200]), ("orders", "latency_p99_ms", [500, 10, 10, 10]), *CALLS]
    rows += [("stock", "latency_p99_ms", [10, 10, 190, 190]), ("stock", "calls", [100.0] * 4)]
    assert ranked(LEVELS, rows)[0].service == "stock"


def test_a_callee_that_is_called_three_times_explains_three_times_its_rise() -> None:
    rows: list[Row] = [
        ("web", "latency_p99_ms", [10, 310]),
        ("orders", "latency_p99_ms", [10, 310]),
        ("billing", "latency_p99_ms", [10, 110]),
    ]
    rows += [("web", "calls", [100.0] * 2), ("orders", "calls", [100.0] * 2), ("billing", "calls", [300.0] * 2)]
    assert ranked(LEVELS, rows)[0].service == "billing"


@pytest.mark.parametrize("quiet", [100.0, 99.5])
def test_a_fall_of_availability_in_percent_is_found_though_a_quiet_service_has_only_small_values(quiet: float) -> None:
    levels = [(s, "availability", quiet) for s in ("web", "orders")]
    steady = [Series(s, m, tuple((at(60 * n), v) for n in range(8)), {}) for s, m, v in levels]
    sight = see(
        [*steady, measured("db", "availability", [100.0] * 8, 0.0)],
        [
            measured("web", "availability", [quiet, 60, 60]),
            measured("orders", "availability", [quiet, 61, 61]),
            measured("db", "availability", [100.0, 100.0, 100.0]),
        ],
    )
    found = rank_nodes(sight, GRAPH, ("web",), Measure.ERRORS)
    assert found[0].service == "orders"
    assert "availability fell by" in sentence(found[0])


def test_growing_traffic_excuses_processor_use_and_an_unasked_rise_does_not() -> None:
    levels = [("orders", "cpu_pct", 20.0), ("stock", "cpu_pct", 20.0), ("orders", "calls", 100.0), ("stock", "calls", 100.0)]
    rows: list[Row] = [("orders", "cpu_pct", [60, 60]), ("stock", "cpu_pct", [58, 58])]
    rows += [("orders", "calls", [300, 300]), ("stock", "calls", [100, 100])]
    found = ranked(levels, rows, about=None)
    assert found[0].service == "stock"
    assert sentence(found[0]) == "stock: cpu rose by 38 points, the growth of its calls explains nothing of it"


def edges(cart: float, *, ads_too: bool, start: float, minutes: int) -> list[Edge]:
    """Calls of web and ads to cart; each caller's latency as it measures it."""
    found = []
    for n in range(minutes):
        found.append(Edge(at(start + 60 * n), "web", "cart", 50.0, 0.0, cart))
        found.append(Edge(at(start + 60 * n), "ads", "cart", 50.0, 0.0, cart if ads_too else 5.0))
    return found


@pytest.mark.parametrize(("ads_too", "guilty"), [(True, "cart"), (False, "web")])
def test_slow_calls_are_the_callees_network_if_all_callers_see_them_and_the_callers_if_one_does(
    ads_too: bool, guilty: str
) -> None:
    graph = ServiceGraph({"web": ("cart",), "ads": ("cart",)})
    before = [usual(s, "latency_mean_ms", v) for s, v in (("web", 20.0), ("cart", 5.0))]
    during = [measured("web", "latency_mean_ms", [220.0] * 4), measured("cart", "latency_mean_ms", [5.0] * 4)]
    during += [measured("web", "calls", [50.0] * 4), measured("cart", "calls", [100.0] * 4)]
    quiet, slow = edges(5.0, ads_too=True, start=0, minutes=8), edges(205.0, ads_too=ads_too, start=600, minutes=4)
    found = rank_nodes(see(before, during, quiet, slow), graph, ("web",), Measure.LATENCY)
    if guilty == "cart":
        assert found[0].service == "cart"
        assert found[0].score > 0.8
    else:
        assert found[0].service == "web"
        assert found[0].score > 0.4


def test_without_a_baseline_or_without_points_nobody_is_blamed() -> None:
    row = measured("web", "latency_p99_ms", [10, 900])
    for before, during in (([], [row]), ([row], []), ([], [])):
        assert all(b.score == 0 for b in rank_nodes(see(before, during), GRAPH, ("web",), Measure.LATENCY))


def test_a_cycle_of_calls_ends_and_values_that_are_no_numbers_are_left_out() -> None:
    graph = ServiceGraph({"web": ("orders",), "orders": ("web",)})
    during = [measured("web", "latency_p99_ms", [float("nan"), float("inf"), 80.0])]
    found = rank_nodes(see([usual("web", "latency_p99_ms", 10.0)], during), graph, ("web",), Measure.LATENCY)
    assert found[0].service == "web"
    assert 0 < found[0].score <= 1


@pytest.mark.parametrize(
    ("metric", "measure"),
    [
        ("http_server_duration_p99_ms", Measure.LATENCY),
        ("http_request_error_ratio", Measure.ERRORS),
        ("availability", Measure.ERRORS),
        ("container_cpu_utilization", Measure.CPU),
        ("cpu_limit", None),
        ("node_cpu_pct", None),
        ("http_requests_per_second", Measure.CALLS),
        ("heap_used_bytes", None),
    ],
)
def test_a_metrics_name_says_what_it_measures(metric: str, measure: Measure | None) -> None:
    assert measure_of(metric) is measure


def test_without_spans_a_diagnosis_names_whose_own_the_trouble_is_first_and_shows_why() -> None:
    numbers = [
        series("web", "latency_p99_ms", rises(20, 420, 30), 60),
        series("orders", "latency_p99_ms", rises(15, 410, 30), 60),
        series("billing", "latency_p99_ms", rises(5, 18, 30), 60),
    ]
    readings = Readings("prometheus", "q", Window(at(0), at(60)), SourceStatus.OK, series=tuple(numbers))
    told = alert("web", 45, "HighLatency", "web is slow")
    found = diagnose(Case((told,), at(45), at(45) + timedelta(seconds=15), readings=(readings,), graph=GRAPH))
    assert found.first_service == "orders"
    assert any(e.text.startswith("orders: latency p99 rose by") and "its callees explain" in e.text for e in found.evidence)


def test_two_who_are_alike_are_no_clear_first_nor_is_one_who_may_not_be_it() -> None:
    assert clear_first([Blame("a", 0.5), Blame("b", 0.4)]) == ""
    assert clear_first([Blame("a", 0.9), Blame("b", 0.1)], never={"a"}) == ""
    assert clear_first([]) == ""
