"""How good the anomaly detector is, by the rules of the Numenta Anomaly Benchmark (Lavin and Ahmad, 2015, arXiv:1510.03336).

A detection inside a labelled window earns the more the earlier it comes, a missed window costs, a detection outside costs the
more the further behind the last window it lies; the first 15 % of a series (at most 750 points) are not judged. The sum is put
between the detector that says nothing (0) and the perfect one (100). Threshold and quiet span of each fold are chosen
on the other folds.
"""

import csv
import gzip
import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median

from bot.errors import BadSettings
from bot.evals.rows import Row, read_rows
from bot.signals.novelty import HOUR, Memory, Patience, told

FOLDS = 4
PROBATION, LONGEST_PROBATION = 0.15, 750
STEEP, FAR = 5.0, 3.0  # of the sigmoid; from so many window widths behind a window on a false alarm costs in full
WEEK = 7 * 86400.0
THRESHOLDS = tuple(0.2 * 1.07**n for n in range(61))  # 0.2 to 11.6
QUIETS = tuple(HOUR * n for n in (2, 6, 12, 24))


@dataclass(frozen=True, slots=True)
class Weights:
    """What a profile gives for a window found, and takes for one missed and for a false alarm."""

    found: float
    missed: float
    false: float


PROFILES = {
    "standard": Weights(1.0, 1.0, 0.11),
    "reward_low_FP_rate": Weights(1.0, 1.0, 0.22),
    "reward_low_FN_rate": Weights(1.0, 2.0, 0.11),
}


@dataclass(frozen=True, slots=True)
class Labelled:
    """One series with the score of each point, and the places (first, last) of its windows."""

    name: str
    times: tuple[float, ...]
    scores: tuple[float, ...]
    windows: tuple[tuple[int, int], ...]

    @property
    def judged_from(self) -> int:
        """The first place that is judged."""
        return min(int(PROBATION * len(self.times)), LONGEST_PROBATION)

    def detections(self, patience: Patience) -> list[int]:
        """The places that would be told of, among those that are judged."""
        first = self.judged_from
        return [first + n for n in told(list(zip(self.times[first:], self.scores[first:], strict=True)), patience)]


def run_anomaly(folder: Path, progress: Callable[[str], None]) -> dict[str, object]:
    """The scores of all profiles over the folds, lead times and false warnings per week. Raises BadSettings for unfit data."""
    series = []
    for row in sorted(_rows(folder), key=lambda row: str(row["id"])):
        series.append(_labelled(folder, row))
        progress(f"{len(series):3} {series[-1].name}")
    weights = _profiles(folder)
    settings = [Patience(threshold, quiet) for threshold, quiet in product(THRESHOLDS, QUIETS)]
    found = {patience: [one.detections(patience) for one in series] for patience in settings}
    figures: dict[str, object] = {"series": len(series), "windows": sum(len(one.windows) for one in series)}
    for name, weight in weights.items():
        raw = {p: [raw_score(one, d, weight) for one, d in zip(series, found[p], strict=True)] for p in settings}
        chosen = [max(settings, key=lambda p, k=k: _others(raw[p], k)) for k in range(FOLDS)]  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        mine = [found[chosen[n % FOLDS]][n] for n in range(len(series))]
        figures[name] = round(normal(sum(raw[chosen[n % FOLDS]][n] for n in range(len(series))), series, weight), 2)
        figures |= {f"{name}_{key}": value for key, value in _timing(series, mine).items()}
        figures[f"{name}_chosen"] = [{"threshold": round(p.threshold, 3), "quiet_hours": p.quiet / HOUR} for p in chosen]
    return figures


def raw_score(one: Labelled, detections: Sequence[int], weights: Weights) -> float:
    """What the detections of one series earn and cost, before it is put between nothing and perfection."""
    best: dict[int, float] = {}
    cost = 0.0
    starts = [first for first, _ in one.windows]
    for place in detections:
        window = bisect_right(starts, place) - 1
        if window >= 0 and place <= one.windows[window][1]:
            first, last = one.windows[window]
            earned = falling(-(last - place + 1) / (last - first + 1)) / falling(-1.0)
            best[window] = max(best.get(window, -math.inf), earned * weights.found)
        elif window < 0:
            cost += weights.false
        else:
            first, last = one.windows[window]
            cost -= weights.false * falling((place - last) / max(1, last - first))
    return sum(best.values()) - cost - weights.missed * (len(one.windows) - len(best))


