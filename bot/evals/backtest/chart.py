"""A backtest as a picture: firings and cards per day, the noisiest rules."""

from pathlib import Path

from bot.evals.backtest.figures import Outlook


def draw(told: Outlook, file: Path) -> None:
    """Write the picture; the suffix of `file` (.png, .svg, .pdf) says in which format. Raises ValueError for another one."""
    from matplotlib.figure import Figure  # slow to load, and needed for nothing else

    figure = Figure(figsize=(11, 8), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=(3, 4))
    days = [day for day, *_ in told.per_day]
    above.bar(days, [n for _, n, _, _ in told.per_day], color="#c9ced6", label="firings")
    above.bar(days, [n for _, _, n, _ in told.per_day], color="#7a9cc6", width=0.5, label="held")
    above.bar(days, [n for _, _, _, n in told.per_day], color="#c0392b", width=0.25, label="cards")
    above.set_ylabel("per day")
    above.legend(loc="upper left", ncols=3, frameon=False)
    above.set_title(
        f"{told.firings:,} firings in {told.days:.0f} days would have been {told.cards:,} cards; {told.held:,} held, "
        f"{told.held_criticals} of them critical",
        loc="left",
    )
    worst = told.rules[:20][::-1]
    names = [f"{rule.name[:40]}" for rule in worst]
    below.barh(names, [rule.firings for rule in worst], color="#c9ced6", label="firings")
    below.barh(names, [rule.held for rule in worst], color="#7a9cc6", height=0.5, label="held")
    below.barh(names, [rule.cards for rule in worst], color="#c0392b", height=0.25, label="cards")
    below.set_xlabel("the noisiest rules: firings")
    below.tick_params(axis="y", labelsize=8)
    for axes in (above, below):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(file, dpi=110)
