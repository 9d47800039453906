"""Every kind of chart becomes a PNG that a phone can show, whatever its texts hold."""

import struct
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from bot.charts import draw, look
from bot.charts.map import _rows
from bot.domain.chart import (
    Bar,
    Chart,
    Column,
    GrowthChart,
    HistoryChart,
    Line,
    MapChart,
    Mark,
    MetricChart,
    Rate,
    Row,
    ServicesChart,
    TimelineChart,
)

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
POINTS = tuple((NOON + timedelta(minutes=n), float(n % 7)) for n in range(40))
HOSTILE = "$\\frac{1}{0}$ \\undefined <b>x</b> \x00 数据库 " + "y" * 300
MARKS = (Mark(NOON + timedelta(minutes=5), "deploy", HOSTILE, True), Mark(NOON + timedelta(minutes=6), "onset", "began"))
CHARTS: tuple[Chart, ...] = (
    MetricChart(HOSTILE, "alt", "%", (Line(HOSTILE, POINTS), Line("b", POINTS)), MARKS, 1.0),
    MetricChart("flat", "alt", "", (Line("a", ((NOON, 0.0), (NOON, 0.0))),)),
    MetricChart("sentinels", "alt", "", (Line("a", ((NOON, 1.7e308), (NOON + timedelta(minutes=1), -1.7e308))),), (), 1.7e308),
    TimelineChart(HOSTILE, "alt", (Bar(HOSTILE, NOON, 3.0), Bar("b", NOON, 0.0, HOSTILE)), MARKS),
    GrowthChart(HOSTILE, "alt", (Rate("a", HOSTILE, 0, 10_000_000, True), Rate("", "b", 3, 3, False))),
    HistoryChart(HOSTILE, "alt", (Column(HOSTILE, 10_000, 3), *(Column(f"{n} Oct", 0, n) for n in range(20)))),
    HistoryChart("nothing", "alt", ()),
    ServicesChart(HOSTILE, "alt", tuple(Row(HOSTILE, n * 1000, n, HOSTILE) for n in range(12))),
    MapChart(HOSTILE, "alt", (("a", "b"), ("b", "a"), ("c", HOSTILE), ("d", "d")), {"a": "failing", "c": "external"}),
)


@pytest.mark.parametrize("chart", CHARTS, ids=[f"{type(c).__name__}-{n}" for n, c in enumerate(CHARTS)])
def test_a_chart_is_a_png_of_a_phones_width(chart: Chart) -> None:
    png = draw(chart)
    width, height = struct.unpack(">II", png[16:24])
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    assert width == 1080
    assert 200 < height < 2400
    assert len(png) < 400_000


@pytest.mark.parametrize("seconds", [3, 20, 59, 100, 119, 150, 3_000, 6_500, 7_100, 20_000, 80_000, 170_000])
def test_an_axis_of_time_has_marks_however_long_it_is(seconds: int) -> None:
    points = tuple((NOON + timedelta(seconds=seconds * n / 20), float(n)) for n in range(21))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(MetricChart("a", "alt", "", (Line("a", points),)))


def test_a_caller_stands_above_what_it_calls_and_right_above_it_where_nobody_calls_it() -> None:
    calls = (("web", "orders"), ("orders", "billing"), ("admin", "billing"), ("billing", "cardco"))
    rows = _rows(MapChart("", "", calls, {"billing": "failing", "orders": "affected"}))
    assert rows == [["web"], ["orders", "admin"], ["billing"], ["cardco"]]


def test_a_row_of_too_many_is_several_and_leaves_nobody_out() -> None:
    names = [f"caller-{n}" for n in range(8)]
    rows = _rows(MapChart("", "", tuple((name, "billing") for name in names), {"billing": "failing"}))
    assert [len(row) for row in rows] == [2, 3, 3, 1]
    assert {name for row in rows for name in row} == {*names, "billing"}


def drawn_figure(chart: Chart, room: str, monkeypatch: pytest.MonkeyPatch) -> Figure:
    kept: list[Figure] = []

    def png(figure: Figure) -> bytes:
        kept.append(figure)
        return b""

    monkeypatch.setattr(f"bot.charts.{room}.png", png)
    draw(chart)
    kept[0].draw_without_rendering()
    return kept[0]


def test_the_boxes_of_a_crowded_map_stand_apart_and_on_the_sheet(monkeypatch: pytest.MonkeyPatch) -> None:
    callers = ("checkout-frontend", "subscription-billing", "refundservicewithoutdashes", "mobile-api-gateway", "admin-console")
    calls = (*((c, "payments-gateway") for c in callers), ("payments-gateway", "risk-scoring-service"))
    chart = MapChart("Around", "alt", calls, {"payments-gateway": "failing", "checkout-frontend": "affected"})
    figure = drawn_figure(chart, "map", monkeypatch)
    boxes = [t.get_bbox_patch() for t in figure.axes[0].texts if isinstance(t, Annotation) and t.get_text()]
    found = [box.get_window_extent() for box in boxes if box is not None]
    assert len(found) == 7
    assert all(figure.bbox.x0 <= b.x0 and b.x1 <= figure.bbox.x1 for b in found)
    assert not [1 for n, one in enumerate(found) for other in found[n + 1 :] if Bbox.intersection(one, other)]


def test_the_words_of_what_happened_stand_above_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tuple(Mark(NOON + timedelta(minutes=20 + n), "deploy", f"payments v{n}") for n in range(4))
    figure = drawn_figure(MetricChart("errors", "alt", "%", (Line("a", POINTS),), found), "metric", monkeypatch)
    axes = figure.axes[0]
    highest = axes.transData.transform((0, 6.0))[1]
    words = [t for t in axes.texts if t.get_text().startswith("payments")]
    assert len(words) == 4
    assert all(t.get_window_extent().y0 > highest for t in words)
    assert max(axes.get_yticks()) <= 7


def test_a_long_title_takes_two_lines_and_is_not_cut_at_the_edge() -> None:
    with look.sheet(3.0) as (figure, _):
        look.heading(figure, "checkout-frontend: request latency p99 seconds to mmmmmmmmmmmm")
        figure.draw_without_rendering()
        assert figure.get_suptitle().count("\n") == 1
        assert figure._suptitle.get_window_extent().x1 < figure.bbox.x1  # type: ignore[attr-defined]  # no public way
