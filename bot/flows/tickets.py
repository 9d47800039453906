"""A tracker told of a ticket: its incident follows, and many reports of users about one service are an alert."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bot.domain.alert import Alert, Severity
from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.domain.ticket import Ticket, TicketStatus
from bot.flows.alerts import on_alerts
from bot.flows.announce import announce
from bot.flows.desk import Desk
from bot.flows.resolving import resolve
from bot.ports import KeptTicket, Scalar, Transaction
from bot.redact import clean, redact

USER_REPORTS = "UserReports"  # the name of the alert that many tickets become
OURS = re.compile(r"\(tocsin[- ][^)]*\)\s*$")  # how our own comments end
_INCIDENT = re.compile(r"\bINC-\d{1,9}\b")
_WORD = re.compile(r"[a-z0-9][a-z0-9_-]{2,}")


def on_tickets(tx: Transaction, tickets: Sequence[Ticket], desk: Desk) -> None:
    """Each ticket is kept; its incident hears of it, or it counts as a report about its service."""
    services: set[str] = set()
    for told in tickets:
        ticket = _clean(told)
        known = desk.tickets.get(tx, ticket.connector, ticket.ref)
        if known is not None and (ticket.at < known.status_at or OURS.search(told.comment)):
            # What it says of the status is over: it comes late, or with our own comment, which we make before we move the ticket.
            ticket = replace(ticket, status=known.status, at=known.status_at)
        incident = _incident_of(tx, ticket, known, desk)
        kept = _kept(ticket, known, incident, desk)
        desk.tickets.save(tx, kept)
        if incident is not None:
            _follow(tx, ticket, known, incident, desk)
        elif known is None and kept.service and ticket.status is not TicketStatus.DONE:
            services.add(kept.service)
    since = desk.clock() - desk.ticketing.window
    counts = {service: desk.tickets.reports(tx, service, since) for service in sorted(services)}
    _raise(tx, {service: n for service, n in counts.items() if n >= desk.ticketing.reports}, desk)


async def reports_quiet(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The alert about users' reports clears once fewer came within the window; else it is looked at again later."""
    service = str(args["service"])

    def go(tx: Transaction) -> None:
        now = desk.clock()
        if desk.tickets.reports(tx, service, now - desk.ticketing.window) >= desk.ticketing.reports:
            _look_later(tx, service, desk)
        else:
            on_alerts(tx, [replace(_alert(service, 0, desk), resolved=True, ended_at=now)], desk)

    await desk.db.write(go)


def _clean(ticket: Ticket) -> Ticket:
    def said(text: str, most: int) -> str:
        return redact(clean(text[: 2 * most]))[:most]

    return replace(
        ticket,
        ref=clean(ticket.ref)[:200],
        title=" ".join(said(ticket.title, 300).split()),
        text=said(ticket.text, 4000),
        author=said(ticket.author, 100),
        url=said(ticket.url, 1000),
        comment="" if OURS.search(ticket.comment) else said(ticket.comment, 2000),  # before it is cut: the mark stands at the end
        commented_by=said(ticket.commented_by, 100),
    )


def _incident_of(tx: Transaction, ticket: Ticket, known: KeptTicket | None, desk: Desk) -> Incident | None:
    """The incident that it was linked to, else the live one that its title or text names."""
    if known is not None and known.incident_id:
        return desk.incidents.get(tx, known.incident_id)
    names = (name for name in _INCIDENT.findall(f"{ticket.title}\n{ticket.text}") if name != ticket.ref)
    named = desk.incidents.get(tx, next(names, ""))
    return named if named is not None and named.live else None


def _kept(ticket: Ticket, known: KeptTicket | None, incident: Incident | None, desk: Desk) -> KeptTicket:
    return KeptTicket(
        connector=ticket.connector,
        ref=ticket.ref,
        title=ticket.title,
        status=ticket.status,
        opened_at=known.opened_at if known else ticket.opened_at or ticket.at,
        status_at=ticket.at,
        service=known.service if known and known.service else service_of(ticket, desk),
        incident_id=incident.id if incident else "",
        url=ticket.url or (known.url if known else ""),
        told=known.told if known else (),
    )


def service_of(ticket: Ticket, desk: Desk) -> str:
    """The catalogued service that a ticket is about, by its components and labels, else by its title; "" for none or several."""
    catalogue = desk.catalogue()
    for words in (ticket.services, _WORD.findall(ticket.title.lower())):
        found = {service.name for word in words if (service := catalogue.resolve(word)) is not None}
        if found:
            return found.pop() if len(found) == 1 else ""
    return ""


def _follow(tx: Transaction, ticket: Ticket, known: KeptTicket | None, incident: Incident, desk: Desk) -> None:
    """A comment and a move of the ticket are in the incident's timeline; a move that fits moves the incident too."""
    who = ticket.connector
    entries: list[Entry] = []
    if ticket.comment:
        said = f"{ticket.commented_by or 'somebody'} on {ticket.ref}: “{ticket.comment}”"
        entries.append(Entry(incident.id, ticket.at, EntryKind.NOTE, said, who))
    if known is None:
        entries.append(Entry(incident.id, ticket.at, EntryKind.NOTE, f"ticket {ticket.ref} is linked: {ticket.title}", who))
    elif known.status is not ticket.status:
        entries.append(Entry(incident.id, ticket.at, EntryKind.NOTE, f"ticket {ticket.ref} is {ticket.status.value}", who))
    desk.timeline.add(tx, entries)
    if known is None or known.status is ticket.status:
        return
    if ticket.status is TicketStatus.IN_PROGRESS and incident.status is Status.OPEN:
        announce(tx, desk.incidents.save(tx, incident.move(Status.ACKNOWLEDGED, desk.clock(), by=f"{who} {ticket.ref}")), desk)
    elif ticket.status is TicketStatus.DONE and incident.live and incident.firing == 0:
        resolve(tx, incident, who, f"ticket {ticket.ref} is done", desk)


def _raise(tx: Transaction, counts: Mapping[str, int], desk: Desk) -> None:
    if counts:
        on_alerts(tx, [_alert(service, n, desk) for service, n in counts.items()], desk)
    for service in counts:
        _look_later(tx, service, desk)


def _alert(service: str, count: int, desk: Desk) -> Alert:
    minutes = desk.ticketing.window.total_seconds() / 60
    return Alert(
        connector="tickets",
        name=USER_REPORTS,
        service=service,
        environment=desk.default_environment,
        severity=Severity.SEV3,
        resolved=False,
        started_at=desk.clock(),
        summary=f"{count} tickets about {service} within {minutes:.0f} min",
        description="Users report it; their tickets are not linked to an incident.",
        labels={"service": service},
        service_from="the tickets' components, labels or titles",
    )


def _look_later(tx: Transaction, service: str, desk: Desk) -> None:
    due = desk.clock() + desk.ticketing.window
    work = f"reports_quiet:{service}:{due.timestamp():.0f}"
    desk.work.start(
        tx, "housekeeping", "reports_quiet", work, {"service": service}, partition=f"reports:{service}", not_before=due
    )
