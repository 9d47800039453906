"""Somebody handled an alert in a vendor's own tool: the incident that holds it follows, and the other vendors hear of it.

A handling that changes nothing here says nothing and goes nowhere: that is what ends every echo of our own doing.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.alert import Alert, Severity, fingerprint
from bot.domain.handling import Deed, Handling, incident_of, page_key
from bot.domain.incident import Entry, EntryKind, Incident, Member, Status
from bot.errors import Unavailable
from bot.flows.announce import announce
from bot.flows.desk import Desk
from bot.flows.reaching.carrying import tell_vendors
from bot.flows.reaching.unheard import cleared_unheard
from bot.flows.resolving import resolve
from bot.ports import Claimed, Scalar, Silenced, Transaction
from bot.redact import clean, redact

_NOT_OURS = "It carries the key of a page of Tocsin's, but this Tocsin did not send it."
_LIKE_A_USER = re.compile(r"[UW][A-Z0-9]{2,20}")  # an id of Slack's, which is shown as that person


def on_handlings(tx: Transaction, handlings: Sequence[Handling], desk: Desk) -> None:
    """Each live incident that a deed is about follows; a deed about none, or one done already, is passed over."""
    for told in handlings:
        handling = replace(told, key="") if told.key and not _sent(tx, told.connector, told.key, desk) else told
        for incident in desk.incidents.live(tx):
            if _about(handling, incident):
                _follow(tx, handling, incident, desk)


def not_ours(tx: Transaction, claims: Sequence[Claimed], desk: Desk) -> list[Alert]:
    """The alerts that only look like pages of ours: anybody at the vendor can write our key there, and nothing hides behind it.

    They are of the least severity, since it may be another Tocsin's page: two that page each other for it would not end.
    """
    return [
        replace(c.alert, severity=Severity.SEV4, description=f"{_NOT_OURS}\n{c.alert.description}".strip())
        for c in claims
        if not _sent(tx, c.alert.connector, c.key, desk)
    ]


def _sent(tx: Transaction, connector: str, key: str, desk: Desk) -> bool:
    """There is an attempt of ours to page somebody there with this key, whatever became of it."""
    id = incident_of(key)
    tried = desk.reach.of(tx, id) if id else ()
    return any(one.how == connector and page_key(id, one.target) == key for one in tried)


def _about(handling: Handling, incident: Incident) -> bool:
    if handling.key:
        return incident_of(handling.key) == incident.id
    return bool(_held(handling, incident))


def _held(handling: Handling, incident: Incident) -> list[Member]:
    """The problems of the incident that the vendor's alert is."""
    same = (handling.connector, handling.ref)
    return [m for m in incident.members if handling.ref and (m.connector, m.ref) == same]


def _follow(tx: Transaction, handling: Handling, incident: Incident, desk: Desk) -> None:
    follow = {
        Deed.ACKNOWLEDGED: _acknowledged,
        Deed.UNACKNOWLEDGED: _unacknowledged,
        Deed.RESOLVED: _resolved,
        Deed.SILENCED: _silenced,
        Deed.UNSILENCED: _unsilenced,
    }.get(handling.deed)
    if follow is not None:  # a reopened one comes as an alert that fires again
        follow(tx, handling, incident, desk)


def _who(handling: Handling, desk: Desk) -> str:
    """The Slack user, where routing.yaml knows the name; else the name, fit to be shown."""
    known = desk.routing().slack_id(handling.by) if handling.by else ""
    if known:
        return known
    name = redact(clean(handling.by))[:100]
    if _LIKE_A_USER.fullmatch(name):  # what a vendor lets people call themselves must not be taken for a person in Slack
        return f"{name} in {handling.connector}"
    return name or handling.connector


def _acknowledged(tx: Transaction, handling: Handling, incident: Incident, desk: Desk) -> None:
    held = _held(handling, incident)
    late = bool(held) and all(handling.at < m.joined_at for m in held)  # it was about the time before it fired again
    if incident.status is not Status.OPEN or late:
        return
    who = _who(handling, desk)
    taken = desk.incidents.save(tx, incident.move(Status.ACKNOWLEDGED, desk.clock(), by=who))
    _tell(tx, taken, handling, who, "acknowledged", desk)
    tell_vendors(tx, taken, Deed.ACKNOWLEDGED, who, desk, come_from=handling)


def _unacknowledged(tx: Transaction, handling: Handling, incident: Incident, desk: Desk) -> None:
    if incident.status is not Status.ACKNOWLEDGED:
        return
    freed = desk.incidents.save(tx, incident.move(Status.OPEN, desk.clock()))
    _tell(tx, freed, handling, _who(handling, desk), "acknowledged no more", desk)
    tell_vendors(tx, freed, Deed.UNACKNOWLEDGED, _who(handling, desk), desk, come_from=handling)


def _resolved(tx: Transaction, handling: Handling, incident: Incident, desk: Desk) -> None:
    """The incident is over if nothing else in it fires; a page of ours that a person resolves is the whole incident."""
    who, held = _who(handling, desk), _held(handling, incident)
    others = [m for m in incident.members if m.firing and m not in held]
    if handling.key or (not others and incident.ends_by_itself):
        resolve(tx, incident, who, f"resolved in {handling.connector}", desk, come_from=handling)
        return
    names = ", ".join(m.name for m in held)
    text = f"{names} was resolved in {handling.connector}; {len(others)} other problems still fire"
    if all(e.text != text for e in desk.timeline.of(tx, incident.id)):
        desk.timeline.add(tx, [Entry(incident.id, desk.clock(), EntryKind.STATUS, text[:500], who[:100])])


