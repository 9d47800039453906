"""What runbooks need: which are stale, which nobody uses, which alerts have none; as far as somebody may see them."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from bot.actions.automation import read_page
from bot.domain.care import Ailing, CareLimits, Check, DraftState, Health, Known, Missing, Tried
from bot.domain.document import Audience, Document, DocumentKind, Tier
from bot.domain.incident import Incident
from bot.domain.interaction import Opinion
from bot.domain.service import Catalogue
from bot.errors import Unavailable
from bot.flows.desk import Desk
from bot.knowledge import care
from bot.knowledge.query import normal
from bot.ports import (
    AlertStore,
    CheckStore,
    Clock,
    Database,
    JournalStore,
    QueryProbe,
    SuggestionStore,
    Transaction,
)

DAYS = 30  # of alerts that are looked at


@dataclass(frozen=True, slots=True)
class Records:
    """What tells of the use and the state of runbooks; a desk has all of it, and a command needs no more."""

    db: Database
    clock: Clock
    alerts: AlertStore
    journal: JournalStore
    suggestions: SuggestionStore
    checks: CheckStore
    catalogue: Callable[[], Catalogue]
    documents: Callable[[], Sequence[Document]]
    probes: tuple[QueryProbe, ...] = ()
    care: CareLimits = field(default_factory=CareLimits)
    links: bool = False  # some host is listed whose pages may be asked for


def records_of(desk: Desk) -> Records:
    """Those of a desk."""
    return Records(
        db=desk.db,
        clock=desk.clock,
        alerts=desk.alerts,
        journal=desk.journal,
        suggestions=desk.suggestions,
        checks=desk.checks,
        catalogue=desk.catalogue,
        documents=lambda: desk.library.documents,
        probes=desk.probes,
        care=desk.care,
        links=bool(desk.sources.links),
    )


@dataclass(frozen=True, slots=True)
class Report:
    """What needs somebody, for those who may see it; `note` says for people how much was looked at."""

    stale: tuple[Ailing, ...]
    unused: tuple[Ailing, ...]
    missing: tuple[Missing, ...]
    note: str = ""


def lacks_runbook(tx: Transaction, incident: Incident, desk: Desk) -> bool:
    """It is over, a person named its cause, and no runbook is there for it: shown, linked or with its alert's name."""
    if not incident.confirmed_cause or incident.live or incident.merged_into:
        return False
    if any(d.state is not DraftState.DISCARDED for d in desk.drafts.of_incident(tx, incident.id)):
        return False
    diagnosis = desk.diagnoses.latest(tx, incident.id)
    if diagnosis is not None and any(r.tier != Tier.POSSIBLE.value for r in diagnosis.runbooks):
        return False
    names = {normal(m.name) for m in incident.members} - {""}
    named = {normal(a) for d in desk.library.documents if d.kind is DocumentKind.RUNBOOK for a in (*d.alerts, d.title)}
    linked = {(j.subject.problem, j.subject.service) for j in desk.suggestions.links(tx)}
    return names.isdisjoint(named) and not any((normal(m.name), m.service) in linked for m in incident.members)


async def report(audience: Audience, of: Records) -> Report:
    """All three lists, of the runbooks that this audience may see."""
    books = [d for d in of.documents() if d.kind is DocumentKind.RUNBOOK]
    rules, why = await _rules(of)
    return await of.db.read(lambda tx: _report(tx, books, rules, why, audience, of))


