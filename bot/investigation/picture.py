"""The picture of the trouble: every sign that something is wrong, since when, where first, and who suffers."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.domain.evidence import EvidenceKind
from bot.domain.service import ServiceGraph
from bot.domain.telemetry import Span
from bot.investigation.case import Case
from bot.investigation.nodes.of_case import blames_of, clear_first
from bot.investigation.nodes.ranking import Blame
from bot.investigation.symptoms import SUFFERS as SUFFERS  # charts read it here
from bot.investigation.symptoms import Sign, cancelled_services, deepest_failures, series_of_edges, signs_of
from bot.investigation.symptoms import notable as notable  # as above
from bot.investigation.vocabulary import Kind, kinds_of_metric, kinds_of_text
from bot.signals.onset import Deviation, deviations
from bot.signals.ramps import Ramp, ramps
from bot.signals.steps import Step, steps
from bot.signals.templates import Growth, growth

SLACK = timedelta(seconds=3)  # logs may tell of trouble this long before samples do
CALM = timedelta(seconds=8)  # the least time before the trouble that log lines are compared with
FAINT = 0.2  # a deviation below this share of the loudest does not say when it began


@dataclass(frozen=True, slots=True)
class Picture:
    """All signs of a case. `onset` is when it began to hurt; `earliest` when anything at all went the wrong way."""

    signs: tuple[Sign, ...]
    deviations: tuple[Deviation, ...]
    steps: tuple[Step, ...]
    ramps: tuple[Ramp, ...]
    growths: tuple[Growth, ...]
    onset: datetime
    earliest: datetime
    step: timedelta
    first: str
    affected: tuple[str, ...]
    graph: ServiceGraph
    blames: tuple[Blame, ...] = ()  # whose own the trouble is, by metrics and the call graph

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
    found = deviations((*case.series, *series_of_edges(case.edges)), case.alert_at, healthy_until=case.healthy_until)
    bad: Sequence[Deviation] = [d for d in found if d.bad]
    begins = case.healthy_until or _begins(case, bad)
    grown = tuple(g for g in (*growth(case.logs, begins, _compared_since(case, begins)), *_patterns(case)) if g.during)
    graph = case.known_graph
    case = replace(case, readings=tuple(replace(r, spans=tuple(s for s in r.spans if s.start >= begins)) for r in case.readings))
    onset = _onset(case, bad, grown)
    found, bad = _lasting(found, onset), _lasting(bad, onset)
    blames = blames_of(case, begins, graph)
    first = _first(case, _clear(bad), grown, graph, blames)
    signs = signs_of(case, found, grown, first, begins)
    affected = _affected(case, bad, grown, first)
    earliest = min([onset, *(d.onset for d in _clear(bad))])
    step = min((d.step for d in found), default=timedelta(minutes=1))
    grows = ramps(case.series, [d for d in found if d.bad])
    return Picture(signs, found, steps(case.series), grows, grown, onset, earliest, step, first, affected, graph, blames)


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


def _onset(case: Case, bad: Sequence[Deviation], grown: tuple[Growth, ...]) -> datetime:
    """The earlier of the alerting services' own onset and their first new warning or error line."""
    alerting = frozenset(case.services)
    own = [d for d in bad if d.service in alerting and d.onset <= case.alert_at]
    times = [d.onset for d in _standing(own, case.alert_at)]
    times += [g.first for g in grown if g.first and g.negative and g.new and g.service in alerting and g.during >= 2]
    return min([case.alert_at, *times])


def _first(case: Case, bad: Sequence[Deviation], grown: tuple[Growth, ...], graph: ServiceGraph, blames: Sequence[Blame]) -> str:
    """The service that failed first: where the deepest spans fail by themselves, else whose own the trouble clearly is,
    else the deepest dependency that hurts."""
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
    clear = clear_first(blames, never={*case.external, *victims})
    return clear or _deepest_hurt(case, bad, grown, graph, victims)


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
