"""An incident's ticket: opened or linked, told what happened, moved along; each step is made once, however often it is tried."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.domain.request import Person
from bot.domain.ticket import Ticket, TicketStatus
from bot.domain.view import NoteView, Shown
from bot.errors import NotFound
from bot.flows.announce import want
from bot.flows.desk import Desk
from bot.ports import KeptTicket, Scalar, TicketDraft, Tracker, Transaction
from bot.redact import clean, redact

STATUS = {Status.OPEN: TicketStatus.OPEN, Status.ACKNOWLEDGED: TicketStatus.IN_PROGRESS, Status.RESOLVED: TicketStatus.DONE}
TOLD = frozenset({EntryKind.STATUS, EntryKind.ACTION, EntryKind.NOTE, EntryKind.DIAGNOSIS})  # kinds that a ticket hears of
MOST_TOLD = 500  # marks that are remembered of one ticket
AT_ONCE = 10  # comments in one step
LONGEST_COMMENT = 3000  # characters: shorter than what connectors read, or our mark at its end would be lost


def ask(tx: Transaction, incident: Incident, person: Person, ref: str, desk: Desk) -> Shown:
    """A person wants a ticket for an incident: the one they name, else a new one. Raises NotFound without a tracker."""
    name = desk.ticketing.tracker or next(iter(sorted(desk.trackers)), "")
    if name not in desk.trackers:
        raise NotFound("No tracker is configured. docs/tickets.md says how: [tickets] tracker, and the connector's own settings.")
    there = [t for t in desk.tickets.of_incident(tx, incident.id) if not ref or t.ref == ref]
    if there:
        return NoteView(f"{incident.key} has the ticket {there[0].ref}.")
    args = {"incident_id": incident.id, "tracker": name, "ref": ref, "by": person.id}
    work = f"keep_ticket:{incident.id}:asked:{ref}"
    desk.work.start(tx, "housekeeping", "keep_ticket", work, args, partition=f"ticket:{incident.id}")
    desk.ledger.append(tx, desk.clock(), person.id, "asked for a ticket", incident.id, {"incident": incident.key, "ref": ref})
    return NoteView(f"{ref} will be linked to {incident.key}." if ref else f"A ticket for {incident.key} is being opened.")


async def keep_ticket(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The incident's tickets say what it says; the one that was asked for, or that its severity calls for, is there."""
    id = str(args["incident_id"])
    incident = await desk.db.read(lambda tx: desk.incidents.get(tx, id))
    if incident is None:
        return
    kept = await desk.db.read(lambda tx: desk.tickets.of_incident(tx, id))
    tracker = str(args.get("tracker") or desk.ticketing.tracker)
    ref = str(args.get("ref") or "")
    missing = ref not in {t.ref for t in kept} if ref else not kept and not incident.merged_into
    if missing and tracker in desk.trackers:
        kept = (*kept, await _brought(incident, tracker, ref, desk))
    for ticket in kept:
        if ticket.connector in desk.trackers:
            await _told(incident, ticket, desk.trackers[ticket.connector], desk)


async def _brought(incident: Incident, name: str, ref: str, desk: Desk) -> KeptTicket:
    """The ticket of this name, else a new one; linked, and in the timeline once."""
    tracker = desk.trackers[name]
    found = await tracker.get(ref) if ref else await tracker.open(_draft(incident))
    if found is None:
        raise NotFound(f"{name} has no ticket {ref[:60]}.")
    ticket = _linked(incident, found, name)

    def record(tx: Transaction) -> None:
        deed = "linked" if ref else "opened"
        known = desk.tickets.get(tx, ticket.connector, ticket.ref)
        if known is None or known.incident_id != incident.id:
            text = f"ticket {ticket.ref} was {deed} {ticket.url}".strip()
            desk.timeline.add(tx, [Entry(incident.id, desk.clock(), EntryKind.NOTE, text, name)])
        desk.tickets.save(tx, replace(ticket, told=known.told if known else ()))
        want(tx, f"card:{incident.id}", desk)

    await desk.db.write(record)
    return ticket


