"""The looks that a capable model may take: they read, they know one incident, and what they find is numbered evidence.

There is no free URL, query or shell. Everything found is untrusted: it was written or measured outside.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.document import DocumentKind, Found, Inquiry
from bot.domain.evidence import Candidate, Evidence, EvidenceKind
from bot.domain.telemetry import Edge, Series
from bot.investigation.case import Case
from bot.investigation.diff import Hunk, parse
from bot.investigation.dossier import piece
from bot.investigation.exhibits import Exhibits
from bot.investigation.gather import Library
from bot.investigation.wording import clock, plain
from bot.ports import Tool
from bot.redact import clean, redact
from bot.signals.figures import figure
from bot.signals.templates import growth

POINTS = 12  # of one series
MOST = 10  # pieces that one look brings
LONGEST = 200  # characters of an argument
Arguments = Mapping[str, object]


@dataclass(slots=True)
class Looks:
    """What a model can look at in one incident; `evidence` grows with every look."""

    case: Case
    suspects: Mapping[str, Candidate]
    exhibits: Exhibits
    library: Library
    _services: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        """The services of this incident, and no others, can be asked about."""
        seen = [*self.case.services, *(s.service for s in self.case.series), *(line.service for line in self.case.logs)]
        changed = [s for c in self.case.changes for s in c.services]
        self._services = tuple(dict.fromkeys((*seen, *(p.service for p in self.case.patterns), *changed)))

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        """All evidence, with what was found on the way."""
        return self.exhibits.all

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The looks as tools."""
        service = {"service": _text("the service's name, as the evidence spells it")}
        metric = {**service, "metric": _text("a part of the metric's name; leave it empty for all")}
        ids = {"id": _text("an evidence id, such as E3")}
        suspect = {"suspect": _text("a suspect's label, such as S1")}
        words = {"words": _text("what to search for, in a few words")}
        return (
            _tool("evidence_details", "One piece of evidence whole, with the question that produced it.", ids, self._details),
            _tool("metric_series", "The values over time of one service's metrics.", metric, self._metrics, need=("service",)),
            _tool("log_templates", "What a service logged, by kind of line, before and during the trouble.", service, self._logs),
            _tool("change_diff", "What a suspect changed in the code or configuration.", suspect, self._diff),
            _tool(
                "service_calls",
                "Who calls a service and whom it calls, with what these calls cost before and during.",
                service,
                self._calls,
            ),
            _tool("platform_events", "What Kubernetes or a provider says happened to a service.", service, self._events),
            _tool("service_changes", "What was shipped of one service, with times.", service, self._changes),
            _tool("runbook_section", "The passage of our runbooks that fits some words.", words, self._runbook),
            _tool("past_incident", "A past incident that resembles some words: its cause and what helped.", words, self._past),
        )

    async def _details(self, given: Arguments) -> str:
        id = _word(given, "id")
        found = next((e for e in self.exhibits.all if e.id == id), None)
        if found is None:
            return _nothing(f"there is no {plain(id, 20)}; the evidence goes from E1 to E{len(self.exhibits.all)}")
        return _found([found], asked=redact(clean(found.query)))

    async def _metrics(self, given: Arguments) -> str:
        service, part = _word(given, "service"), _word(given, "metric").lower()
        if service not in self._services:
            return self._no_such(service)
        series = [s for s in self.case.series if s.service == service and part in s.metric.lower() and s.points]
        if not series:
            names = sorted({s.metric for s in self.case.series if s.service == service})
            return _nothing(f"no such metric of {service}; there are: {', '.join(names[:20]) or 'none'}")
        return self._cite([(EvidenceKind.METRIC, _values(s), service) for s in series])

    async def _logs(self, given: Arguments) -> str:
        service = _word(given, "service")
        if service not in self._services:
            return self._no_such(service)
        start = self.case.healthy_until or self.case.alert_at
        lines = [line for line in self.case.logs if line.service == service]
        told = [(g.text, g.before, g.during, g.level) for g in growth(lines, start)]
        told += [(p.text, p.before, p.during, "WARN" if p.negative else "") for p in self.case.patterns if p.service == service]
        rows = [
            (EvidenceKind.LOG, f"{level} {text} ({before} before, {during} during)", service)
            for text, before, during, level in told
        ]
        return self._cite(rows) if rows else _nothing(f"no log lines of {service} were read")

    async def _calls(self, given: Arguments) -> str:
        service = _word(given, "service")
        graph = self.case.known_graph
        calls = [*((caller, service) for caller in graph.callers(service)), *((service, c) for c in graph.callees(service))]
        if not calls:
            return _nothing(f"nobody is known to call {plain(service, 60)}, nor whom it calls")
        start = self.case.healthy_until or self.case.alert_at
        return self._cite([(EvidenceKind.TOPOLOGY, _call(self.case.edges, a, b, start), service) for a, b in calls])

    async def _events(self, given: Arguments) -> str:
        service = _word(given, "service")
        told = [h for h in self.case.happenings if h.service == service]
        if not told:
            return _nothing(f"no platform and no provider says that anything happened to {plain(service, 60)}")
        rows = [
            (EvidenceKind.EVENT, f"{clock(h.at)} {h.reason}: {plain(h.text, 200)} ({plain(h.about, 80)})", service) for h in told
        ]
        return self._cite(rows[::-1])

    async def _diff(self, given: Arguments) -> str:
        label = _word(given, "suspect")
        candidate = self.suspects.get(label)
        if candidate is None:
            return _nothing(f"there is no suspect {plain(label, 20)}; there are {', '.join(self.suspects) or 'none'}")
        commit = self.case.commits.get(candidate.commit)
        changed = parse(commit.diff, commit.files) if commit and commit.diff else ()
        rows = [(EvidenceKind.DIFF, _lines(h), candidate.service) for h in changed]
        return self._cite(rows) if rows else _nothing(f"the diff of {label} is not known here")

    async def _changes(self, given: Arguments) -> str:
        service = _word(given, "service")
        mine = sorted((c for c in self.case.changes if service in c.services), key=lambda c: c.at, reverse=True)
        if not mine:
            return _nothing(f"nothing that was shipped of {plain(service, 60)} is known in this window")
        rows = [
            (
                EvidenceKind.CHANGE,
                f"{c.kind.value} {c.version} at {clock(c.at)} ({c.status.value}): {plain(c.title)} {c.failing_checks}",
                service,
            )
            for c in mine
        ]
        return self._cite(rows)

    async def _runbook(self, given: Arguments) -> str:
        return await self._documents(given, DocumentKind.RUNBOOK, EvidenceKind.RUNBOOK)

    async def _past(self, given: Arguments) -> str:
        return await self._documents(given, DocumentKind.INCIDENT, EvidenceKind.PAST)

    async def _documents(self, given: Arguments, where: DocumentKind, kind: EvidenceKind) -> str:
        found = await self.library.find(Inquiry(text=_word(given, "words"), services=self.case.services), where, 2)
        if not found.found:
            return _nothing("nothing fits these words")
        told = [(redact(clean(_passage(f))), f.document.only) for f in found.found[:2]]
        ids = [self.exhibits.cite(kind, text, "a look", only=only) for text, only in told]
        return _found([e for e in self.exhibits.all if e.id in ids])

    def _cite(self, rows: Sequence[tuple[EvidenceKind, str, str]]) -> str:
        ids = [self.exhibits.cite(kind, redact(clean(text)), "a look", service=service) for kind, text, service in rows[:MOST]]
        pieces = [e for e in self.exhibits.all if e.id in ids]
        return _found(pieces, left_out=max(0, len(rows) - MOST))

    def _no_such(self, service: str) -> str:
        return _nothing(f"{plain(service, 60)} has no part in this incident; there are: {', '.join(self._services[:25])}")


