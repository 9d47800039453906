"""How far each service was above its usual, moment by moment, in the bad direction."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from math import isfinite

import numpy as np

from bot.domain.telemetry import Edge, Series
from bot.investigation.nodes.measures import Meaning, Measure, best_statistic, meaning

MOST = 120  # moments that a trouble is cut into
FEWEST = 4  # values that can say how much a measure wobbles by itself
UNSURE = 0.1  # share of the usual value that it is said to wobble where too few values tell
LEAST_SHARE = 0.001  # a share of errors wobbles by this
LEAST = 1e-9  # what never changed may wobble all the same
Key = tuple[str, str]  # service, callee or ""
Name = tuple[str, str, tuple[tuple[str, str], ...]]  # of one series
Group = list[tuple[Series, Meaning]]


@dataclass(frozen=True, slots=True)
class Rise:
    """One measure of a service: its usual value, its wobble, and how far above the usual it was at each moment (>= 0)."""

    service: str
    measure: Measure
    metric: str
    usual: float
    wobble: float
    above: np.ndarray
    peak: float
    unit: str = ""
    share: bool = False
    inverted: bool = False  # the metric is of what went well

    @property
    def loudness(self) -> float:
        """The greatest rise in wobbles."""
        return float(np.max(self.above, initial=0.0)) / self.wobble


@dataclass(frozen=True, slots=True)
class Sight:
    """Normal times and the trouble: rises by measure and service, calls at each moment and at usual times, calls by edge."""

    moments: int
    rises: Mapping[Measure, Mapping[str, Rise]]
    calls: Mapping[str, float]
    usual_calls: Mapping[str, float]
    edge_calls: Mapping[tuple[str, str], float] = field(default_factory=dict)


def see(
    normal: Sequence[Series],
    during: Sequence[Series],
    edges_before: Sequence[Edge] = (),
    edges: Sequence[Edge] = (),
    statistic: str = "",
) -> Sight:
    """The rises of everything that was measured both before and during the trouble."""
    normal, during = (*normal, *_of_edges(edges_before)), (*during, *_of_edges(edges))
    times = sorted(t for s in during for t, _ in s.points)
    if not times:
        return Sight(0, {}, {}, {})
    width = _width(during, times[-1] - times[0])
    clock = _Clock(times[0], width, int((times[-1] - times[0]) / width) + 1)
    groups = _chosen(during, statistic)
    before: dict[Name, list[float]] = {_name(s): [] for group in groups.values() for s, _ in group}
    for s in normal:
        if (known := before.get(_name(s))) is not None:
            known.extend(v for _, v in s.points if isfinite(v))
    counts = {key: _calls(group, clock) for (key, measure), group in groups.items() if measure is Measure.CALLS}
    usual = {key: _usual_calls(group, before) for (key, measure), group in groups.items() if measure is Measure.CALLS}
    rises: dict[Measure, dict[str, list[tuple[Rise, float]]]] = defaultdict(lambda: defaultdict(list))
    for ((service, callee), measure), group in groups.items():
        found = None if measure is Measure.CALLS else _rise(callee or service, group, before, clock)
        if found is not None:
            rises[measure][callee or service].append((found, counts.get((service, callee), 1.0) if callee else 0.0))
    joined = {measure: {name: _joined(found) for name, found in of.items()} for measure, of in rises.items()}
    edge_calls = {key: count for key, count in counts.items() if key[1]}
    return Sight(clock.moments, joined, _received(counts), _received(usual), edge_calls)


@dataclass(frozen=True, slots=True)
class _Clock:
    """The trouble cut into moments."""

    start: datetime
    width: timedelta
    moments: int

    def laid(self, s: Series, scale: float) -> np.ndarray:
        """The mean value of a series at each moment, nan where it has none."""
        sums, counts = np.zeros(self.moments), np.zeros(self.moments)
        for t, v in s.points:
            if isfinite(v):
                at = int((t - self.start) / self.width)
                sums[at] += v * scale
                counts[at] += 1
        laid: np.ndarray = np.divide(sums, counts, out=np.full(self.moments, np.nan), where=counts > 0)
        return laid


def _of_edges(edges: Sequence[Edge]) -> tuple[Series, ...]:
    """What passed between services, as series of the caller."""
    found: dict[Key, list[Edge]] = defaultdict(list)
    for e in edges:
        found[e.caller, e.callee].append(e)
    series = []
    for (caller, callee), rows in found.items():
        labels, busy = {"target": callee}, [e for e in rows if e.calls > 0]
        series.append(Series(caller, "calls", tuple((e.at, e.calls) for e in rows), labels))
        series.append(Series(caller, "latency_mean_ms", tuple((e.at, e.latency_ms) for e in busy), labels))
        series.append(Series(caller, "error_ratio", tuple((e.at, min(1.0, e.errors / e.calls)) for e in busy), labels))
    return tuple(series)


def _width(during: Sequence[Series], span: timedelta) -> timedelta:
    """A moment is as long as the time between the samples of most series, and no more than MOST make the trouble."""
    steps = sorted((s.points[-1][0] - s.points[0][0]) / (len(s.points) - 1) for s in during if len(s.points) > 1)
    return max(steps[len(steps) // 2] if steps else timedelta(minutes=1), span / MOST, timedelta(seconds=1))


def _chosen(during: Sequence[Series], statistic: str) -> dict[tuple[Key, Measure], Group]:
    """For each service (and callee) the series of one metric per measure: comparable with the others', shares before counts."""
    every: dict[tuple[Key, Measure], Group] = defaultdict(list)
    counted: dict[Measure, Counter[str]] = defaultdict(Counter)
    most: dict[str, float] = {}
    for s in during:
        most[s.metric] = max([most.get(s.metric, 0.0), *(v for _, v in s.points if isfinite(v))])
    for s in during:
        m = meaning(s, most[s.metric])
        if m is not None and s.points:
            every[(s.service, m.callee), m.measure].append((s, m))
            counted[m.measure][m.statistic] += 1
    best = {measure: best_statistic(found, statistic) for measure, found in counted.items()}
    for key, group in every.items():
        first = min(
            group, key=lambda one: (one[1].statistic != best[key[1]], bool(one[1].statistic), not one[1].share, one[0].metric)
        )
        every[key] = [one for one in group if (one[0].metric, one[1].statistic) == (first[0].metric, first[1].statistic)]
    return dict(every)


