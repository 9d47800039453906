"""How our charts look: one dark sheet that is legible in light and dark mode, letters for a phone held at arm's length."""

import io
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure

SHEET, INK, FAINT, GRID = "#1d212b", "#eef1f6", "#a3adbd", "#343b49"
LINES = ("#6cb6ff", "#ffb454", "#7ee0a2", "#d2a8ff", "#ff9bb3")
GOOD, BAD, WARN = "#7ee0a2", "#ff6b6b", "#ffb454"
WIDTH, DPI = 5.4, 200
SMALL, NORMAL, LARGE = 11, 13, 15
ACROSS = 36  # large bold letters that fit beside each other
_ASIAN = ("Noto Sans CJK SC", "Noto Sans CJK JP", "WenQuanYi Micro Hei", "PingFang SC", "Microsoft YaHei", "Arial Unicode MS")


@contextmanager
def sheet(height: float) -> Iterator[tuple[Figure, Axes]]:
    """An empty sheet of this height in inches; text on it is text, never markup."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    rules: Any = {
        "text.parse_math": False,  # a "$" from a log line is a dollar
        "font.family": ["DejaVu Sans", *(name for name in _ASIAN if name in installed)],
        "font.size": NORMAL,
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.edgecolor": GRID,
        "axes.facecolor": SHEET,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
    }
    with mpl.rc_context(rules):
        figure = Figure(figsize=(WIDTH, height), dpi=DPI, facecolor=SHEET, layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.grid(axis="y", color=GRID, linewidth=0.8)
        axes.set_axisbelow(True)
        yield figure, axes


def heading(figure: Figure, text: str) -> None:
    """The title, on the left, where reading begins; a long one takes two lines of the sheet's whole width."""
    lines = textwrap.wrap(shortened(text, 2 * ACROSS), ACROSS)[:2]
    figure.suptitle("\n".join(lines), x=0.02, ha="left", fontsize=LARGE, fontweight="bold", color=INK)


def png(figure: Figure) -> bytes:
    """The sheet as a file."""
    out = io.BytesIO()
    with _any_letter():
        figure.savefig(out, format="png", facecolor=SHEET)
    return out.getvalue()


def lay_out(figure: Figure) -> None:
    """Everything on the sheet has its place and size from now on."""
    with _any_letter():
        figure.draw_without_rendering()


@contextmanager
def _any_letter() -> Iterator[None]:
    """A letter that no font has is drawn as a box; the words beside the chart have it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        yield


def shortened(text: str, most: int) -> str:
    """One line of at most so many characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"