def _silenced(tx: Transaction, handling: Handling, incident: Incident, desk: Desk) -> None:
    now, until = desk.clock(), handling.until
    if until is None or until <= now:
        return
    mine = {m.fingerprint for m in (incident.members if handling.key else _held(handling, incident))}
    marked = _marked(incident, dict.fromkeys(mine, until))
    if marked.members == incident.members and not handling.key:
        return
    _keep_silence(tx, incident, marked, handling, _who(handling, desk), desk)


def _keep_silence(tx: Transaction, before: Incident, marked: Incident, handling: Handling, who: str, desk: Desk) -> None:
    """The marks are kept; an incident whose every firing problem is silenced is silent itself, until the first of them ends."""
    now = desk.clock()
    firing = [m for m in marked.members if m.firing] or list(marked.members)
    ends = [m.silenced_until for m in firing if m.silenced_until is not None and m.silenced_until > now]
    whole = min(ends) if ends and len(ends) == len(firing) else None
    if whole is not None and (before.silenced_until is None or before.silenced_until < whole):
        marked = replace(marked, silenced_until=whole, silenced_by=handling.connector)
    if marked == before:
        return
    quiet = desk.incidents.save(tx, replace(marked, updated_at=now))
    names = ", ".join(m.name for m, old in zip(marked.members, before.members, strict=True) if m != old) or "it"
    part = "" if quiet.silenced_until == whole and whole else " in part"
    why = f" ({redact(clean(handling.note))[:200]})" if handling.note else ""
    _tell(tx, quiet, handling, who, f"silenced{part}: {names} until {handling.until:%Y-%m-%d %H:%M} UTC{why}", desk)
    if part == "" and before.silenced_until != quiet.silenced_until:
        tell_vendors(tx, quiet, Deed.SILENCED, who, desk, until=quiet.silenced_until, come_from=handling)


def _unsilenced(tx: Transaction, handling: Handling, incident: Incident, desk: Desk) -> None:
    mine = {m.fingerprint for m in (incident.members if handling.key else _held(handling, incident))}
    marked = _marked(incident, dict.fromkeys(mine))
    if incident.silenced_by == handling.connector:
        marked = replace(marked, silenced_until=None, silenced_by="")
    if marked == incident:
        return
    loud = desk.incidents.save(tx, replace(marked, updated_at=desk.clock()))
    _tell(tx, loud, handling, _who(handling, desk), "silenced no more", desk)


def _marked(incident: Incident, until: Mapping[str, datetime | None]) -> Incident:
    return replace(
        incident,
        members=tuple(replace(m, silenced_until=until[m.fingerprint]) if m.fingerprint in until else m for m in incident.members),
    )


def _tell(tx: Transaction, incident: Incident, handling: Handling, who: str, what: str, desk: Desk) -> None:
    now, text = desk.clock(), f"{what} (in {handling.connector})"
    desk.timeline.add(tx, [Entry(incident.id, now, EntryKind.STATUS, text[:500], who[:100])])
    desk.ledger.append(tx, now, who[:100], handling.deed.value, incident.id, {"incident": incident.key, "in": handling.connector})
    announce(tx, incident, desk)


async def see_silences(_args: Mapping[str, Scalar], desk: Desk) -> None:
    """What is silenced in the vendors' own tools is marked here, what no longer is is unmarked, what cleared is clear."""
    for name, source in desk.silence_sources.items():
        try:
            await cleared_unheard(name, source, desk)
            seen = await source.silenced()
        except Unavailable as error:
            desk.vitals.failed(f"silences of {name}", str(error))
            continue
        desk.vitals.well(f"silences of {name}")
        await desk.db.write(lambda tx, name=name, seen=seen: _seen(tx, name, seen, desk))  # type: ignore[misc]  # defaults bind the loop's values


def _seen(tx: Transaction, connector: str, seen: Collection[Silenced], desk: Desk) -> None:
    """A problem is silenced if each of its firing instances is; those that were and are not any more are told of too."""
    by_ref = {one.ref: one for one in seen}
    handlings = []
    for incident in desk.incidents.live(tx):
        mine = [m for m in incident.members if m.connector == connector and m.firing]
        if not mine or not (by_ref or any(m.silenced_until for m in mine)):
            continue
        refs = _firing_refs(tx, incident, mine, desk)
        for member in mine:
            all_of_them = [by_ref.get(ref) for ref in refs.get(member.fingerprint) or {member.ref}]
            ends = [one for one in all_of_them if one is not None]
            if ends and len(ends) == len(all_of_them):
                first = min(ends, key=lambda one: one.until)
                deed, until = Deed.SILENCED, first.until
                if member.silenced_until == until:
                    continue
                handlings.append(Handling(connector, deed, desk.clock(), member.ref, "", first.by, first.note, until))
            elif member.silenced_until is not None:
                handlings.append(Handling(connector, Deed.UNSILENCED, desk.clock(), member.ref))
    on_handlings(tx, handlings, desk)


def _firing_refs(tx: Transaction, incident: Incident, members: Sequence[Member], desk: Desk) -> dict[str, set[str]]:
    """The vendor's ids of the alerts that fire, by problem."""
    latest: dict[tuple[str, str], bool] = {}
    prints = {m.fingerprint for m in members}
    for event in desk.alerts.events(tx, incident.id):
        if event.ref and (print_ := fingerprint(event)) in prints:
            latest[print_, event.ref] = not event.resolved
    found: dict[str, set[str]] = {}
    for (print_, ref), fires in latest.items():
        if fires:
            found.setdefault(print_, set()).add(ref)
    return found
