"""What of a case is better looked at than read: plain charts, each with its words. Pure; `bot.charts` draws them."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from bot.domain.chart import Bar, Chart, GrowthChart, Line, MapChart, Mark, MetricChart, Rate, TimelineChart
from bot.domain.evidence import Candidate, Diagnosis
from bot.domain.service import ServiceGraph
from bot.domain.telemetry import Edge, Series
from bot.investigation.case import Case
from bot.investigation.picture import SUFFERS, Picture, notable
from bot.investigation.vocabulary import kinds_of_metric
from bot.investigation.wording import clock, listed, plain, told
from bot.redact import redact
from bot.signals.direction import is_share, label_suffix, words
from bot.signals.figures import figure, name_of
from bot.signals.onset import Deviation

MOST_DEPLOYS, MOST_BARS, MOST_RATES, MOST_AROUND = 4, 6, 6, 8
FEWEST_POINTS = 8


def charts(case: Case, picture: Picture, diagnosis: Diagnosis) -> tuple[Chart, ...]:
    """The charts of an incident, the most telling first; what there is too little of to be seen is left out."""
    around = map_chart(picture.graph, picture.first, picture.affected, case.external, case.edges, picture.onset)
    drawn = (metric_chart(case, picture, diagnosis), timeline_chart(case, diagnosis), growth_chart(picture), around)
    return tuple(chart for chart in drawn if chart is not None)


def metric_chart(case: Case, picture: Picture, diagnosis: Diagnosis) -> MetricChart | None:
    """The metric that hurts most where it alerts, and the same one where it began."""
    loud = _loudest(case, picture)
    if loud is None:
        return None
    own = _series(case, loud.service, loud)
    first = [s for s in _series(case, picture.first, loud) if picture.first != loud.service]
    found = [s for s in (*own[:1], *first[:1]) if len(s.points) >= FEWEST_POINTS]
    if not found:
        return None
    unit, factor = unit_of(loud.metric, max(abs(v) for s in found for _, v in s.points))
    lines = tuple(Line(s.service, tuple((at, factor * v) for at, v in s.points)) for s in found)
    title = f"{loud.service}: {name_of(loud.metric)}{label_suffix(loud.labels)}"
    began = f"It began {clock(picture.onset, picture.step)}, the alert came {clock(case.alert_at, picture.step)} UTC."
    alt = f"{loud.service}: {told(loud)}; usually {figure(loud.baseline, loud.metric)}. {began} {_shipped(diagnosis)}".strip()
    return MetricChart(
        title=redact(plain(title, 100)),
        alt=redact(alt),
        unit=unit,
        lines=lines,
        marks=(*_deployed(case, diagnosis), *_moments(case, picture)),
        usual=factor * loud.baseline,
    )


def series_chart(series: Sequence[Series], marks: Sequence[Mark] = ()) -> MetricChart | None:
    """Series of one metric as somebody asked to see them; None where there is nothing to see."""
    found = [s for s in series if len(s.points) > 1][:5]
    if not found:
        return None
    metric = found[0].metric
    unit, factor = unit_of(metric, max(abs(v) for s in found for _, v in s.points))
    lines = tuple(
        Line(redact(plain(s.service + label_suffix(s.labels), 60)), tuple((at, factor * v) for at, v in s.points)) for s in found
    )
    said = [f"{s.service}{label_suffix(s.labels)}: {figure(s.points[-1][1], metric)} now, {_span(s)}" for s in found]
    if marks:
        said.append(f"shipped: {listed([m.label for m in marks])}")
    title = f"{listed(list(dict.fromkeys(s.service for s in found)))}: {name_of(metric)}"
    return MetricChart(redact(plain(title, 100)), redact("; ".join(said)), unit, lines, tuple(marks))


def timeline_chart(case: Case, diagnosis: Diagnosis) -> TimelineChart | None:
    """When each suspect shipped, what speaks for it, who is out and why; None where there is nobody to compare."""
    ranked = [c for c in (*diagnosis.suspects, *diagnosis.ruled_out) if c.shipped_at is not None]
    bars = tuple(
        Bar(redact(_named(c)), c.shipped_at, c.score, redact(c.ruled_out)) for c in ranked[:MOST_BARS] if c.shipped_at is not None
    )
    if len(bars) < 2:
        return None
    onset = diagnosis.onset or case.alert_at
    said = [
        f"{bar.label} at {clock(bar.at)}: " + (f"out, {bar.ruled_out}" if bar.ruled_out else f"{bar.points:.1f} points")
        for bar in bars
    ]
    marks = (Mark(onset, "onset", f"began {clock(onset)}"), Mark(case.alert_at, "alert", f"alert {clock(case.alert_at)}"))
    return TimelineChart("What shipped before it", f"It began {clock(onset)} UTC. " + "; ".join(said), bars, marks)


def growth_chart(picture: Picture) -> GrowthChart | None:
    """The log lines that are new or have grown, bad ones first; None where there are none."""
    grown = sorted((g for g in picture.growths if notable(g)), key=lambda g: (not g.negative, not g.new, -g.during))[:MOST_RATES]
    if not grown:
        return None
    rates = tuple(Rate(g.service, redact(plain(g.text, 120)), g.before, g.during, g.new) for g in grown)
    said = [f'{r.service} "{plain(r.text, 80)}" {r.during} times, ' + ("new" if r.new else f"before {r.before}") for r in rates]
    return GrowthChart("Log lines that are new or have grown", "; ".join(said), rates)


def map_chart(
    graph: ServiceGraph,
    centre: str,
    affected: Collection[str],
    external: Collection[str],
    edges: Sequence[Edge] = (),
    onset: datetime | None = None,
    *,
    failing: bool = True,
) -> MapChart | None:
    """One hop around a service, and whatever is affected between; None where it has no neighbours that we know of."""
    near = sorted({*graph.callers(centre), *graph.callees(centre)} - {centre}, key=lambda name: (name not in affected, name))
    kept = {centre, *near[:MOST_AROUND]}
    calls = tuple((a, b) for a in sorted(graph.calls) for b in graph.callees(a) if a in kept and b in kept and a != b)
    if not centre or not calls:
        return None
    states = {
        name: "failing"
        if name == centre and failing
        else "affected"
        if name in affected
        else "external"
        if name in external
        else ""
        for name in sorted(kept)
    }
    callers, callees = (sorted(set(found) & kept) for found in (graph.callers(centre), graph.callees(centre)))
    hurt = sorted(name for name, state in states.items() if state == "affected")
    suffer = "suffers" if len(hurt) == 1 else "suffer"
    told_of = [f"{centre} is failing" if failing else centre, f"{listed(hurt)} {suffer}" if hurt else ""]
    told_of += [f"called by {listed(callers)}" if callers else "", f"calls {listed(callees)}" if callees else ""]
    left = len(near) - MOST_AROUND
    told_of += [f"{left} more neighbours are not drawn"] if left > 0 else []
    return MapChart(
        f"Around {plain(centre, 40)}" + (f", {MOST_AROUND} of {len(near)} neighbours" if left > 0 else ""),
        redact("; ".join(part for part in told_of if part)),
        calls,
        states,
        _notes(edges, set(calls), onset),
    )


def unit_of(metric: str, highest: float) -> tuple[str, float]:
    """The unit to write on an axis, and what values are multiplied by for it."""
    parts = set(words(metric))
    if parts & {"pct", "percent"}:
        return "%", 1.0
    if is_share(metric) and highest <= 1:
        return "%", 100.0
    if "bytes" in parts:
        return ("GiB", 1 / 2**30) if highest >= 10 * 2**30 else ("MiB", 1 / 2**20)
    if "ms" in parts or "milliseconds" in parts:
        return "ms", 1.0
    if "second" in parts and "per" in parts:
        return "per second", 1.0
    return ("s", 1.0) if "seconds" in parts else ("", 1.0)


def _loudest(case: Case, picture: Picture) -> Deviation | None:
    """The deviation that people were alerted of, as far as the numbers tell."""
    bad = [d for d in picture.deviations if d.bad]
    alerting = set(case.services)
    asked = {a.labels.get("metric", "") for a in case.alerts} - {""}

    def telling(d: Deviation) -> tuple[bool, bool, bool, float]:
        hurts = bool(kinds_of_metric(d.metric, rising=d.rising) & SUFFERS)
        return (d.service in alerting and d.metric in asked, d.service in alerting, hurts, abs(d.score))

    return max(bad, key=telling, default=None)


def _series(case: Case, service: str, like: Deviation) -> list[Series]:
    """The series of this metric of a service, the one with the same labels first."""
    found = [s for s in case.series if s.service == service and s.metric == like.metric]
    return sorted(found, key=lambda s: dict(s.labels) != dict(like.labels))


def _deployed(case: Case, diagnosis: Diagnosis) -> tuple[Mark, ...]:
    cause = diagnosis.cause
    blamed = cause.change_id if cause else ""
    shipped = [c for c in case.changes if c.shipped and c.at <= case.now]
    shipped.sort(key=lambda c: (c.id != blamed, -c.at.timestamp()))
    return tuple(
        Mark(c.at, "deploy", redact(plain(f"{next(iter(c.services), '')} {c.version}".strip() or c.title, 40)), c.id == blamed)
        for c in shipped[:MOST_DEPLOYS]
    )


def _moments(case: Case, picture: Picture) -> tuple[Mark, ...]:
    onset = Mark(picture.onset, "onset", f"began {clock(picture.onset)}")
    return onset, Mark(case.alert_at, "alert", f"alert {clock(case.alert_at)}")


def _shipped(diagnosis: Diagnosis) -> str:
    cause = diagnosis.cause
    if cause is None or cause.shipped_at is None:
        return ""
    return f"{cause.service} {cause.version}".strip() + f", the likely cause, shipped {clock(cause.shipped_at)}."


def _named(candidate: Candidate) -> str:
    version = f" {candidate.version}" if candidate.version else ""
    return plain(f"{candidate.service}{version}: {candidate.title}", 60)


def _span(series: Series) -> str:
    values = [v for _, v in series.points]
    return f"between {figure(min(values), series.metric)} and {figure(max(values), series.metric)}"


def _notes(edges: Sequence[Edge], calls: Collection[tuple[str, str]], onset: datetime | None) -> Mapping[tuple[str, str], str]:
    """What the calls on the map cost before and since, where that was measured and changed."""
    notes = {}
    for call in calls if onset else ():
        between = [e for e in edges if (e.caller, e.callee) == call and e.calls > 0]
        before = [e.latency_ms for e in between if onset and e.at < onset]
        since = [e.latency_ms for e in between if onset and e.at >= onset]
        if before and since and sum(since) / len(since) >= 1.5 * sum(before) / len(before):
            notes[call] = f"{sum(since) / len(since):,.0f} ms, was {sum(before) / len(before):,.0f}"
    return notes
