"""Deployments by week and by service: what was fine below, what failed on top, hatched so that colour is not needed to see it."""

from matplotlib.axes import Axes
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from bot.charts.look import BAD, FAINT, INK, LINES, NORMAL, SHEET, SMALL, heading, png, sheet, shortened
from bot.domain.chart import HistoryChart, ServicesChart

FINE, HATCH = LINES[0], "////"
MOST_COLUMNS, MOST_ROWS = 12, 8
ROOM = 1.35  # of the tallest column, so that the numbers above it and the key have a place


def history(chart: HistoryChart) -> bytes:
    """The columns as a PNG; above each its number, and how many of them failed."""
    columns = chart.columns[-MOST_COLUMNS:]
    places = range(len(columns))
    with sheet(3.6) as (figure, axes):
        heading(figure, chart.title)
        axes.bar(places, [c.fine for c in columns], width=0.62, color=FINE)
        axes.bar(
            places, [c.failed for c in columns], width=0.62, bottom=[c.fine for c in columns],
            color=BAD, hatch=HATCH, edgecolor=SHEET, linewidth=0,
        )  # fmt: skip
        most = max((c.fine + c.failed for c in columns), default=0)
        axes.set_ylim(0, max(most * ROOM, 1))
        axes.set_xlim(-0.6, len(columns) - 0.4)
        for n, column in enumerate(columns):
            _number(axes, n, column.fine, column.failed)
        axes.set_xticks(list(places), [shortened(c.label, 8) for c in columns], fontsize=SMALL - 1)
        axes.tick_params(axis="x", length=0)
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4, integer=True))
        axes.tick_params(axis="y", length=0, labelsize=SMALL)
        _key(axes)
        return png(figure)


def _number(axes: Axes, place: int, fine: int, failed: int) -> None:
    said = f"{fine + failed}" + (f"\n{failed} failed" if failed else "")
    axes.annotate(
        said, (place, fine + failed), xytext=(0, 4), textcoords="offset points", ha="center", va="bottom",
        fontsize=SMALL if failed else NORMAL, color=BAD if failed else INK if fine else FAINT, linespacing=1.05,
    )  # fmt: skip


def _key(axes: Axes) -> None:
    """What the two colours say."""
    parts = [Patch(facecolor=FINE, label="fine"), Patch(facecolor=BAD, edgecolor=SHEET, hatch=HATCH, label="failed")]
    axes.legend(
        handles=parts,
        loc="upper right",
        ncols=2,
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
        borderaxespad=0.0,
        handlelength=1.4,
    )


def services(chart: ServicesChart) -> bytes:
    """The bars as a PNG, the busiest service on top, its name above and its other figures below the bar."""
    rows = chart.rows[:MOST_ROWS]
    with sheet(1.3 + 0.95 * max(len(rows), 1)) as (figure, axes):
        heading(figure, chart.title)
        axes.set_ylim(len(rows) - 0.35, -0.5)
        axes.set_yticks([])
        axes.grid(visible=False)
        most = max((r.fine + r.failed for r in rows), default=0)
        axes.set_xlim(0, max(most, 1) * 1.5)
        for n, row in enumerate(rows):
            axes.barh(n, row.fine, height=0.28, color=FINE)
            axes.barh(n, row.failed, left=row.fine, height=0.28, color=BAD, hatch=HATCH, edgecolor=SHEET, linewidth=0)
            counted = f"{row.fine + row.failed}" + (f", {row.failed} failed" if row.failed else "")
            for text, place, size, colour in (
                (shortened(row.label, 40), (0, n - 0.3), NORMAL, INK),
                (shortened(row.said, 58), (0, n + 0.28), SMALL, FAINT),
            ):
                axes.annotate(text, place, xytext=(2, 0), textcoords="offset points", va="center", fontsize=size, color=colour)
            axes.annotate(
                counted, (row.fine + row.failed, n), xytext=(8, 0), textcoords="offset points", va="center",
                fontsize=SMALL, color=BAD if row.failed else INK,
            )  # fmt: skip
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        return png(figure)
