"""Log lines that are new or have grown: a pair of bars each, before and during."""

from bot.charts.look import BAD, FAINT, INK, NORMAL, SMALL, WARN, heading, png, sheet, shortened
from bot.domain.chart import GrowthChart

MOST = 6


def draw(chart: GrowthChart) -> bytes:
    """The bars as a PNG, the loudest on top; lengths are on a scale of powers, so that 3 beside 3,000 is still seen."""
    rates = chart.rates[:MOST]
    with sheet(1.5 + 0.95 * max(len(rates), 1)) as (figure, axes):
        heading(figure, chart.title)
        axes.set_xscale("symlog", linthresh=1)
        axes.set_ylim(len(rates) - 0.4, -0.45)
        axes.set_yticks([])
        axes.grid(visible=False)
        most = max((max(r.before, r.during) for r in rates), default=1)
        axes.set_xlim(0, most * 4 + 1)
        for row, rate in enumerate(rates):
            axes.barh(row + 0.12, rate.during, height=0.24, color=BAD if rate.new else WARN)
            axes.barh(row + 0.36, rate.before, height=0.16, color=FAINT)
            said = f"{rate.service}: {rate.text}" if rate.service else rate.text
            axes.annotate(
                shortened(said, 50),
                (0, row - 0.2),
                xytext=(2, 0),
                textcoords="offset points",
                fontsize=NORMAL,
                va="center",
                color=INK,
            )
            counted = f"{rate.during:,} × new" if rate.new else f"{rate.during:,} ×, before {rate.before:,}"
            axes.annotate(
                counted, (max(rate.during, 0.2), row + 0.16), xytext=(8, 0), textcoords="offset points", va="center",
                fontsize=SMALL, color=BAD if rate.new else WARN,
            )  # fmt: skip
        axes.xaxis.set_visible(False)
        axes.spines["bottom"].set_visible(False)
        return png(figure)
