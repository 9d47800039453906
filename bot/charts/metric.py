"""Numbers over time: what they usually are, when it began to hurt, who shipped, when the alert came."""

from datetime import datetime

from matplotlib.axes import Axes
from matplotlib.dates import SECONDLY, AutoDateLocator, DateFormatter, date2num

from bot.charts.look import BAD, FAINT, INK, LINES, SMALL, WARN, heading, png, sheet, shortened
from bot.domain.chart import Mark, MetricChart

MOST_LINES = 5
SHORT = 6 / 1440  # of a day
ROW = 0.1  # of the chart's height, for a row of words
BEYOND = 1e100  # "no value" as some programs write it; an axis cannot hold it
_STYLES = {"onset": (BAD, "--"), "alert": (WARN, "-"), "deploy": (FAINT, ":")}


def draw(chart: MetricChart) -> bytes:
    """The chart as a PNG."""
    with sheet(3.9 + 0.25 * max(0, len(chart.marks) - 3)) as (figure, axes):
        heading(figure, chart.title)
        for line, colour in zip(chart.lines[:MOST_LINES], LINES, strict=False):
            points = [(number(at), v) for at, v in line.points if abs(v) < BEYOND]
            axes.plot(
                [at for at, _ in points], [v for _, v in points], color=colour, linewidth=2.2, label=shortened(line.name, 26)
            )
        if chart.usual is not None and abs(chart.usual) < BEYOND:
            axes.axhline(chart.usual, color=FAINT, linewidth=1.2, linestyle=(0, (6, 4)))
            axes.annotate(
                "usual",
                (1, chart.usual),
                xycoords=("axes fraction", "data"),
                fontsize=SMALL,
                color=FAINT,
                va="bottom",
                ha="right",
            )
        axes.margins(x=0.01)
        time_axis(axes)
        axes.set_ylim(bottom=min([0.0, *(v for line in chart.lines for _, v in line.points if abs(v) < BEYOND)]))
        if chart.unit:
            axes.set_ylabel(chart.unit)
        _make_room(axes, marks(axes, chart.marks))
        if len(chart.lines) > 1:
            axes.legend(loc="upper left", bbox_to_anchor=(0, -0.1), ncols=2, frameon=False, fontsize=SMALL, borderaxespad=0.0)
        return png(figure)


def _make_room(axes: Axes, rows: int) -> None:
    """The words of so many rows stand above the numbers, not on them; the axis has no marks up there."""
    low, high = axes.get_ylim()
    axes.set_yticks([tick for tick in axes.get_yticks() if low <= tick <= high])
    axes.set_ylim(top=low + (high - low) / (1 - ROW * min(rows, 6)))


def number(at: datetime) -> float:
    """A moment as matplotlib counts it."""
    return float(date2num(at))  # type: ignore[no-untyped-call]  # matplotlib's dates have no types


def time_axis(axes: Axes) -> None:
    """Hours and minutes, UTC, said once; seconds too where the axis is that short."""
    left, right = axes.get_xlim()
    short = right - left < SHORT
    locator = AutoDateLocator(minticks=2, maxticks=4 if short else 5)  # type: ignore[no-untyped-call]  # as above
    locator.intervald[SECONDLY] = [1, 5, 10, 15, 30, 60]  # two minutes in few ticks
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(DateFormatter("%H:%M:%S" if short else "%H:%M"))  # type: ignore[no-untyped-call]  # as above
    axes.set_xlabel("UTC", loc="right", fontsize=SMALL, color=FAINT)


def marks(axes: Axes, given: tuple[Mark, ...]) -> int:
    """What happened, as lines across; their words stand above each other where they would collide: in how many rows."""
    left, right = axes.get_xlim()
    shown = sorted((m for m in given if left <= number(m.at) <= right), key=lambda m: m.at)
    ends: list[float] = []  # of the last word in each row, as a share of the width
    for mark in shown:
        colour, style = _STYLES.get(mark.kind, (FAINT, ":"))
        colour = BAD if mark.loud else colour
        at = number(mark.at)
        axes.axvline(at, color=colour, linewidth=2.4 if mark.loud else 1.6, linestyle=style)
        words = shortened(mark.label, 22)
        share, width = (at - left) / (right - left), 0.0245 * len(words)
        begins = share - width if share + width > 1 else share
        row = next((n for n, end in enumerate(ends) if end <= begins), len(ends))
        ends[row : row + 1] = [begins + width]
        axes.annotate(
            words, (at, 1), xycoords=("data", "axes fraction"), xytext=(-4 if begins < share else 4, -16 - 19 * row),
            textcoords="offset points", ha="right" if begins < share else "left", fontsize=SMALL,
            color=colour if mark.kind != "deploy" or mark.loud else INK,
            bbox={"facecolor": "#1d212bd0", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    return len(ends)
