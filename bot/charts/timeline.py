"""The suspects: when each shipped, what speaks for it, and who is out and why."""

from bot.charts.look import BAD, FAINT, GRID, INK, NORMAL, SHEET, SMALL, heading, png, sheet, shortened
from bot.charts.metric import marks, number, time_axis
from bot.domain.chart import TimelineChart

MOST = 8
_CLEAR = {"facecolor": SHEET + "d0", "edgecolor": "none", "pad": 0.5}  # words stay legible where a line crosses them


def draw(chart: TimelineChart) -> bytes:
    """The timeline as a PNG: a row a change, the most suspected one on top."""
    rows = sorted(chart.bars, key=lambda bar: (bool(bar.ruled_out), -bar.points))[:MOST]
    with sheet(1.9 + 0.62 * len(rows)) as (figure, axes):
        heading(figure, chart.title)
        top = max((bar.points for bar in rows), default=0.0)
        times = [number(bar.at) for bar in rows] + [number(mark.at) for mark in chart.marks]
        span = max(max(times) - min(times), 5 / 1440)
        axes.set_xlim(min(times) - 0.06 * span, max(times) + 0.75 * span)
        axes.set_ylim(len(rows) - 0.4, -1.4)
        axes.set_yticks([])
        axes.grid(visible=False)
        for row, bar in enumerate(rows):
            out = bool(bar.ruled_out)
            colour = FAINT if out else BAD if bar.points == top and top > 0 else INK
            axes.axhline(row, color=GRID, linewidth=0.8, zorder=0)
            axes.plot(
                [number(bar.at)],
                [row],
                marker="o",
                markersize=9 if out else 13,
                color=colour,
                fillstyle="none" if out else "full",
            )
            said = f"out: {bar.ruled_out}" if out else f"{bar.points:.1f} points"
            axes.annotate(
                shortened(bar.label, 32), (number(bar.at), row), xytext=(14, 9), textcoords="offset points", va="center",
                fontsize=NORMAL, color=colour, bbox=_CLEAR,
            )  # fmt: skip
            axes.annotate(
                shortened(said, 36), (number(bar.at), row), xytext=(14, -11), textcoords="offset points", va="center",
                fontsize=SMALL, color=FAINT, bbox=_CLEAR,
            )  # fmt: skip
        time_axis(axes)
        marks(axes, chart.marks)
        return png(figure)