def _report(
    tx: Transaction, books: Sequence[Document], rules: frozenset[str] | None, why: str, audience: Audience, of: Records
) -> Report:
    seen = [b for b in books if b.visible_to(audience)]
    now = of.clock()
    fired = of.alerts.fired(tx, now - timedelta(days=DAYS))
    catalogue = of.catalogue()
    names = {n.lower() for s in catalogue.services.values() for n in (s.name, *s.aliases)}
    known = Known(
        services=frozenset(names),
        rules=rules,
        fired=frozenset(normal(f.name) for f in fired),
        paths=frozenset(b.path for b in books),
        faults={b.id: tuple(str(f) for f in read_page(b).faults) for b in books if b.actions and not b.source},
        today=now.date(),
    )
    since = of.checks.since(tx)
    checks = of.checks.all(tx)
    linked = {(j.subject.problem, j.subject.service) for j in of.suggestions.links(tx)}
    use, covered = _told(tx, {i for f in fired for i in f.incidents}, of)
    owners = {s.name: s.owner for s in catalogue.services.values()}
    return Report(
        stale=tuple(_owned(a, seen, of) for a in care.ailing(seen, checks, known, of.care)),
        unused=tuple(_owned(a, seen, of) for a in care.unused(seen, use, since, now, of.care)),
        missing=care.missing(fired, covered, books, linked, owners),  # who may not see a runbook is not told that there is none
        note=" ".join(x for x in (_looked_at(seen, checks, since, of), why) if x),
    )


async def _rules(of: Records) -> tuple[frozenset[str] | None, str]:
    """The normal names of the alerts that there are rules for; None with the reason where that cannot be known."""
    found: set[str] = set()
    for probe in of.probes:
        try:
            told = await probe.alerts()
        except Unavailable as error:
            return None, f"Whether alerts still have rules is not known: {error.for_people}"
        if told is None:
            return None, ""
        found |= {normal(name) for name in told}
    return (frozenset(found), "") if found else (None, "")


def _owned(ailing: Ailing, books: Collection[Document], of: Records) -> Ailing:
    """With the owner of its first service where it names none itself."""
    if ailing.owner:
        return ailing
    book = next(b for b in books if b.id == ailing.document)
    owner = next((o for s in book.services if (o := of.catalogue().get(s).owner)), "")
    return replace(ailing, owner=owner)


def _told(tx: Transaction, incidents: Collection[str], of: Records) -> tuple[Mapping[str, datetime], frozenset[str]]:
    """When each runbook was last shown, linked or found useful; which of these incidents showed one.

    What was a possible match at most counts for neither.
    """
    use: dict[str, datetime] = {}
    covered: set[str] = set()
    prefix = f"{DocumentKind.RUNBOOK.value}:"
    for interaction in of.journal.every(tx, since=of.clock() - timedelta(days=max(DAYS, of.care.unused_days))):
        shown = [r.document for r in interaction.retrieved if r.tier != Tier.POSSIBLE.value and r.document.startswith(prefix)]
        use |= {d: max(interaction.at, use.get(d, interaction.at)) for d in shown}
        if shown and interaction.incident_id in incidents:
            covered.add(interaction.incident_id)
    for said in of.journal.feedback(tx):
        if said.document and said.opinion in (Opinion.USEFUL, Opinion.LINKED):
            use[said.document] = max(said.at, use.get(said.document, said.at))
    use |= {link.document: of.clock() for link in of.suggestions.links(tx)}  # a link stands
    return use, frozenset(covered)


def _looked_at(books: Sequence[Document], checks: Sequence[Check], since: Mapping[str, datetime], of: Records) -> str:
    mine = {b.id for b in books}
    tried = [c for c in checks if c.document in mine and c.at is not None]
    queries, pages = (sum(1 for c in tried if c.kind is kind) for kind in Tried)
    skipped = sum(1 for c in tried if c.health is Health.SKIPPED)
    unknown = sum(1 for c in tried if c.health is Health.UNKNOWN)
    left = ", ".join(f"{n} {what}" for n, what in ((skipped, "wait for a person's values"), (unknown, "could not be tried")) if n)
    parts = [f"{len(books)} runbooks; {queries} queries and {pages} links tried" + (f" ({left})" if left else "")]
    if not of.probes:
        parts.append("no Prometheus is configured to try queries on")
    if not of.links:
        parts.append("no link_hosts are listed, so links are not tried")
    oldest = min(since.values(), default=None)
    if oldest is None or of.clock() - oldest < timedelta(days=of.care.unused_days):
        days = (of.clock() - oldest).days if oldest else 0
        parts.append(f"use has been watched for {days} days; a runbook counts as unused after {of.care.unused_days}")
    return "; ".join(parts) + "."
