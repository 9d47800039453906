"""Somebody asked to see something: a chart of numbers, or the map around the failing part."""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from bot.domain.chart import Chart, DrawnSet, Mark
from bot.domain.evidence import Diagnosis
from bot.domain.incident import Incident
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.domain.view import ChartsView, NoteView, Place
from bot.errors import NotAllowed
from bot.flows.announce import post_once, want
from bot.flows.charting.incident import hand_over
from bot.flows.desk import Desk
from bot.investigation.answers import Answer, quote
from bot.investigation.charts import map_chart, series_chart
from bot.investigation.gather import read_sources, stitch
from bot.investigation.wording import clock, listed
from bot.ports import Transaction
from bot.signals.direction import bad_direction, bag, counts_traffic, words
from bot.signals.figures import figure, name_of

MOST_SERVICES, MOST_CHARTS = 5, 2
_MAP = re.compile(r"(?i)\b(map|topology|who calls|dependenc\w+)\b")
_MEANT = {  # words of people, and the words of metrics that they mean
    "error": "error errors failure failures failed 5xx 500 exceptions",
    "slow": "latency duration seconds p95 p99 ms wait response time",
    "traffic": "requests request qps rps calls throughput",
    "memory": "memory rss heap working set bytes oom",
    "cpu": "cpu throttled load",
    "disk": "disk filesystem volume",
    "queue": "queue lag backlog depth pending",
    "connections": "pool connections connection active idle",
}
_PLAIN = bag(  # words of a question that name nothing
    "a about again all also an and are at be between by can chart charts could day days diagram did do does draw "
    "during for from give graph graphs had has have high higher hour hours how i if in incident is it its just last "
    "let like look low lower me metric metrics min minute minutes month more much my new now number numbers of on "
    "or our over per picture please plot rate rates ratio recent s see service services share show since some still "
    "tell than that the their them then there these they this time to tocsin today too trend under until up us use "
    "used value values versus vs was we week were what when which while with would yesterday you your"
)


async def chart_asked(
    text: str, services: Sequence[str], incident: Incident | None, diagnosis: Diagnosis | None, desk: Desk
) -> Answer:
    """A chart with the words that say what it shows, or an honest no and what would be needed."""
    wanted = tuple(services) or (incident.services if incident else ())
    if _MAP.search(text):
        drawn = _map(incident, diagnosis, desk, wanted)
        return Answer(f"{drawn.alt}.", charts=(drawn,)) if drawn else Answer(NO_MAP)
    if not wanted:
        return Answer("I do not know of which service. Name one, such as “chart the errors of checkout”.")
    if not desk.number_sources:
        return Answer(
            "I do not know: no source of numbers is connected. Prometheus is the usual one: docs/connectors/prometheus.md"
        )
    window = Window(desk.clock() - desk.limits.window, desk.clock())
    seconds = desk.limits.gather.total_seconds()
    readings = stitch(await read_sources(desk.number_sources, wanted[:MOST_SERVICES], window, window.end, seconds))
    return await _charted(text, wanted, readings, window, desk)


async def _charted(text: str, wanted: Sequence[str], readings: Sequence[Readings], window: Window, desk: Desk) -> Answer:
    asked = [(i, r) for i, r in enumerate((r for r in readings if r.series), 1)]
    chosen = fitting(text, [s for _, r in asked for s in r.series])
    evidence: list[tuple[str, str, str]] = []
    lines: list[str] = []
    made: list[Chart] = []
    marks = await desk.db.read(lambda tx: _shipped(tx, wanted, window, desk))
    for series in chosen[:MOST_CHARTS]:
        chart = series_chart(series, marks)
        if chart is None:
            continue
        read = next(r for _, r in asked if series[0] in r.series)
        id = f"E{len(evidence) + 1}"
        evidence.append((id, f"{read.source}: {read.query}", read.link))
        made.append(chart)
        lines += [f"- {quote(s.service)}: {name_of(s.metric)} {figure(s.points[-1][1], s.metric)} now [{id}]" for s in series[:5]]
    if made and (unknown := _unknown(text, wanted, readings, desk)):
        names = listed([f"“{quote(w, 40)}”" for w in unknown[:3]])
        lines.insert(
            0, f"I know neither a metric nor a service called {names}. This is of {listed([quote(w) for w in wanted[:3]])}:"
        )
    if made:
        return Answer("\n".join(lines), tuple(evidence), charts=tuple(made))
    return Answer(_nothing(wanted, readings))


def _unknown(text: str, wanted: Sequence[str], readings: Sequence[Readings], desk: Desk) -> list[str]:
    """The words of a question that name no metric, nothing that metrics mean, and no service."""
    named = [name for s in wanted for name in (s, *desk.catalogue().get(s).aliases)]
    named += [s.metric for r in readings for s in r.series]
    known = (
        {w for name in named for w in words(name)} | {w for key, meant in _MEANT.items() for w in (key, *meant.split())} | _PLAIN
    )
    return [w for w in dict.fromkeys(words(text)) if not w.isdecimal() and not {w, f"{w}s", w.removesuffix("s")} & known]