def _draft(incident: Incident) -> TicketDraft:
    lines = [f"{incident.key}: {incident.title}", f"Severity {incident.severity}, {incident.service} in {incident.environment}."]
    lines += [f"- {m.name} on {m.service}: {m.summary}" for m in incident.members[:10]]
    if len(incident.members) > 10:
        lines.append(f"- {len(incident.members) - 10} more problems")
    title = f"{incident.key} {incident.title}"
    return TicketDraft(f"tocsin:{incident.id}", title[:250], "\n".join(lines), incident.service, incident.severity)


def _linked(incident: Incident, ticket: Ticket, name: str) -> KeptTicket:
    return KeptTicket(
        connector=name,
        ref=clean(ticket.ref)[:200],
        title=redact(clean(ticket.title))[:300],
        status=ticket.status,
        opened_at=ticket.opened_at or ticket.at,
        status_at=ticket.at,
        service=incident.service,
        incident_id=incident.id,
        url=ticket.url,
    )


async def _told(incident: Incident, ticket: KeptTicket, tracker: Tracker, desk: Desk) -> None:
    """What the ticket has not heard yet becomes comments, then its status follows; what was done is remembered step by step."""
    entries = await desk.db.read(lambda tx: desk.timeline.of(tx, incident.id))
    unheard = list(_unheard(ticket, entries))
    for mark, entry in unheard[:AT_ONCE]:
        said = f"{entry.at:%Y-%m-%d %H:%M} UTC: {entry.text[:LONGEST_COMMENT]}"
        await tracker.comment(ticket.ref, said, f"{incident.id}:{mark}")
        await _remember(ticket, desk, mark=mark)
    wanted = STATUS.get(incident.status)
    if wanted is not None and ticket.status is not wanted:
        await tracker.move(ticket.ref, wanted)
        await _remember(ticket, desk, status=wanted)
    if len(unheard) > AT_ONCE:
        await desk.db.write(lambda tx: _go_on(tx, incident, unheard[AT_ONCE][0], desk))


def _go_on(tx: Transaction, incident: Incident, mark: str, desk: Desk) -> None:
    """The rest is told in another step, whether or not anything more happens."""
    args = {"incident_id": incident.id}
    desk.work.start(
        tx, "housekeeping", "keep_ticket", f"keep_ticket:{incident.id}:rest:{mark}", args, partition=f"ticket:{incident.id}"
    )


def hand_over(tx: Transaction, source: Incident, target: Incident, desk: Desk) -> tuple[tuple[str, str], ...]:
    """The tickets of an incident that was merged follow the one that goes on, from now on; which those are."""
    kept = desk.tickets.of_incident(tx, source.id)
    past = [_mark(entry) for entry in desk.timeline.of(tx, target.id)] if kept else []
    for ticket in kept:
        desk.tickets.save(tx, replace(ticket, incident_id=target.id, told=(*ticket.told, *past)[-MOST_TOLD:]))
    return tuple((ticket.connector, ticket.ref) for ticket in kept)


def hand_back(tx: Transaction, names: Iterable[tuple[str, str]], source: Incident, desk: Desk) -> None:
    """The merge was taken back: its tickets follow their own incident again."""
    for connector, ref in names:
        ticket = desk.tickets.get(tx, connector, ref)
        if ticket is not None:
            desk.tickets.save(tx, replace(ticket, incident_id=source.id))


def _mark(entry: Entry) -> str:
    """By which a ticket knows what it was told."""
    return hashlib.sha256(f"{entry.at.isoformat()}|{entry.kind}|{entry.text}".encode()).hexdigest()[:12]


def _unheard(ticket: KeptTicket, entries: Sequence[Entry]) -> Iterator[tuple[str, Entry]]:
    """Entries that the ticket has not heard of; what came from the tracker itself it knows."""
    for entry in entries:
        mark = _mark(entry)
        if entry.kind in TOLD and entry.by != ticket.connector and mark not in ticket.told:
            yield mark, entry


async def _remember(ticket: KeptTicket, desk: Desk, *, mark: str = "", status: TicketStatus | None = None) -> None:
    """What the ticket was told, beside what the tracker told of it meanwhile."""

    def go(tx: Transaction) -> None:
        known = desk.tickets.get(tx, ticket.connector, ticket.ref) or ticket
        told = (*known.told, mark)[-MOST_TOLD:] if mark else known.told
        desk.tickets.save(tx, replace(known, told=told, status=status or known.status))

    await desk.db.write(go)
