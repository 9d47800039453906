"""One hop around the failing part: whoever calls stands above what is called."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.text import Annotation

from bot.charts.look import BAD, FAINT, GRID, INK, NORMAL, SHEET, SMALL, WARN, heading, lay_out, png, sheet, shortened
from bot.domain.chart import MapChart

MOST_IN_A_ROW = 3  # boxes of names that are legible on a phone; more stand in further rows
LONGEST_LINE = 13  # letters of a name; it is broken where its parts end
_COLOURS = {"failing": BAD, "affected": WARN}
_WORDS = {"failing": "failing", "affected": "affected", "external": "outside"}
_Places = Mapping[str, tuple[float, float]]


def draw(chart: MapChart) -> bytes:
    """The map as a PNG."""
    rows = _rows(chart)
    with sheet(0.9 + 1.3 * len(rows)) as (figure, axes):
        heading(figure, chart.title)
        axes.set_axis_off()
        axes.set_xlim(0, 1)
        axes.set_ylim(0.5 - len(rows), 0.5)
        places = {name: ((x + 0.5) / len(names), -y) for y, names in enumerate(rows) for x, name in enumerate(names)}
        boxes = {name: _box(axes, place, name, chart.states.get(name, "")) for name, place in places.items()}
        lay_out(figure)  # arrows end at the boxes
        for caller, callee in chart.calls:
            if caller in places and callee in places:
                _arrow(axes, places, boxes, caller, callee, chart)
        return png(figure)


def _box(axes: Axes, place: tuple[float, float], name: str, state: str) -> Annotation:
    loud = _COLOURS.get(state)
    return axes.annotate(
        _lines(name) + (f"\n{_WORDS[state]}" if state in _WORDS else ""),
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


def _lines(name: str) -> str:
    """A name on two lines at most, broken behind one of its parts: "payments-" and "gateway"."""
    name = shortened(name, 2 * LONGEST_LINE)
    if len(name) <= LONGEST_LINE:
        return name
    ends = [m.end() for m in re.finditer(r"[-_./:]", name) if m.end() <= LONGEST_LINE]
    end = ends[-1] if ends and len(name) - ends[-1] <= LONGEST_LINE + 2 else LONGEST_LINE
    return f"{name[:end]}\n{shortened(name[end:], LONGEST_LINE + 2)}"


def _arrow(axes: Axes, places: _Places, boxes: Mapping[str, Annotation], caller: str, callee: str, chart: MapChart) -> None:
    bad = {chart.states.get(caller), chart.states.get(callee)} <= {"failing", "affected"}
    start, end = places[caller], places[callee]
    over = abs(start[1] - end[1]) != 1 and abs(start[0] - end[0]) < 0.1  # it would run through what stands between
    arrow = {
        "arrowstyle": "-|>",
        "color": BAD if bad else FAINT,
        "linewidth": 2.4 if bad else 1.4,
        "patchA": boxes[caller].get_bbox_patch(),
        "patchB": boxes[callee].get_bbox_patch(),
        "shrinkA": 2,
        "shrinkB": 3,
        "mutation_scale": 18,
        "connectionstyle": "arc3,rad=0.45" if over else "arc3",
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
    ranked = [sorted(rows[n], key=lambda s: (not chart.states.get(s), s)) for n in sorted(rows)]
    return [part for row in ranked for part in _parts(row)]


def _parts(row: Sequence[str]) -> Sequence[Sequence[str]]:
    """A row of too many boxes as several of about the same length: nobody is left out."""
    count = -(-len(row) // MOST_IN_A_ROW)
    return [row[len(row) * n // count : len(row) * (n + 1) // count] for n in range(count)]