def falling(position: float) -> float:
    """From 1 well before the end of a window through 0 at its end to -1 behind it; `position` is in widths of the window."""
    return -1.0 if position > FAR else 2.0 / (1.0 + math.exp(STEEP * position)) - 1.0


def normal(raw: float, series: Sequence[Labelled], weights: Weights) -> float:
    """Between the detector that says nothing (0) and the one that finds every window at its first point (100)."""
    windows = sum(len(one.windows) for one in series)
    nothing, perfect = -weights.missed * windows, weights.found * windows
    return 100 * (raw - nothing) / (perfect - nothing) if windows else 0.0


def _others(raw: Sequence[float], fold: int) -> float:
    return sum(score for n, score in enumerate(raw) if n % FOLDS != fold)


def _timing(series: Sequence[Labelled], found: Sequence[Sequence[int]]) -> Mapping[str, float]:
    """Windows found, hours from a window's beginning to its detection and from there to its end, false warnings per week."""
    waits, leads, false, weeks = [], [], 0, 0.0
    for one, places in zip(series, found, strict=True):
        weeks += (one.times[-1] - one.times[one.judged_from]) / WEEK
        inside = set()
        for first, last in one.windows:
            mine = [p for p in places if first <= p <= last]
            inside |= set(mine)
            if mine:
                waits.append((one.times[mine[0]] - one.times[first]) / HOUR)
                leads.append((one.times[last] - one.times[mine[0]]) / HOUR)
        false += len(places) - len(inside)
    return {
        "found": len(waits),
        "hours_from_start_p50": round(median(waits), 2) if waits else 0.0,
        "hours_to_end_p50": round(median(leads), 2) if leads else 0.0,
        "false_per_week": round(false / weeks, 3) if weeks else 0.0,
    }


def _rows(folder: Path) -> Iterator[Row]:
    for number, row in read_rows(folder / "series.jsonl"):
        if not ({"id", "file", "windows"} <= row.keys() and isinstance(row["windows"], list)):
            raise BadSettings(f"{folder / 'series.jsonl'}:{number}: expected id, file and windows.")
        yield row


def _labelled(folder: Path, row: Row) -> Labelled:
    path = folder / str(row["file"])
    try:
        with gzip.open(path, "rt", newline="") if path.suffix == ".gz" else path.open(newline="") as lines:
            points = [(float(line["ts"]), float(line["value"])) for line in csv.DictReader(lines)]
        bounds = [(float(a), float(b)) for a, b in row["windows"]]  # type: ignore[attr-defined]  # a list, as _rows saw
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise BadSettings(f"{path}: expected a CSV with ts (s) and value, and windows as [start, end]: {error}.") from error
    if not points:
        raise BadSettings(f"{path} holds no points.")
    times = [at for at, _ in points]
    memory = Memory()
    novels = [memory.meet(at, value) for at, value in points]
    return Labelled(
        str(row["id"]),
        tuple(times),
        tuple(novel.score if novel else 0.0 for novel in novels),
        tuple((bisect_left(times, a), bisect_right(times, b) - 1) for a, b in sorted(bounds)),
    )


def _profiles(folder: Path) -> Mapping[str, Weights]:
    """Those of profiles.json if there is one, else NAB's own three."""
    file = folder / "profiles.json"
    if not file.exists():
        return PROFILES
    try:
        costs = {name: profile["CostMatrix"] for name, profile in json.loads(file.read_text(encoding="utf-8")).items()}
        return {n: Weights(float(c["tpWeight"]), float(c["fnWeight"]), float(c["fpWeight"])) for n, c in costs.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadSettings(f"{file}: expected a CostMatrix with tpWeight, fnWeight and fpWeight for each profile.") from error
