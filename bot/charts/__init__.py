"""Charts drawn: a plain value in, a PNG out, readable on a phone and on a dark screen.

look       colours, sizes, the empty sheet
metric     numbers over time with what happened meanwhile
timeline   the suspects in the order in which they shipped
growth     log lines that are new or have grown
map        one hop around the failing part
delivery   deployments by week and by service, with those that failed
"""

import threading
from typing import assert_never

from bot.domain.chart import Chart, GrowthChart, HistoryChart, MapChart, MetricChart, ServicesChart, TimelineChart

__all__ = ["draw"]

_ONE_AT_A_TIME = threading.Lock()  # matplotlib keeps fonts and settings for the whole process


def draw(chart: Chart) -> bytes:
    """The chart as a PNG of 1,080 pixels in width. Takes some tenths of a second; call it in a thread."""
    from bot.charts import delivery, growth, map, metric, timeline  # slow: matplotlib

    with _ONE_AT_A_TIME:
        match chart:
            case MetricChart():
                return metric.draw(chart)
            case TimelineChart():
                return timeline.draw(chart)
            case GrowthChart():
                return growth.draw(chart)
            case MapChart():
                return map.draw(chart)
            case HistoryChart():
                return delivery.history(chart)
            case ServicesChart():
                return delivery.services(chart)
            case _:
                assert_never(chart)