def _name(s: Series) -> Name:
    return s.service, s.metric, tuple(sorted(s.labels.items()))


def _calls(group: Group, clock: _Clock) -> float:
    """Calls at a moment, all series together; a moment without a value had none."""
    return sum(float(np.mean(np.nan_to_num(clock.laid(s, 1.0)))) for s, _ in group)


def _usual_calls(group: Group, before: Mapping[Name, Sequence[float]]) -> float:
    return sum(float(np.median(before[_name(s)])) for s, _ in group if before.get(_name(s)))


def _received(calls: Mapping[Key, float]) -> dict[str, float]:
    """Calls that each service gets: as it counts them itself, else as its callers do."""
    found: dict[str, float] = defaultdict(float)
    for (_, callee), count in calls.items():
        if callee:
            found[callee] += count
    return {**found, **{service: count for (service, callee), count in calls.items() if not callee}}


def _rise(service: str, group: Group, before: Mapping[Name, Sequence[float]], clock: _Clock) -> Rise | None:
    """The rise of one metric of a service: the mean of its series, or of processor use the series that rose most."""
    found = [rise for s, m in group if (rise := _rise_of(service, s, m, before.get(_name(s), ()), clock)) is not None]
    if not found or len(found) == 1 or found[0].measure is Measure.CPU:
        return max(found, key=lambda r: float(np.max(r.above)), default=None)
    loudest = max(found, key=lambda r: r.peak)
    return replace(
        loudest,
        usual=float(np.mean([r.usual for r in found])),
        wobble=float(np.mean([r.wobble for r in found])),
        above=np.mean([r.above for r in found], axis=0),
    )


def _rise_of(service: str, s: Series, m: Meaning, before: Sequence[float], clock: _Clock) -> Rise | None:
    if not before:
        return None
    normal, laid = np.array(before) * m.scale, clock.laid(s, m.scale)
    if m.inverted:
        normal, laid = 1.0 - normal, 1.0 - laid
    usual = float(np.median(normal))
    mad = 1.48 * float(np.median(np.abs(normal - usual)))
    spread = float(np.quantile(normal, 0.9) - np.quantile(normal, 0.1)) / 2.56
    wobble = max(mad, spread) if len(before) >= FEWEST else UNSURE * abs(usual)
    wobble = max(wobble, LEAST_SHARE if m.share else LEAST)
    above = np.maximum(0.0, np.nan_to_num(laid - usual))
    peak = float(laid[int(np.argmax(above))]) if np.any(above) else usual
    return Rise(service, m.measure, s.metric, usual, wobble, above, peak, m.unit, m.share, m.inverted)


def _joined(found: Sequence[tuple[Rise, float]]) -> Rise:
    """What a service says of itself and what its callers see of it, whichever is more; callers by their calls."""
    own = [rise for rise, calls in found if not calls]
    seen = [(rise, calls) for rise, calls in found if calls]
    if not seen:
        return own[0]
    whole = sum(calls for _, calls in seen)
    above = np.sum([rise.above * calls for rise, calls in seen], axis=0) / whole
    agree = np.sum([(rise.above >= above) * calls for rise, calls in seen], axis=0) / whole
    above = above * agree  # what only some callers see is rather theirs
    loudest = max(seen, key=lambda one: float(np.max(one[0].above)))[0]
    outer = replace(loudest, above=above, wobble=sum(rise.wobble * calls for rise, calls in seen) / whole)
    return max([*own, outer], key=lambda r: float(np.max(r.above)))
