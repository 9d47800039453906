"""Causes outside our changes, of whatever kind: found by the structure of the trouble, never by its words.

A change to one service cannot make unrelated services fail at one moment, cannot choose one record, machine or address of many,
and does not wait for a date. Each finding yields to a change that explains the same.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from math import isfinite

import numpy as np

from bot.domain.evidence import EvidenceKind, Fact, Remedy
from bot.domain.telemetry import Series
from bot.investigation.case import Case
from bot.investigation.diff import is_pin
from bot.investigation.exhibits import Exhibits
from bot.investigation.operational import INSIDE, OWN_CRASH, Finding
from bot.investigation.picture import Picture
from bot.investigation.rank import Scored
from bot.investigation.subjects import Subject, subjects
from bot.investigation.symptoms import TELEMETRY_KINDS
from bot.investigation.wording import capital, clock, listed, plain
from bot.signals.direction import bag, counts_traffic, is_share, words
from bot.signals.figures import name_of
from bot.signals.templates import NEGATIVE_LEVELS

TOGETHER = timedelta(seconds=60)  # what begins this close together began at one moment (or within two samples, if more)
UNRELATED = 3  # services that fail by themselves at one moment
STRAIGHT = 0.99  # the share of a series' movement that a straight line explains
LONGEST = 2000  # characters of a line that are read for dates
STEPS = 8  # samples that a countdown has at least
FAR = 3.0  # a knob turned by this factor is turned far
AROUND = 40  # characters around a moment that say what it is
ROLLED_OUT = timedelta(minutes=15)  # a rollout to several services takes this long
PERCENT = bag("pct percent percentage")
USED = bag("used usage utilization utilisation full fill consumed occupied saturation")
LATENT = bag("latency duration elapsed p90 p95 p99")
_COMPLAINS = re.compile(r"(?<![\d.])4(?:0[0-8]|1\d|2[0-8])(?![\d.])")  # replies that blame the one who asks
_ANSWERS_BADLY = re.compile(
    r"(?i)(?<![\d.])5\d\d(?![\d.])|refused|reset|unreachable|unavailable|\bEOF\b|broken pipe|no route|handshake|no such host"
)
_LIMITS = re.compile(r"(?i)(?<![\d.])429(?![\d.])|too many requests|quota|rate.?limit")
_ENDS = re.compile(r"(?i)expir|not ?after|until|valid|\bend(?:s|ed)?\b|\bdue\b|sunset|retired|lease|renew|is after|deadline")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?")

Check = Callable[[Case, Picture, Exhibits, Sequence[Scored]], Finding | None]


def outside(case: Case, picture: Picture, exhibits: Exhibits, suspects: Sequence[Scored]) -> Finding | None:
    """The most telling sign that this came from outside the changes, or None."""
    return next((found for check in CHECKS if (found := check(case, picture, exhibits, suspects))), None)


def appointed(case: Case, picture: Picture, exhibits: Exhibits, suspects: Sequence[Scored]) -> Finding | None:
    """It began at a moment that was set before: errors name that very moment as an end, or something counted down to it."""
    near = max(2 * picture.step, TOGETHER)
    when = _appointed(case, picture, near)
    said = [s for s in picture.signs if when and when in ends(s.raw) and s.what in TELEMETRY_KINDS]
    run_out = next((s for s in case.series if (at := _reaches_zero(s, suspects)) and abs(at - picture.onset) <= near), None)
    if run_out is None and not said:
        return None
    cites = [s.cite(exhibits) for s in said[:3]]
    if run_out is not None:
        text = f"{run_out.service}: of {run_out.metric} nothing was left, after it ran out evenly"
        cites.append(exhibits.cite(EvidenceKind.METRIC, text, "metrics", at=picture.onset, service=run_out.service))
    where = run_out.service if run_out else said[0].service
    what = f"{name_of(run_out.metric)} of {where} ran out" if run_out else f"the errors of {where} name that moment as an end"
    text = f"It began at {clock(picture.onset, picture.step)} as if appointed: {what}; no change fits"
    return Finding("outside", Fact(text, 4.0, tuple(dict.fromkeys(cites)), "outside"), Remedy.INVESTIGATE, 0.7, where, False)


def ends(text: str) -> list[datetime]:
    """The points in time at which something ends by what a text says; without a zone they are taken for UTC."""
    found = []
    for match in _MOMENT.finditer(text):
        around = text[max(0, match.start() - AROUND) : match.end() + AROUND]
        try:
            at = datetime.fromisoformat(match[0])
        except ValueError:
            continue
        if _ENDS.search(around):
            found.append(at if at.tzinfo else at.replace(tzinfo=UTC))
    return found


def _appointed(case: Case, picture: Picture, near: timedelta) -> datetime | None:
    """The moment about the onset that lines name as an end, again and again; not merely the time at which each was written."""
    told: Counter[datetime] = Counter()
    for line in case.logs:
        if line.level in NEGATIVE_LEVELS and line.at >= picture.onset - picture.step:
            spoken = ends(" ".join((line.text, *line.fields.values())[:20])[:LONGEST])
            told.update({m for m in spoken if abs(m - line.at) >= timedelta(seconds=1)})
    for sign in picture.signs:
        if sign.at is None or sign.what is EvidenceKind.EVENT:
            told.update(set(ends(sign.raw)))
    fitting = [(times, m) for m, times in told.items() if times >= 2 and abs(m - picture.onset) <= near]
    return max(fitting)[1] if fitting else None


def _reaches_zero(series: Series, suspects: Sequence[Scored]) -> datetime | None:
    """When nothing is left of what ran out evenly since before any suspect was shipped; None if nothing did."""
    if counts_traffic(series.metric) or not all(isfinite(v) for _, v in series.points):
        return None
    values, least = _left(series)
    crossed = np.flatnonzero(values <= least)
    if not len(crossed) or crossed[0] < STEPS:
        return None
    falling = values[: crossed[0] + 1]
    begun = min((s.shipment.at for s in suspects if s.shipment.at), default=series.points[-1][0])
    if series.points[STEPS // 2][0] > begun or not np.ptp(falling):
        return None
    straight = np.corrcoef(np.arange(len(falling)), falling)[0, 1] <= -STRAIGHT
    return series.points[int(crossed[0])][0] if straight else None


def _left(series: Series) -> tuple[np.ndarray, float]:
    """What is left of something, and from where on that is nothing: of a share in use the rest, else the value itself."""
    values = np.array([v for _, v in series.points], dtype=float)
    parts = set(words(series.metric))
    whole = 100.0 if parts & PERCENT else 1.0
    share = is_share(series.metric) or bool(parts & PERCENT)
    if share and parts & USED and len(values) and values.min() >= 0 and values.max() <= 1.001 * whole:
        return whole - values, 0.02 * whole
    return values, 0.0


def unrelated(case: Case, picture: Picture, exhibits: Exhibits, suspects: Sequence[Scored]) -> Finding | None:
    """Services that have nothing to do with each other began to fail by themselves at one moment."""
    near = max(2 * picture.step, TOGETHER)
    began = {
        s: min(d.onset for d in picture.deviations if d.bad and d.service == s)
        for s in {d.service for d in picture.deviations if d.bad} - case.external
    }
    together = sorted(s for s, at in began.items() if abs(at - picture.onset) <= near)
    own = [s for s in together if _by_itself(s, together, case, picture)]
    if len(own) < UNRELATED or any(_covers(s, own, case, picture) for s in suspects):
        return None
    signs = [next(s for s in picture.signs if s.service == name and s.what is not EvidenceKind.ALERT) for name in own[:4]]
    text = f"{capital(listed(own))} do not call each other and began to fail at one moment; no one change reaches them all"
    cites = tuple(dict.fromkeys(s.cite(exhibits) for s in signs))
    return Finding("outside", Fact(text, 4.0, cites, "outside"), Remedy.INVESTIGATE, 0.8, "what they share", False)


def _by_itself(service: str, others: Iterable[str], case: Case, picture: Picture) -> bool:
    """Its errors blame none of the others, and it calls none of them."""
    rest = {o for o in others if o != service}
    if rest & {*picture.graph.upstreams(service)}:
        return False
    lines = [s.raw.lower() for s in picture.signs if s.service == service and s.what in (EvidenceKind.LOG, EvidenceKind.TRACE)]
    blames = any(re.search(rf"(?<![\w-]){re.escape(o.lower())}(?![\w-])", line) for line in lines for o in rest)
    return bool(lines) and not blames and service not in case.external


def _covers(suspect: Scored, own: Sequence[str], case: Case, picture: Picture) -> bool:
    """The change may explain them all: just shipped to one of them or to everything, or rolled out to two of them together,
    or shipped to something that two of them depend on."""
    shipment = suspect.shipment
    targets = set(shipment.services)
    just = shipment.at is not None and picture.onset - shipment.at <= ROLLED_OUT
    if just and (not targets or targets & set(own)):
        return True
    if sum(bool(targets & {*picture.graph.upstreams(s)}) for s in own) >= 2:
        return True
    sha = shipment.commit.sha if shipment.commit else "?"
    carriers = [c for c in case.changes if c.commit == sha or sha in case.carries.get(c.id, ())]
    reached = {s: c.at for c in carriers for s in c.services if s in own}
    return len(reached) >= 2 and max(reached.values()) - min(reached.values()) <= ROLLED_OUT


def pointed(case: Case, picture: Picture, exhibits: Exhibits, suspects: Sequence[Scored]) -> Finding | None:
    """All errors of the service that failed first name one thing that nobody changed, and what goes well does not."""
    for subject in subjects(case, picture, picture.first):
        if _touched(subject, suspects) or (subject.machine and _fresh(suspects, picture)):
            continue
        if subject.host and (_ours(subject, case, picture) or not _fails_itself(subject, picture) or _turned(subject, suspects)):
            continue
        cites = [s.cite(exhibits) for s in picture.signs if subject.name in s.raw and s.what in TELEMETRY_KINDS][:4]
        thing = plain(f"{subject.key} {subject.name}".strip(), 80)
        text = f"{subject.times} of {subject.errors} errors of {subject.service} name {thing}, which no change touches"
        fact = Fact(text, 4.0, tuple(dict.fromkeys(cites)), "outside")
        return Finding("outside", fact, _remedy(subject), 0.6, subject.name, False)
    return None


def _remedy(subject: Subject) -> Remedy:
    if subject.place:
        return Remedy.FAILOVER
    return Remedy.ESCALATE_PROVIDER if subject.host and re.search(r"[a-z]", subject.name) else Remedy.INVESTIGATE


def _ours(subject: Subject, case: Case, picture: Picture) -> bool:
    """A service of ours is the subject: then the question is what happened to it."""
    if not subject.host:
        return False
    known = {*picture.affected, *picture.graph.calls, *(c for cs in picture.graph.calls.values() for c in cs)} - case.external
    known |= {s.service for s in case.series} | {s for c in case.changes for s in c.services}
    return bool(INSIDE.search(subject.name)) or subject.name.split(".")[0] in known


def _touched(subject: Subject, suspects: Sequence[Scored]) -> bool:
    """A change speaks of it, or is the version that carries its name."""
    name = subject.name.lower()
    for s in suspects:
        lines = (t for h in s.shipment.text.hunks for sign, t in h.lines if sign != " ")
        if any(name in t.lower() for t in lines) or (s.candidate.version and s.candidate.version.lower() in name):
            return True
    return False


def _fails_itself(subject: Subject, picture: Picture) -> bool:
    """It answers badly, or not at all, or slowly; it does not say that we ask wrongly, nor did we crash by ourselves.

    Deadlines of ours that pass while it is no slower than before say nothing of it.
    """
    here = [s for s in picture.signs if s.service == subject.service and s.what in TELEMETRY_KINDS]
    replies = [s.raw.replace(subject.name, "") for s in here if subject.name in s.raw]
    if any(s.kinds & OWN_CRASH for s in here) or any(_COMPLAINS.search(r) for r in replies):
        return False
    risen = [d for d in picture.deviations if d.bad and d.rising and d.service == subject.service]
    slower = any(LATENT & set(words(d.metric)) for d in risen)
    busier = any(counts_traffic(d.metric) and d.rising and d.service == subject.service for d in picture.deviations)
    limits = not busier and any(_LIMITS.search(r) for r in replies)
    return slower or limits or any(_ANSWERS_BADLY.search(r) for r in replies)


def _turned(subject: Subject, suspects: Sequence[Scored]) -> bool:
    """A change turned a knob far on the service that calls it, or any knob of its client: that may be why the calls fail."""
    client = max(subject.name.split(".")[:-1] or [subject.name], key=len)
    for s in suspects:
        near = subject.service in s.shipment.services
        for edit in s.shipment.text.edits:
            if near and edit.ratio and not 1 / FAR < edit.ratio < FAR:
                return True
            if client in f"{edit.key} {edit.old} {edit.new} {edit.around} {edit.path}".lower() and not is_pin(edit):
                return True
    return False


def _fresh(suspects: Sequence[Scored], picture: Picture) -> bool:
    """A rollout reaches one machine first: shortly after one, errors in one place say nothing."""
    first = [s.shipment.at for s in suspects if picture.first in s.shipment.services and s.shipment.at]
    return any(picture.onset - at < timedelta(minutes=30) for at in first)


CHECKS: Sequence[Check] = (appointed, unrelated, pointed)