def _nothing(wanted: Sequence[str], readings: Sequence[Readings]) -> str:
    """What nobody could draw, why, and what would be needed."""
    states = {
        SourceStatus.FAILED: "did not answer",
        SourceStatus.NO_DATA: "has no data for",
        SourceStatus.OK: "has no such numbers for",
    }
    silent = [f"{r.source} {states[r.status]} {quote(r.query)}" for r in readings[:3]]
    needed = f"Needed: a metric of {listed(list(wanted))} that says so, found by its labels or named in services.yaml."
    return f"I do not know: {'; '.join(silent) or 'no source has such numbers'}. {needed} See docs/connectors/prometheus.md"


def fitting(text: str, series: Sequence[Series]) -> list[list[Series]]:
    """The series whose names say what the text asks for, by metric, the best first; errors and latency where it asks for none."""
    said = set(words(text))
    means = {w for key, meant in _MEANT.items() if said & {key, f"{key}s", *meant.split()} for w in meant.split()} | said
    by_metric: dict[str, list[Series]] = defaultdict(list)
    for one in series:
        if len(one.points) > 1:
            by_metric[one.metric].append(one)
    asked = {m: len(set(words(m)) & means) for m in by_metric}
    if not any(asked.values()):
        asked = {m: 1 + bool({"error", "errors", "p99", "latency"} & set(words(m))) for m in by_metric if bad_direction(m) > 0}
    if {"traffic", "requests", "calls"} & said:
        asked = {m: n + counts_traffic(m) for m, n in asked.items()}
    ranked = sorted((m for m, n in asked.items() if n), key=lambda m: (-asked[m], len(words(m)), m))
    best = [m for m in ranked if asked[m] == asked[ranked[0]]]
    return [by_metric[m] for m in best]


async def show_charts(answer: Answer, id: str, place: Place, desk: Desk) -> Answer:
    """The charts stand in the thread once; the answer says so where the chat takes none."""
    try:
        drawn = await hand_over(answer.charts, f"asked-{id[-8:]}", desk)
    except NotAllowed:
        said = "The chart cannot be shown: the bot may hand over no files here (scope files:write)."
        return replace(answer, markdown=f"{answer.markdown}\n{said}")
    await post_once(f"asked:{id}", place, ChartsView("what you asked for", drawn), desk)
    return answer


NO_MAP = (
    "I know of no neighbours to draw: services.yaml says who depends on whom, and traces or service-graph metrics teach it "
    "(docs/topology.md)."
)


async def map_incident(incident: Incident, desk: Desk) -> NoteView:
    """The map around the failing part stands in the incident's thread, edited in place when it is asked for again."""

    drawn = _map(incident, await desk.db.read(lambda tx: desk.diagnoses.latest(tx, incident.id)), desk)
    if drawn is None:
        return NoteView(NO_MAP)
    try:
        kept = DrawnSet(await hand_over([drawn], incident.key, desk), drawn.alt)
    except NotAllowed as error:
        return NoteView(f"The map cannot be shown: {error} In words: {drawn.alt}.")

    def keep(tx: Transaction) -> bool:
        desk.charts.put(tx, f"{incident.id}:map", kept, desk.clock())
        want(tx, f"map:{incident.id}", desk)
        return desk.cards.get(tx, f"card:{incident.id}") is not None

    shown = await desk.db.write(keep)
    return NoteView(
        f"The map stands in the thread of {incident.key}." if shown else f"{incident.key} has no card yet. {drawn.alt}."
    )


def _map(incident: Incident | None, diagnosis: Diagnosis | None, desk: Desk, services: Sequence[str] = ()) -> Chart | None:
    catalogue = desk.catalogue()
    first = diagnosis.first_service if diagnosis else incident.service if incident else ""
    centre = catalogue.get(next(iter(services), "") or first).name
    hurt = {*(incident.services if incident else ()), *(diagnosis.blast_radius if diagnosis else ())}
    outside = catalogue.external
    return map_chart(catalogue.whole, centre, hurt, outside, failing=centre in {first, *hurt} and incident is not None)


def _shipped(tx: Transaction, services: Sequence[str], window: Window, desk: Desk) -> tuple[Mark, ...]:
    changes = desk.changes.between(tx, window.start, window.end)
    mine = [c for c in changes if c.shipped and set(c.services) & set(services)][-4:]
    return tuple(Mark(c.at, "deploy", f"{c.services[0]} {c.version}".strip() + f" {clock(c.at)}") for c in mine)
