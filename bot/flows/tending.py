"""Somebody handles an incident, by a card's menu or by a command: takes it, ends it, keeps it quiet, catches up."""

import re
from dataclasses import replace
from datetime import timedelta

from bot.domain.handling import Deed as Handled
from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.domain.request import Deed, More, Person, Press
from bot.domain.view import CatchupView, EvidenceView, NoteView, Shown, TimelineView
from bot.errors import NotFound
from bot.flows.announce import announce
from bot.flows.desk import Desk
from bot.flows.feedback import on_press as on_feedback
from bot.flows.grouping.regroup import undo
from bot.flows.reaching.carrying import tell_vendors
from bot.flows.resolving import resolve
from bot.flows.runbooks.knowing import fit_for
from bot.flows.showing import incident_view
from bot.investigation.answers import handover
from bot.ports import Transaction
from bot.redact import redact

_SPAN = re.compile(r"^(\d{1,4})\s*([mhd])$")
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
HOUR = timedelta(hours=1)


async def on_press(press: Press, desk: Desk) -> Shown | None:
    """A button or menu entry of a card; the answer is the person's alone."""

    def go(tx: Transaction) -> Shown:
        incident = desk.incidents.get(tx, press.value)
        if incident is None:
            raise NotFound("That incident is no longer kept; `/incident list all` shows those there are.")
        if press.action_id is Deed.INCIDENT_ACK:
            return acknowledge(tx, incident, press.person, desk)
        if press.action_id is Deed.INCIDENT_RESOLVE:
            return resolve_by(tx, incident, press.person, redact(press.text), desk)
        if press.action_id is Deed.INCIDENT_SILENCE:
            return silence(tx, incident, press.person, parse_span(press.span), desk, redact(press.text))
        return _more(tx, incident, press.person, press.choice, desk)

    shown = await fit_for(await desk.db.write(go), press.place.channel, desk, press.person.id)
    if press.action_id is Deed.INCIDENT_RESOLVE and press.cause:
        return await on_feedback(replace(press, action_id=Deed.CAUSE_OTHER, text=press.cause), desk)
    return shown


def _more(tx: Transaction, incident: Incident, person: Person, choice: More | None, desk: Desk) -> Shown:
    if choice is More.UNDO:
        return undo(tx, incident, person, desk)
    if choice is More.TIMELINE:
        return TimelineView(incident, desk.timeline.of(tx, incident.id))
    diagnosis = desk.diagnoses.latest(tx, incident.id)
    if choice is More.EXPLAIN and diagnosis is not None:
        return EvidenceView(incident, diagnosis)
    return catch_up(tx, incident, desk)


def acknowledge(tx: Transaction, incident: Incident, person: Person, desk: Desk) -> Shown:
    """Somebody has taken it; the first one stays."""
    if incident.status is Status.ACKNOWLEDGED:
        mine = incident.acknowledged_by == person.id
        return NoteView(f"{incident.key} is acknowledged already" + (" by you." if mine else "."))
    now = desk.clock()
    taken = desk.incidents.save(tx, incident.move(Status.ACKNOWLEDGED, now, by=person.id))
    _log(tx, taken, person, "acknowledged", "", desk)
    tell_vendors(tx, taken, Handled.ACKNOWLEDGED, person.id, desk)
    announce(tx, taken, desk)
    return NoteView(f"{taken.key} is yours.")


def resolve_by(tx: Transaction, incident: Incident, person: Person, reason: str, desk: Desk) -> Shown:
    """A person says that it is over."""
    done = resolve(tx, incident, person.id, reason or "by hand", desk)
    return NoteView(f"{done.key} is resolved.")


def silence(tx: Transaction, incident: Incident, person: Person, span: timedelta, desk: Desk, reason: str = "") -> Shown:
    """No reminders for a while; the card stays current."""
    until = desk.clock() + span
    quiet = desk.incidents.save(tx, replace(incident, silenced_until=until, silenced_by=person.id, updated_at=desk.clock()))
    _log(tx, quiet, person, "silenced", f"until {until:%Y-%m-%d %H:%M} UTC" + (f": {reason}" if reason else ""), desk)
    tell_vendors(tx, quiet, Handled.SILENCED, person.id, desk, note=f"{quiet.key} {reason}".strip(), until=until)
    announce(tx, quiet, desk)
    return NoteView(f"{quiet.key} is silent until {until:%Y-%m-%d %H:%M} UTC; its card stays current.")


def unsilence(tx: Transaction, incident: Incident, person: Person, desk: Desk) -> Shown:
    """Reminders and escalation go on, and the vendors' silences that were made from here end."""
    if incident.silenced_until is None or incident.silenced_until <= desk.clock():
        return NoteView(f"{incident.key} is not silenced.")
    loud = desk.incidents.save(tx, replace(incident, silenced_until=None, silenced_by="", updated_at=desk.clock()))
    _log(tx, loud, person, "unsilenced", "", desk)
    tell_vendors(tx, loud, Handled.UNSILENCED, person.id, desk)
    announce(tx, loud, desk)
    return NoteView(f"{loud.key} is silent no more.")


def catch_up(tx: Transaction, incident: Incident, desk: Desk) -> CatchupView:
    """What a person who joins late needs to know."""
    view = incident_view(tx, incident, desk)
    changes = desk.changes.between(tx, incident.opened_at - HOUR, desk.clock())
    related = tuple(c for c in changes if set(c.services) & set(incident.services))
    return CatchupView(view, handover(desk.timeline.of(tx, incident.id)), related[-8:])


def _log(tx: Transaction, incident: Incident, person: Person, deed: str, detail: str, desk: Desk) -> None:
    now = desk.clock()
    desk.timeline.add(tx, [Entry(incident.id, now, EntryKind.STATUS, f"{deed} {detail}".strip(), person.id)])
    desk.ledger.append(tx, now, person.id, deed, incident.id, {"incident": incident.key, "detail": detail})


def is_span(text: str) -> bool:
    """Whether it reads like "30m", "2h" or "1d"."""
    return _SPAN.match(text) is not None


def parse_span(text: str) -> timedelta:
    """Reads "30m", "2h" or "1d"; one hour for anything else. At most 30 days."""
    match = _SPAN.match(text.strip().split(" ")[0]) if text.strip() else None
    if match is None:
        return HOUR
    return min(timedelta(**{_UNITS[match[2]]: int(match[1])}), timedelta(days=30))
