"""Gathers the case: telemetry, changes with their diffs, runbooks and past incidents, in parallel and under a deadline.

What fails or is too slow becomes a reading that says so; nothing here raises because a source is down.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

from bot.domain.alert import Alert
from bot.domain.change import Change, ChangeKind, Commit
from bot.domain.document import DocumentKind, Found, Inquiry
from bot.domain.incident import Incident
from bot.domain.service import Catalogue
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.investigation.case import Case
from bot.ports import ChangeSource, EvidenceSource
from bot.topology.merging import as_known

T = TypeVar("T")
CLOSE = timedelta(minutes=10)  # before the first alert: read finely; what is older is read coarsely
MOST_COMMITS = 80
MOST_SERVICES = 25
HOPS = 3


class Findings(Protocol):
    """What a search found."""

    @property
    def found(self) -> tuple[Found, ...]:
        """The best first."""


class Library(Protocol):
    """Where runbooks and past incidents are found."""

    def find(self, inquiry: Inquiry, kind: DocumentKind, limit: int = ...) -> Awaitable[Findings]:
        """What fits an inquiry."""


async def gather(
    *,
    incident: Incident,
    alerts: Sequence[Alert],
    changes: Sequence[Change],
    catalogue: Catalogue,
    sources: Sequence[EvidenceSource],
    change_sources: Sequence[ChangeSource],
    library: Library,
    window: Window,
    now: datetime,
    deadline: timedelta,
    earlier: Sequence[Window] = (),
) -> Case:
    """The case of an incident. Takes little longer than `deadline`; whatever was not there by then is missing from it.

    `earlier` are the spans of past trouble of the same services: what was measured then tells of neither health nor this trouble.
    """
    firing = tuple(a for a in alerts if not a.resolved) or tuple(alerts)
    alert_at = min((a.started_at for a in firing), default=incident.opened_at)
    services = related(incident, firing, catalogue)
    ours = [c for c in changes if c.environment in ("", incident.environment)]
    inquiry = _inquiry(incident, firing)
    seconds = deadline.total_seconds()
    reading, commits, runbooks, past = await asyncio.gather(
        read_sources(sources, services, window, alert_at, seconds),
        _within(_commits(ours, catalogue, change_sources), seconds, ({}, {})),
        _within(_find(library, inquiry, DocumentKind.RUNBOOK), seconds, None),
        _within(_find(library, inquiry, DocumentKind.INCIDENT), seconds, ()),
    )
    return Case(
        alerts=firing,
        alert_at=alert_at,
        now=now,
        changes=tuple(ours),
        commits=_with_files(commits[0], ours),
        carries=commits[1],
        readings=as_known(apart_from(earlier, stitch(reading)), catalogue),
        graph=catalogue.whole,
        external=catalogue.external,
        runbooks=runbooks or (),
        searched=runbooks is not None,
        past=past or (),
    )


def related(incident: Incident, alerts: Sequence[Alert], catalogue: Catalogue) -> tuple[str, ...]:
    """The services to ask about: those that alert and what they depend on within three hops; outside ones have no telemetry."""
    first = dict.fromkeys((*incident.services, *(a.service for a in alerts)))
    graph, outside = catalogue.whole, catalogue.external
    for service in list(first):
        first.update(dict.fromkeys(graph.upstreams(service, HOPS)))
    return tuple(s for s in first if s and s not in outside)[:MOST_SERVICES]


def stitch(readings: Sequence[Readings]) -> tuple[Readings, ...]:
    """The same readings, with each series whole in one place: what was read coarsely before, then what was read finely."""
    whole: dict[tuple[str, str, tuple[tuple[str, str], ...]], Series] = {}
    for reading in sorted(readings, key=lambda r: r.window.start):
        for s in reading.series:
            key = (s.service, s.metric, tuple(sorted(s.labels.items())))
            before = whole.get(key)
            points = tuple(p for p in s.points if not before or not before.points or p[0] > before.points[-1][0])
            whole[key] = replace(s, points=(*before.points, *points)) if before else s
    stitched = []
    for reading in sorted(readings, key=lambda r: r.window.start, reverse=True):
        keys = [(s.service, s.metric, tuple(sorted(s.labels.items()))) for s in reading.series]
        stitched.append(replace(reading, series=tuple(whole.pop(k) for k in keys if k in whole)))
    return tuple(_without_noise(stitched))


def apart_from(spans: Sequence[Window], readings: Sequence[Readings]) -> tuple[Readings, ...]:
    """The readings without what was measured within these spans."""

    def outside(at: datetime) -> bool:
        return not any(span.start <= at <= span.end for span in spans)

    if not spans:
        return tuple(readings)
    return tuple(
        replace(
            reading,
            series=tuple(replace(s, points=tuple(p for p in s.points if outside(p[0]))) for s in reading.series),
            logs=tuple(line for line in reading.logs if outside(line.at)),
            spans=tuple(s for s in reading.spans if outside(s.start)),
            edges=tuple(e for e in reading.edges if outside(e.at)),
            happenings=tuple(h for h in reading.happenings if outside(h.at)),
        )
        for reading in readings
    )


def _without_noise(readings: Sequence[Readings]) -> list[Readings]:
    """An empty answer about the distant past is no news when the same source answered about the present."""
    answered = {r.source for r in readings if r.status is SourceStatus.OK}
    return [r for r in readings if r.status is not SourceStatus.NO_DATA or r.source not in answered]


async def read_sources(
    sources: Sequence[EvidenceSource], services: Sequence[str], window: Window, alert_at: datetime, seconds: float
) -> tuple[Readings, ...]:
    """What the sources say, finely since shortly before `alert_at`, coarsely before; a failure is a reading that says so."""
    border = min(max(alert_at - CLOSE, window.start), window.end)
    windows = [w for w in (Window(border, window.end), Window(window.start, border)) if w.start < w.end]
    asked = [ask_source(source, services, w, seconds) for source in sources for w in windows]
    return tuple(r for answer in await asyncio.gather(*asked) for r in answer)


async def ask_source(source: EvidenceSource, services: Sequence[str], window: Window, seconds: float) -> tuple[Readings, ...]:
    """What one source says within so many seconds; one that is too slow or breaks is a reading that says so."""
    name = str(getattr(source, "name", type(source).__name__))
    try:
        return await asyncio.wait_for(source.read(services, window), seconds)
    except TimeoutError:
        return (Readings(name, "", window, SourceStatus.FAILED, f"did not answer within {seconds:g} s"),)
    except Exception as error:  # noqa: BLE001 - a tool call: its failure is a value, which people are shown
        return (Readings(name, "", window, SourceStatus.FAILED, f"{type(error).__name__}: {error}"[:200]),)


async def _within(work: Awaitable[T], seconds: float, otherwise: T) -> T:
    try:
        return await asyncio.wait_for(work, seconds)
    except TimeoutError:
        return otherwise


async def _find(library: Library, inquiry: Inquiry, kind: DocumentKind) -> tuple[Found, ...] | None:
    return (await library.find(inquiry, kind, 3)).found


def _inquiry(incident: Incident, alerts: Sequence[Alert]) -> Inquiry:
    first = min(alerts, key=lambda a: (a.started_at, a.name), default=None)
    if first is None:
        return Inquiry(text=incident.title, services=incident.services)
    said = dict.fromkeys(t for a in alerts for t in (a.summary, a.description) if t)
    url = next((a.runbook_url for a in alerts if a.runbook_url), "")
    return Inquiry(first.name, " ".join(said)[:2000] or incident.title, incident.services, first.labels, url)


Fetched = tuple[dict[str, Commit], dict[str, tuple[str, ...]]]


async def _commits(changes: Sequence[Change], catalogue: Catalogue, sources: Sequence[ChangeSource]) -> Fetched:
    """The commits of the changes with their diffs, and which commits each deployment brought."""
    commits: dict[str, Commit] = {}
    carries: dict[str, tuple[str, ...]] = {}
    if not sources:
        return commits, carries
    newest = sorted((c for c in changes if c.commit), key=lambda c: (c.kind is ChangeKind.COMMIT, -c.at.timestamp()))
    found = await asyncio.gather(*(_fetch(c, changes, catalogue, sources) for c in newest[:MOST_COMMITS]))
    for change, brought in zip(newest, found, strict=False):
        for commit in brought:
            commits.setdefault(commit.sha, commit)
        if change.kind is not ChangeKind.COMMIT and brought:
            carries[change.id] = tuple(c.sha for c in brought)
    return commits, carries


async def _fetch(
    change: Change, changes: Sequence[Change], catalogue: Catalogue, sources: Sequence[ChangeSource]
) -> tuple[Commit, ...]:
    repository = change.repository or next((r for s in change.services if (r := catalogue.get(s).repository)), "")
    before = None if change.kind is ChangeKind.COMMIT else _before(change, changes)
    if before and before.commit != change.commit:
        between = await _first(sources, lambda s: s.between(repository, before.commit, change.commit))
        paths = {p for s in change.services for p in catalogue.get(s).paths}
        own = tuple(c for c in between or () if not paths or _touches(c, paths))
        if own:
            return own[:MOST_COMMITS]
    commit = await _first(sources, lambda s: s.commit(repository, change.commit))
    return (commit,) if commit else ()


def _before(change: Change, changes: Sequence[Change]) -> Change | None:
    """What ran before on the same service and environment, as far as the changes tell."""
    older = [
        c
        for c in changes
        if c.shipped and c.commit and c.at < change.at and c.environment == change.environment
        and set(c.services) & set(change.services)
    ]  # fmt: skip
    return max(older, key=lambda c: c.at, default=None)


async def _first(sources: Sequence[ChangeSource], ask: Callable[[ChangeSource], Awaitable[T | None]]) -> T | None:
    for source in sources:
        try:
            answer = await ask(source)
        except Exception:  # noqa: BLE001, S112 - a tool call: without the diff the change is judged by what else is known
            continue
        if answer:
            return answer
    return None


def _touches(commit: Commit, paths: Collection[str]) -> bool:
    return any(f == p or f.startswith(p.rstrip("/") + "/") for f in commit.files for p in paths)


def _with_files(commits: Mapping[str, Commit], changes: Sequence[Change]) -> dict[str, Commit]:
    """Commits nobody has the diff of are kept with what their push said of them."""
    every = dict(commits)
    for c in changes:
        if c.kind is ChangeKind.COMMIT and c.commit and c.commit not in every:
            every[c.commit] = Commit(c.commit, c.author, c.at, c.title, c.files)
    return every
