"""Alerts that no service was found for, and a person who says whose they are: kept, applied at once, undone by a press."""

from dataclasses import replace

from bot.domain.alert import Severity, fingerprint
from bot.domain.attribution import ServiceMapping
from bot.domain.incident import Entry, EntryKind, Incident
from bot.domain.request import Deed, Person, Press
from bot.domain.view import NoteView, Shown, UnmatchedView
from bot.errors import NotAllowed, NotFound
from bot.flows.announce import announce
from bot.flows.desk import Desk
from bot.flows.investigation import look
from bot.incidents.severity import severity_of
from bot.ports import Transaction
from bot.topology.attribution import said


async def list_unmatched(desk: Desk) -> UnmatchedView:
    """What could not be attributed, and what people said lately."""

    def go(tx: Transaction) -> UnmatchedView:
        services = desk.catalogue().services
        rows = desk.attributions.unmatched(tx, services.keys())
        return UnmatchedView(rows, desk.attributions.mappings(tx), tuple(sorted(services)), desk.clock())

    return await desk.db.read(go)


async def on_press(press: Press, desk: Desk) -> Shown | None:
    """A service was chosen for a label, or what somebody said is taken back. Raises NotAllowed."""
    ruling = desk.policies().may_attribute(press.person.id)
    if not ruling.allowed:
        raise NotAllowed(f"{ruling.reason}.")
    label, _, value = press.value.partition("=")
    if press.action_id is Deed.SERVICE_UNMAP:
        return await desk.db.write(lambda tx: forget(tx, label, value, press.person, desk))
    return await desk.db.write(lambda tx: assign(tx, label, value, press.text, press.person, desk))


def assign(tx: Transaction, label: str, value: str, service: str, person: Person, desk: Desk) -> Shown:
    """From now on alerts whose label says so are about this service; live incidents are told. Raises NotFound."""
    known = desk.catalogue().resolve(service)
    if known is None or not label or not value:
        raise NotFound(f"There is no service {service[:60]!r} in services.yaml; `/incident unmatched` offers those there are.")
    mapping = ServiceMapping(label, value, known.name, person.id, desk.clock())
    desk.attributions.put(tx, mapping)
    detail = {"label": label, "value": value, "service": known.name}
    desk.ledger.append(tx, mapping.at, person.id, "service mapped", known.name, detail)
    moved = [i.key for i in desk.incidents.live(tx) if _retold(tx, i, mapping, desk)]
    also = f" {', '.join(moved)} {'is' if len(moved) == 1 else 'are'} about it now." if moved else ""
    return NoteView(f"From now on alerts with {label}={value} are about {known.name}.{also} `/incident unmatched` takes it back.")


def forget(tx: Transaction, label: str, value: str, person: Person, desk: Desk) -> Shown:
    """What somebody said no longer counts for what comes in; incidents keep what they are."""
    if not desk.attributions.drop(tx, label, value):
        return NoteView("That was taken back already.")
    desk.ledger.append(tx, desk.clock(), person.id, "service mapping removed", value, {"label": label, "value": value})
    return NoteView(f"Alerts with {label}={value} are about nobody's service again; incidents keep what they are.")


def _retold(tx: Transaction, incident: Incident, mapping: ServiceMapping, desk: Desk) -> bool:
    """The members of a live incident that the mapping is about are of its service now; False if there are none."""
    catalogue = desk.catalogue()
    strangers = {m.fingerprint for m in incident.members if catalogue.resolve(m.service) is None}
    if not strangers:
        return False
    seen = desk.alerts.events(tx, incident.id)
    mine = {fp for a in seen if said(a, mapping.label) == mapping.value and (fp := fingerprint(a)) in strangers}
    if not mine:
        return False
    words = {m.service for m in incident.members if m.fingerprint in mine}
    members = tuple(replace(m, service=mapping.service) if m.fingerprint in mine else m for m in incident.members)
    severity = Severity.worst(incident.severity, severity_of((m for m in members if m.firing), catalogue)[0])
    service = mapping.service if incident.service in words else incident.service
    now = desk.clock()
    changed = replace(incident, members=members, service=service, severity=severity, updated_at=now)
    changed = desk.incidents.save(tx, changed)
    known = desk.alerts.known(tx, {(fp, "") for fp in mine})
    desk.alerts.save(tx, [replace(problem, service=mapping.service) for problem in known.values()])
    text = f"said that {mapping.label}={mapping.value} is {mapping.service}"
    desk.timeline.add(tx, [Entry(incident.id, now, EntryKind.NOTE, text, mapping.by)])
    announce(tx, changed, desk)
    look(tx, changed, desk)
    return True