def _tool(
    name: str,
    description: str,
    fields: Mapping[str, object],
    run: Callable[[Arguments], Awaitable[str]],
    need: Sequence[str] | None = None,
) -> Tool:
    required = list(fields if need is None else need)
    shape = {"type": "object", "properties": dict(fields), "required": required, "additionalProperties": False}
    return Tool(name, description, shape, run)


def _text(description: str) -> dict[str, object]:
    return {"type": "string", "description": description, "maxLength": LONGEST}


def _word(given: Arguments, key: str) -> str:
    return clean(str(given.get(key, "")))[:LONGEST].strip()


def _found(pieces: Sequence[Evidence], *, asked: str = "", left_out: int = 0) -> str:
    body: dict[str, object] = {"status": "OK", "evidence": [piece(e) for e in pieces]}
    if asked:
        body["asked"] = plain(asked, 300)
    if left_out:
        body["left_out"] = left_out
    return json.dumps(body, ensure_ascii=False)


def _nothing(reason: str) -> str:
    return json.dumps({"status": "NO_DATA", "reason": reason}, ensure_ascii=False)


def _values(series: Series) -> str:
    """A series in at most `POINTS` values, the last one always among them."""
    step = max(1, -(-len(series.points) // POINTS))
    shown = series.points[::-1][::step][::-1]
    labels = ",".join(f"{k}={plain(v, 30)}" for k, v in sorted(series.labels.items()) if k not in ("service", "job"))
    values = ", ".join(f"{clock(at)} {figure(value, series.metric)}" for at, value in shown)
    return f"{series.metric}{f'({labels})' if labels else ''}: {values}"


def _call(edges: Sequence[Edge], caller: str, callee: str, start: datetime) -> str:
    """One call in words; with figures where somebody measured it."""
    told = [f"{caller} calls {callee}"]
    for when, measured in (("before", [e for e in edges if e.at < start]), ("during", [e for e in edges if e.at >= start])):
        mine = [e for e in measured if (e.caller, e.callee) == (caller, callee)]
        calls = sum(e.calls for e in mine)
        if calls:
            share, latency = sum(e.errors for e in mine) / calls, sum(e.latency_ms * e.calls for e in mine) / calls
            told.append(f"{when}: {calls / len(mine):.1f}/s, {share:.1%} errors, {latency:.0f} ms")
    return "; ".join(told)


def _lines(hunk: Hunk) -> str:
    changed = " ".join(f"{sign}{' '.join(text.split())}" for sign, text in hunk.lines if sign in "+-" and text.strip())
    return f"{hunk.path}: {changed}"


def _passage(found: Found) -> str:
    facts = found.document.facts
    told = "; ".join(f"{k}: {facts[k]}" for k in ("cause", "fix") if facts.get(k))
    where = f"{found.document.title} › {found.section}" if found.section else found.document.title
    return f"{where}: {told or found.passage}"
