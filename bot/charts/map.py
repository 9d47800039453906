"""One hop around the failing part: whoever calls stands above what is called."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from bot.charts.look import BAD, FAINT, GRID, INK, NORMAL, SHEET, SMALL, WARN, heading, png, sheet, shortened
from bot.domain.chart import MapChart

MOST_IN_A_ROW = 5
_COLOURS = {"failing": BAD, "affected": WARN}
_WORDS = {"failing": "failing", "affected": "affected", "external": "outside"}


def draw(chart: MapChart) -> bytes:
    """The map as a PNG."""
    rows = _rows(chart)
    with sheet(1.3 + 1.35 * len(rows)) as (figure, axes):
        heading(axes, chart.title)
        axes.set_axis_off()
        axes.set_xlim(0, 1)
        axes.set_ylim(0.5 - len(rows), 0.5)
        places = {name: ((x + 0.5) / len(names), -y) for y, names in enumerate(rows) for x, name in enumerate(names)}
        for caller, callee in chart.calls:
            if caller in places and callee in places:
                _arrow(axes, places, caller, callee, chart)
        for name, place in places.items():
            _box(axes, place, name, chart.states.get(name, ""))
        return png(figure)


def _box(axes: Axes, place: tuple[float, float], name: str, state: str) -> None:
    loud = _COLOURS.get(state)
    axes.annotate(
        shortened(name, 18) + (f"\n{_WORDS[state]}" if state in _WORDS else ""),
        place,
        ha="center",
        va="center",
        fontsize=NORMAL,
        color=SHEET if loud else INK,
        fontweight="bold" if state == "failing" else "normal",
        zorder=3,
        bbox={
            "boxstyle": "round,pad=0.4",
            "facecolor": loud or "#2a3040",
            "edgecolor": loud or (FAINT if state == "external" else GRID),
            "linewidth": 1.6,
            "linestyle": "--" if state == "external" else "-",
        },
    )


def _arrow(axes: Axes, places: Mapping[str, tuple[float, float]], caller: str, callee: str, chart: MapChart) -> None:
    bad = {chart.states.get(caller), chart.states.get(callee)} <= {"failing", "affected"}
    start, end = places[caller], places[callee]
    arrow = {
        "arrowstyle": "-|>",
        "color": BAD if bad else FAINT,
        "linewidth": 2.4 if bad else 1.4,
        "shrinkA": 28,
        "shrinkB": 30,
        "mutation_scale": 18,
    }
    axes.annotate("", xy=end, xytext=start, zorder=1, arrowprops=arrow)
    note = chart.notes.get((caller, callee), "")
    if note:
        axes.annotate(
            shortened(note, 30),
            ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2),
            ha="center",
            va="center",
            fontsize=SMALL,
            color=INK,
            zorder=2,
            bbox={"facecolor": SHEET, "edgecolor": "none", "pad": 1.5},
        )


def _rows(chart: MapChart) -> Sequence[Sequence[str]]:
    """The services in rows: each as low as its callers ask for, and right above what it calls if nobody calls it."""
    names = list(dict.fromkeys([*chart.states, *(name for call in chart.calls for name in call)]))
    depth = dict.fromkeys(names, 0)
    for _ in names:  # longest ways; a circle ends with the rounds
        for caller, callee in chart.calls:
            if caller != callee and depth[callee] <= depth[caller] < len(names) - 1:
                depth[callee] = depth[caller] + 1
    called = {callee for _, callee in chart.calls}
    for name in names:
        below = [depth[callee] for caller, callee in chart.calls if caller == name and callee != name]
        if name not in called and below:
            depth[name] = max(min(below) - 1, 0)
    rows: dict[int, list[str]] = defaultdict(list)
    for name in names:
        rows[depth[name]].append(name)
    return [sorted(rows[n], key=lambda s: (not chart.states.get(s), s))[:MOST_IN_A_ROW] for n in sorted(rows)]
