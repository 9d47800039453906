"""Charts of a case: the metric that hurts, the suspects, what the logs say, who is near; each with its words."""

from dataclasses import replace

from bot.domain.chart import GrowthChart, MapChart, Mark, MetricChart, TimelineChart
from bot.domain.service import ServiceGraph
from bot.domain.telemetry import Edge
from bot.investigation.case import Case
from bot.investigation.charts import charts, map_chart, series_chart, unit_of
from bot.investigation.diagnose import diagnose
from bot.investigation.picture import paint
from bot.signals.figures import figure
from tests.investigation.cases import GRAPH, alert, at, case, edit, logs, rises, series, shipped

RETRIES = edit("orders/settings.json", '"retries": 2', '"retries": 9')
STORY = case(
    alerts=[alert("orders", 26)],
    changes=[shipped("a", "orders", 20, RETRIES), shipped("b", "stock", 5, edit("stock/a.md", "x", "y"), version="v7")],
    numbers=[series("orders", "http_request_error_ratio", rises(0.01, 0.4, 22), 40)],
    lines=logs("orders", "retry {n} of billing token=ghp_0123456789abcdefABCDEF0123456789abcd", range(22, 38)),
)


def drawn(story: Case) -> dict[type, object]:
    return {type(c): c for c in charts(story, paint(story), diagnose(story))}


def test_the_metric_that_hurts_has_onset_alert_and_deployments() -> None:
    chart = drawn(STORY)[MetricChart]
    assert isinstance(chart, MetricChart)
    assert (chart.title, chart.unit) == ("orders: request error ratio", "%")
    assert 35 < max(v for _, v in chart.lines[0].points) < 45
    assert {m.kind for m in chart.marks} == {"onset", "alert", "deploy"}
    assert chart.usual is not None
    assert 0.5 < chart.usual < 1.5
    assert "the alert came 09:00" in chart.alt


def test_suspects_and_those_who_are_out_stand_on_one_timeline() -> None:
    chart = drawn(STORY)[TimelineChart]
    assert isinstance(chart, TimelineChart)
    assert len(chart.bars) == 2
    assert any(bar.ruled_out for bar in chart.bars)
    assert "stock v7" in chart.alt


def test_log_lines_are_shown_without_their_secrets() -> None:
    chart = drawn(STORY)[GrowthChart]
    assert isinstance(chart, GrowthChart)
    assert chart.rates[0].new
    assert "ghp_" not in chart.alt + chart.rates[0].text


def test_the_map_shows_one_hop_and_says_what_calls_cost() -> None:
    edges = [Edge(at(t), "web", "orders", 5.0, 0.0, 900.0 if t >= 20 else 100.0) for t in range(0, 40, 5)]
    chart = map_chart(GRAPH, "orders", ["orders", "web"], ["cardco"], edges, at(20))
    assert isinstance(chart, MapChart)
    assert chart.states == {"billing": "", "orders": "failing", "stock": "", "web": "affected"}
    assert ("web", "orders") in chart.calls
    assert chart.notes == {("web", "orders"): "900 ms, was 100"}
    assert chart.alt == "orders is failing; web suffers; called by web; calls billing and stock"


def test_a_service_without_neighbours_has_no_map() -> None:
    assert map_chart(ServiceGraph(), "orders", [], []) is None


def test_a_case_without_telemetry_has_no_charts_of_it() -> None:
    bare = replace(STORY, readings=(), changes=STORY.changes[:1])
    assert set(drawn(bare)) <= {MapChart}


def test_series_are_charted_as_asked_for() -> None:
    chart = series_chart([series("orders", "latency_seconds_p99", rises(0.2, 2.0, 20), 40)])
    assert chart is not None
    assert chart.unit == "s"
    assert chart.title == "orders: latency p99"
    assert "now, between" in chart.alt
    assert series_chart([]) is None
    shipped_too = series_chart(
        [series("orders", "latency_seconds_p99", rises(0.2, 2.0, 20), 40)], [Mark(at(5), "deploy", "v7 08:39")]
    )
    assert shipped_too is not None
    assert shipped_too.alt.endswith("; shipped: v7 08:39")


def test_a_map_of_more_neighbours_than_can_be_drawn_says_so() -> None:
    crowd = ServiceGraph({**{f"caller-{n:02}": ("payments",) for n in range(12)}, "payments": ("caller-00",)})
    chart = map_chart(crowd, "payments", ["caller-11"], [])
    assert chart is not None
    assert chart.title == "Around payments, 8 of 12 neighbours"
    assert "caller-11" in chart.states
    assert chart.alt.endswith("; 4 more neighbours are not drawn")


def test_units_are_read_from_the_name() -> None:
    assert unit_of("memory_rss_bytes", 1e9) == ("MiB", 1 / 2**20)
    assert unit_of("memory_rss_bytes", 24e9) == ("GiB", 1 / 2**30)
    assert figure(24 * 2**30, "memory_rss_bytes") == "24 GiB"
    assert unit_of("error_ratio", 0.2) == ("%", 100.0)
    assert unit_of("cpu_pct", 90) == ("%", 1.0)
    assert unit_of("http_requests_total_per_second", 9) == ("per second", 1.0)
