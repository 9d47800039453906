"""Somebody shipped: remembered, linked to services, told to the incidents that it may concern."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.service import Catalogue
from bot.flows.announce import announce
from bot.flows.desk import Desk
from bot.flows.investigation import look
from bot.flows.runbooks.sourcing import pushed
from bot.flows.watching.bakes import begin_bakes
from bot.ports import Transaction
from bot.redact import clean, redact

UNPLACED = frozenset({ChangeKind.COMMIT, ChangeKind.BUILD, ChangeKind.RELEASE})  # in no environment yet
WORDS = {
    ChangeStatus.PENDING: "is about to be deployed",
    ChangeStatus.RUNNING: "is being deployed",
    ChangeStatus.SUCCEEDED: "was deployed",
    ChangeStatus.FAILED: "failed to deploy",
}


def on_changes(tx: Transaction, changes: Sequence[Change], desk: Desk) -> None:
    """Every change is kept with the services it belongs to; live incidents near a new one are told and looked at again."""
    catalogue = desk.catalogue()
    commits = [_placed(tx, c, catalogue, desk) for c in changes if c.kind is ChangeKind.COMMIT]
    desk.changes.save(tx, commits)
    pushed(tx, commits, desk)
    reports = [_placed(tx, c, catalogue, desk) for c in changes if c.kind is not ChangeKind.COMMIT]
    before = {c.id: desk.changes.get(tx, c.id) for c in reports}
    desk.changes.save(tx, reports)
    news = {}
    for report in reports:
        now, old = desk.changes.get(tx, report.id), before[report.id]
        if now is not None and now.kind not in UNPLACED and (old is None or old.status is not now.status):
            news[now.id] = now
    if news:
        _tell(tx, news.values(), catalogue, desk)
        begin_bakes(tx, news.values(), desk)


def _placed(tx: Transaction, change: Change, catalogue: Catalogue, desk: Desk) -> Change:
    """The change with its services by their own names, its environment, and nothing secret in its words."""
    services = tuple(dict.fromkeys(redact(clean(catalogue.get(name).name)) for name in change.services))
    if not services and change.repository:
        services = _shipped_with(tx, change, catalogue, desk)
    placed = change.kind not in UNPLACED
    return replace(
        change,
        title=redact(clean(change.title))[:300],
        services=services,
        environment=redact(clean(change.environment)) or (desk.default_environment if placed else ""),
        version=redact(clean(change.version)),
        repository=redact(clean(change.repository)),  # a CI's own address of it may carry a token
        author=redact(clean(change.author)),
        url=redact(clean(change.url)),
        files=tuple(redact(clean(file)) for file in change.files),
        checks={redact(clean(name)): passed for name, passed in change.checks.items()},
    )


def _shipped_with(tx: Transaction, change: Change, catalogue: Catalogue, desk: Desk) -> tuple[str, ...]:
    """The services that a change of a repository ships: by its files, by those of its commit, else all of the repository."""
    files = change.files
    if not files and change.commit:
        commit = desk.changes.get(tx, f"{change.connector}:commit:{change.repository}:{change.commit}")
        files = commit.files if commit else ()
    found = catalogue.shipping(change.repository, files)
    if found or change.kind is ChangeKind.COMMIT:
        return found
    return tuple(s.name for s in catalogue.services.values() if s.repository == change.repository)


def _tell(tx: Transaction, news: Iterable[Change], catalogue: Catalogue, desk: Desk) -> None:
    entries: list[Entry] = []
    concerned: dict[str, Incident] = {}
    live = desk.incidents.live(tx)
    for change in news:
        for incident in live:
            if _concerns(change, incident, catalogue, desk):
                entries.append(Entry(incident.id, change.at, EntryKind.CHANGE, sentence(change), change.connector))
                concerned[incident.id] = incident
    desk.timeline.add(tx, entries)
    for incident in concerned.values():
        announce(tx, incident, desk)
        look(tx, incident, desk)


def _concerns(change: Change, incident: Incident, catalogue: Catalogue, desk: Desk) -> bool:
    """It is near in place and time: the same environment, a service that one of the incident's depends on or near it."""
    near = incident.opened_at - desk.limits.window <= change.at
    if not near or change.environment not in ("", incident.environment):
        return False
    graph = catalogue.graph
    mine = incident.services[:50]
    return any(s in mine or any(graph.related(s, m) for m in mine) for s in change.services)


def sentence(change: Change) -> str:
    """What happened, for a timeline: "payments v43 was deployed to production by ines-d (3f2c1a9)"."""
    what = " ".join((", ".join(change.services) or change.repository or change.title, change.version)).strip()
    where = f" to {change.environment}" if change.environment else ""
    who = f" by {change.author}" if change.author else ""
    which = f" ({change.commit[:7]})" if change.commit else ""
    checks = f", {change.failing_checks}" if change.failing_checks else ""
    return f"{what} {WORDS[change.status]}{where}{who}{which}{checks}"
