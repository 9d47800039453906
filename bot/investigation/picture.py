"""The picture of the trouble: every sign that something is wrong, since when, where first, and who suffers."""

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.evidence import EvidenceKind
from bot.domain.service import ServiceGraph
from bot.domain.telemetry import Span
from bot.investigation.case import Case, parents
from bot.investigation.exhibits import Exhibits
from bot.investigation.vocabulary import Kind, kinds_of_metric, kinds_of_text
from bot.investigation.wording import plain, told
from bot.signals.direction import counts_traffic
from bot.signals.onset import Deviation, deviations
from bot.signals.steps import Step, steps
from bot.signals.templates import Growth, growth

SLACK = timedelta(seconds=3)  # logs may tell of trouble this long before samples do
CALM = timedelta(seconds=8)  # the least time before the trouble that log lines are compared with
FAINT = 0.2  # a deviation below this share of the loudest does not say when it began
GROWN = 3.0  # a template that comes this many times as often has grown
HEAD = 40  # characters of a line that tell it from others of the same service and moment
FIELDS = 2000  # characters of what a structured line says besides its text
TELEMETRY_KINDS = frozenset({EvidenceKind.METRIC, EvidenceKind.LOG, EvidenceKind.TRACE})
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


@dataclass(frozen=True, slots=True)
class Picture:
    """All signs of a case. `onset` is when it began to hurt; `earliest` when anything at all went the wrong way."""

    signs: tuple[Sign, ...]
    deviations: tuple[Deviation, ...]
    steps: tuple[Step, ...]
    growths: tuple[Growth, ...]
    onset: datetime
    earliest: datetime
    step: timedelta
    first: str
    affected: tuple[str, ...]
    graph: ServiceGraph

    def weight(self, kind: Kind) -> float:
        """How loudly the signs speak of a kind of trouble, in [0, 1]."""
        return max((s.weight for s in self.signs if kind in s.kinds), default=0.0)

    def speaking_of(self, kinds: Iterable[Kind]) -> tuple[Sign, ...]:
        """The signs of these kinds, the loudest first; telemetry before the alert's own words."""
        wanted = frozenset(kinds)
        found = [s for s in self.signs if s.kinds & wanted]
        return tuple(sorted(found, key=lambda s: (s.what is EvidenceKind.ALERT, -s.weight)))


def paint(case: Case) -> Picture:
    """The picture of a case."""
    found = deviations(case.series, case.alert_at, healthy_until=case.healthy_until)
    bad: Sequence[Deviation] = [d for d in found if d.bad]
    begins = case.healthy_until or _begins(case, bad)
    grown = tuple(g for g in (*growth(case.logs, begins, _compared_since(case, begins)), *_patterns(case)) if g.during)
    graph = case.known_graph
    case = replace(case, readings=tuple(replace(r, spans=tuple(s for s in r.spans if s.start >= begins)) for r in case.readings))
    onset = _onset(case, bad, grown)
    found, bad = _lasting(found, onset), _lasting(bad, onset)
    first = _first(case, _clear(bad), grown, graph)
    signs = (
        *_alert_signs(case),
        *_metric_signs(case, found, first),
        *_log_signs(case, grown, first, begins),
        *_span_signs(case, first, grown),
    )
    affected = _affected(case, bad, grown, first)
    earliest = min([onset, *(d.onset for d in _clear(bad))])
    step = min((d.step for d in found), default=timedelta(minutes=1))
    return Picture(signs, found, steps(case.series), grown, onset, earliest, step, first, affected, graph)


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


def _standing(bad: Sequence[Deviation], alert_at: datetime) -> list[Deviation]:
    """The clear ones that lasted until the alert, which tells of what holds at that moment; if none did, all clear ones."""
    return _clear([d for d in bad if d.stands(alert_at)] or bad)


def _lasting(found: Sequence[Deviation], onset: datetime) -> tuple[Deviation, ...]:
    """Those that were not over before it began to hurt: the others are no sign of this trouble."""
    return tuple(d for d in found if d.until is None or d.until >= onset)


def _clear(bad: Sequence[Deviation]) -> list[Deviation]:
    """Those that are not faint beside the loudest: noise that happens to be a little louder than before dates nothing."""
    loudest = max((abs(d.score) for d in bad), default=0.0)
    return [d for d in bad if abs(d.score) >= FAINT * loudest]


def _begins(case: Case, bad: Sequence[Deviation]) -> datetime:
    """A little before the alerting services (or any) began to deviate; without numbers, the end of the first quarter."""
    own = _standing([d for d in bad if d.service in case.services] or bad, case.alert_at)
    if not own:
        return _first_quarter(case)
    first = min(own, key=lambda d: d.onset)
    return first.onset - max(2 * first.step, SLACK)


def _compared_since(case: Case, begins: datetime) -> datetime:
    """What happened just before is the comparison: twice as long as the trouble, or a little while at least."""
    return begins - max(2 * (case.now - begins), CALM)


def _first_quarter(case: Case) -> datetime:
    starts = [s.points[0][0] for s in case.series if s.points] + [line.at for line in case.logs[:1]]
    start = min(starts, default=case.alert_at)
    return start + max(case.alert_at - start, timedelta(0)) / 4


def _patterns(case: Case) -> tuple[Growth, ...]:
    return tuple(
        Growth(p.service, p.text, "ERROR" if p.negative else "INFO", p.before, p.during, p.first, p.text, p.negative)
        for p in case.patterns
    )


