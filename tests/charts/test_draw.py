"""Every kind of chart becomes a PNG that a phone can show, whatever its texts hold."""

import struct
import warnings
from datetime import UTC, datetime, timedelta

import pytest

from bot.charts import draw
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
