"""The signs of trouble: what alerts, metrics, log lines, spans, calls and platforms say, each with its words and its weight."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.evidence import EvidenceKind
from bot.domain.telemetry import Edge, Happening, Series, Span
from bot.investigation.case import Case, parents
from bot.investigation.exhibits import Exhibits
from bot.investigation.vocabulary import Kind, kinds_of_happening, kinds_of_metric, kinds_of_text
from bot.investigation.wording import plain, told
from bot.signals.direction import counts_traffic
from bot.signals.masking import gist
from bot.signals.onset import Deviation
from bot.signals.templates import Growth

GROWN = 3.0  # a template that comes this many times as often has grown
OPEN = timedelta(hours=1)  # a provider's incident that began this long before may still go on
HEAD = 40  # characters of a line that tell it from others of the same service and moment
FIELDS = 2000  # characters of what a structured line says besides its text
TELEMETRY_KINDS = frozenset({EvidenceKind.METRIC, EvidenceKind.LOG, EvidenceKind.TRACE, EvidenceKind.EVENT})
SUFFERS = frozenset({Kind.ERRORS, Kind.LATENCY, Kind.TIMEOUT, Kind.REJECTED, Kind.QUEUE})


@dataclass(frozen=True, slots=True)
class Sign:
    """One sign of trouble: what it says, where, since when, which kinds of trouble it speaks of, how loud it is (0-1)."""

    what: EvidenceKind
    text: str
    source: str
    service: str
    at: datetime | None
    kinds: frozenset[Kind]
    weight: float
    raw: str = ""  # the text whose words are compared with diffs
    query: str = ""
    link: str = ""
    target: str = ""  # whom the service called when it measured this

    @property
    def about(self) -> str:
        """The service that this sign is about: the one that was called, where that is known."""
        return self.target or self.service

    def cite(self, exhibits: Exhibits) -> str:
        """Its evidence id."""
        return exhibits.cite(
            self.what, self.text, self.source, at=self.at, service=self.service, query=self.query, link=self.link
        )


def signs_of(
    case: Case, found: tuple[Deviation, ...], grown: tuple[Growth, ...], first: str, begins: datetime
) -> tuple[Sign, ...]:
    """Every sign of a case whose trouble begins a little after `begins` and seems to come from the service `first`."""
    return (
        *_of_alerts(case),
        *_of_metrics(case, found, first),
        *_of_logs(case, grown, first, begins),
        *_of_spans(case, first, grown),
        *_of_happenings(case, first, begins),
    )


def series_of_edges(edges: Sequence[Edge]) -> tuple[Series, ...]:
    """What was measured between services, as series of the caller with the callee as target."""
    points: dict[tuple[str, str], list[Edge]] = {}
    for edge in edges:
        points.setdefault((edge.caller, edge.callee), []).append(edge)
    found = []
    for (caller, callee), many in points.items():
        named = {"target": callee}
        ratios = tuple((e.at, e.errors / e.calls) for e in many if e.calls > 0)
        found += [
            Series(caller, "outbound_calls_per_second", tuple((e.at, e.calls) for e in many), named),
            Series(caller, "outbound_error_ratio", ratios, named),
            Series(caller, "outbound_latency_ms", tuple((e.at, e.latency_ms) for e in many if e.latency_ms > 0), named),
        ]
    return tuple(found)


def notable(g: Growth) -> bool:
    """The template is new, or comes far more often than before."""
    """It is new, or has grown."""
    return g.new or g.during >= GROWN * (g.before + 1)


def deepest_failures(spans: Iterable[Span], victims: Collection[str] = ()) -> tuple[Span, ...]:
    """The spans that failed by themselves: no failed child, not cancelled by their caller, not of a service that says so."""
    every = [s for s in spans if s.failed and not _cancelled(s.error) and s.service not in victims]
    blamed = {id(parent) for _, parent in parents(every)}
    return tuple(s for s in every if id(s) not in blamed)


def cancelled_services(grown: Iterable[Growth]) -> frozenset[str]:
    """Services whose new log lines say that their callers hung up: they are victims of impatience."""
    return frozenset(
        g.service for g in grown if notable(g) and _cancelled(g.text) and re.search(r"(?i)client|caller|context", g.text)
    )


def _cancelled(text: str) -> bool:
    return bool(re.search(r"(?i)cancel", text))


def _of_alerts(case: Case) -> list[Sign]:
    found = []
    for a in sorted(case.alerts, key=lambda a: (a.started_at, a.service, a.name))[:12]:
        raw = " ".join([a.name, a.summary, a.description, a.labels.get("metric", "")])
        text = plain(f"{a.name}: {a.summary or a.description}", 200)
        kinds = kinds_of_text(raw) | kinds_of_metric(a.labels.get("metric", a.name), rising=True)
        found.append(Sign(EvidenceKind.ALERT, text, a.connector, a.service, a.started_at, kinds, 0.8, raw, link=a.link))
    return found


def _of_metrics(case: Case, found: tuple[Deviation, ...], first: str) -> list[Sign]:
    asked = {(s.service, s.metric): r for r in case.readings for s in r.series}
    signs = []
    for d in found:
        if not d.bad and not (counts_traffic(d.metric) and d.rising):
            continue
        reading = asked.get((d.service, d.metric))
        text = f"{d.service}: {told(d)}"
        kinds = kinds_of_metric(d.metric, rising=d.rising)
        raw = f"{d.metric} {' '.join(d.labels.values())}"
        target = d.labels.get("target", "") if kinds & SUFFERS else ""
        weight = 1.0 if first in (d.service, target) else 0.7
        source, query, link = (reading.source, reading.query, reading.link) if reading else ("metrics", "", "")
        signs.append(Sign(EvidenceKind.METRIC, text, source, d.service, d.onset, kinds, weight, raw, query, link, target))
    return signs


def _of_logs(case: Case, grown: tuple[Growth, ...], first: str, begins: datetime) -> list[Sign]:
    told = _fields(case, begins)
    asked = _asked(case)
    signs = []
    for g in grown:
        if not notable(g):
            continue
        kinds = kinds_of_text(f"{g.text} {g.example}")
        if not g.negative and not kinds - {Kind.ERRORS, Kind.LATENCY}:
            continue
        weight = (1.0 if g.service == first else 0.7) * (1.0 if g.negative else 0.5)
        seen = "new log line" if g.new else "log line grew"
        about = "about " if g.sampled else ""
        said = f'{g.service}: {seen} "{plain(gist(g.example) or g.text, 160)}" ({about}{g.during} ×, was {about}{g.before})'
        raw = f"{g.text} {g.example} {told.get((g.service, g.first, g.example[:HEAD]), '')}"
        source, query, link = asked.get(g.service, ("logs", "", ""))
        signs.append(Sign(EvidenceKind.LOG, said, source, g.service, g.first, kinds, weight, raw, query, link))
    return signs[:60]


def _asked(case: Case) -> dict[str, tuple[str, str, str]]:
    """Which source told the lines of each service, by which query; where only a part came back, which part."""
    found: dict[str, tuple[str, str, str]] = {}
    for r in case.readings:
        query = f"{r.query} ({r.reason})" if r.reason else r.query
        for service in {line.service for line in r.logs}:
            found.setdefault(service, (r.source, query, r.link))
    return found


def _fields(case: Case, begins: datetime) -> dict[tuple[str, datetime | None, str], str]:
    """What structured lines say besides their text, by service, time and beginning; what they said before as well is left out."""
    usual: set[tuple[str, str, str]] = set()
    found: dict[tuple[str, datetime | None, str], str] = {}
    for line in case.logs:
        if line.at < begins:
            usual.update((line.service, k, v) for k, v in line.fields.items())
        elif line.fields:
            fresh = [f"{k}={v}" for k, v in line.fields.items() if (line.service, k, v) not in usual]
            if fresh:
                found.setdefault((line.service, line.at, line.text[:HEAD]), " ".join(fresh)[:FIELDS])
    return found


def _of_spans(case: Case, first: str, growths: tuple[Growth, ...]) -> list[Sign]:
    signs: dict[tuple[str, str, str], Sign] = {}
    source = next(((r.source, r.query, r.link) for r in case.readings if r.spans), ("traces", "", ""))
    for s in deepest_failures(case.spans, cancelled_services(growths)):
        key = (s.service, s.name, s.error)
        if key not in signs:
            raw = f"{s.name} {s.error} {' '.join(s.attributes.values())}"
            text = plain(f"{s.service}: span {s.name} failed{': ' + s.error if s.error else ''}", 200)
            weight = 1.0 if s.service == first else 0.7
            kinds = kinds_of_text(raw) | {Kind.ERRORS}
            signs[key] = Sign(EvidenceKind.TRACE, text, source[0], s.service, s.start, kinds, weight, raw, source[1], source[2])
    return list(signs.values())[:20]


def _of_happenings(case: Case, first: str, begins: datetime) -> list[Sign]:
    """What platforms report since the trouble began and did not report before, and what providers report about that time."""
    usual = {(h.service, h.reason) for h in case.happenings if h.at < begins}
    source = next(((r.source, r.query, r.link) for r in case.readings if r.happenings), ("events", "", ""))
    signs: dict[tuple[str, str], Sign] = {}
    for h in case.happenings:
        key = (h.service, h.reason)
        outside = h.service in case.external
        recent = h.at >= begins - (OPEN if outside else timedelta(0))
        if h.bad and recent and key not in signs and (outside or key not in usual):
            weight = 1.0 if h.service in (first, *case.external) else 0.7
            signs[key] = Sign(
                EvidenceKind.EVENT, _reported(h), source[0], h.service, h.at, kinds_of_happening(h.reason, h.text), weight,
                f"{h.service} {h.reason} {h.text} {h.about}", source[1], source[2],
            )  # fmt: skip
    return list(signs.values())[:20]


def _reported(h: Happening) -> str:
    times = f" ({h.count} ×)" if h.count > 1 else ""
    return plain(f"{h.service}: {h.reason}{times}{' at ' + h.about if h.about else ''}: {h.text}", 200)