def notable(g: Growth) -> bool:
    """It is new, or has grown."""
    return g.new or g.during >= GROWN * (g.before + 1)


def _onset(case: Case, bad: Sequence[Deviation], grown: tuple[Growth, ...]) -> datetime:
    """The earlier of the alerting services' own onset and their first new warning or error line."""
    alerting = frozenset(case.services)
    own = [d for d in bad if d.service in alerting and d.onset <= case.alert_at]
    times = [d.onset for d in _standing(own, case.alert_at)]
    times += [g.first for g in grown if g.first and g.negative and g.new and g.service in alerting and g.during >= 2]
    return min([case.alert_at, *times])


def _first(case: Case, bad: Sequence[Deviation], grown: tuple[Growth, ...], graph: ServiceGraph) -> str:
    """The service that failed first: where the deepest spans fail by themselves, else the deepest dependency that hurts."""
    alerting = case.services
    votes: Counter[str] = Counter()
    victims = cancelled_services(grown)
    for span in deepest_failures(case.spans, victims):
        if span.service not in case.external:
            votes[span.service] += 1 if _blames_another(span) else 4
    for service in alerting[:1]:
        if service in votes:
            votes[service] += 3
    if votes and (not alerting or _own_failure(votes)):
        above = {a for a in votes if any(b in votes for b in graph.upstreams(a) if b != a)}
        deep = {s: v for s, v in votes.items() if s not in above} or votes
        return max(deep, key=lambda s: (deep[s], s))
    return _deepest_hurt(case, bad, grown, graph, victims)


def _own_failure(votes: Mapping[str, int]) -> bool:
    return max(votes.values()) >= 3


def _blames_another(span: Span) -> bool:
    """Nothing says what failed here, or it is that something else did not answer."""
    kinds = kinds_of_text(span.error)
    return not span.error or bool(kinds & {Kind.ENDPOINT}) or kinds <= {Kind.TIMEOUT, Kind.ERRORS}


def _deepest_hurt(
    case: Case, bad: Sequence[Deviation], grown: tuple[Growth, ...], graph: ServiceGraph, victims: Collection[str]
) -> str:
    alerting = case.services
    reach: dict[str, int] = {}
    for service in alerting:
        for name, hops in graph.upstreams(service).items():
            reach[name] = max(hops, reach.get(name, 0))
    began: dict[str, datetime] = {}
    lines = [(g.service, g.first) for g in grown if g.negative and g.new and g.first]
    for service, at in [(d.service, d.onset) for d in bad if _hurts(d)] + lines:
        if service not in case.external and service not in victims:
            began[service] = min(at, began.get(service, at))
    fallback = alerting[0] if alerting else ""
    if len(reach) > len(alerting):
        known = [s for s in began if s in reach] or list(began)
        return max(known, key=lambda s: (reach.get(s, 0), -began[s].timestamp(), s), default=fallback)
    return fallback if fallback in began or not began else min(began, key=lambda s: (began[s], s))


def _hurts(d: Deviation) -> bool:
    return bool(kinds_of_metric(d.metric, rising=d.rising) & SUFFERS)


def _affected(case: Case, bad: Sequence[Deviation], grown: tuple[Growth, ...], first: str) -> tuple[str, ...]:
    hurt = [first, *case.services]
    hurt += [d.service for d in bad]
    hurt += [g.service for g in grown if g.negative and notable(g)]
    return tuple(dict.fromkeys(s for s in hurt if s and s not in case.external))


def _alert_signs(case: Case) -> list[Sign]:
    found = []
    for a in sorted(case.alerts, key=lambda a: (a.started_at, a.service, a.name))[:12]:
        raw = " ".join([a.name, a.summary, a.description, a.labels.get("metric", "")])
        text = plain(f"{a.name}: {a.summary or a.description}", 200)
        kinds = kinds_of_text(raw) | kinds_of_metric(a.labels.get("metric", a.name), rising=True)
        found.append(Sign(EvidenceKind.ALERT, text, a.connector, a.service, a.started_at, kinds, 0.8, raw, link=a.link))
    return found


def _metric_signs(case: Case, found: tuple[Deviation, ...], first: str) -> list[Sign]:
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


def _log_signs(case: Case, grown: tuple[Growth, ...], first: str, begins: datetime) -> list[Sign]:
    told = _fields(case, begins)
    source = next(((r.source, r.query, r.link) for r in case.readings if r.logs), ("logs", "", ""))
    signs = []
    for g in grown:
        if not notable(g):
            continue
        kinds = kinds_of_text(f"{g.text} {g.example}")
        if not g.negative and not kinds - {Kind.ERRORS, Kind.LATENCY}:
            continue
        weight = (1.0 if g.service == first else 0.7) * (1.0 if g.negative else 0.5)
        seen = "new log line" if g.new else "log line grew"
        said = f'{g.service}: {seen} "{plain(g.example or g.text, 160)}" ({g.during} ×, was {g.before})'
        raw = f"{g.text} {g.example} {told.get((g.service, g.first, g.example[:HEAD]), '')}"
        signs.append(Sign(EvidenceKind.LOG, said, source[0], g.service, g.first, kinds, weight, raw, source[1], source[2]))
    return signs[:60]


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


def _span_signs(case: Case, first: str, growths: tuple[Growth, ...]) -> list[Sign]:
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
