"""What people did here is done at the vendors too: durable work per alert and per page, retried, never in anybody's way.

What came from a vendor is carried to the others and not back to it; and what a vendor then tells of it changes nothing here,
so that nothing goes round in circles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.alert import Alert, fingerprint
from bot.domain.handling import Deed, Handling
from bot.domain.incident import Incident, Member
from bot.errors import BotError, Unavailable
from bot.flows.desk import Desk
from bot.flows.reaching.paging import ended, trouble
from bot.ports import Reached, Scalar, Transaction


def tell_vendors(
    tx: Transaction,
    incident: Incident,
    deed: Deed,
    by: str,
    desk: Desk,
    *,
    note: str = "",
    until: datetime | None = None,
    come_from: Handling | None = None,
) -> None:
    """The vendors of its alerts and of our own pages hear of it, except where it came from."""
    told: dict[str, Scalar] = {"deed": deed.value, "by": by, "note": note[:500], "until": until.isoformat() if until else ""}
    for member in incident.members:
        responder = desk.responders.get(member.connector)
        over = deed is Deed.RESOLVED and not member.firing
        if responder is None or deed not in responder.deeds or over or _from_there(member, deed, come_from):
            continue
        key = f"carry:{incident.id}:{incident.version}:{deed.value}:{member.fingerprint}"
        row = Reached(key, incident.id, desk.clock(), member.connector, member.name, "due", "", deed.value)
        args = {"key": key, "incident_id": incident.id, "fingerprint": member.fingerprint, **told}
        _start(tx, "carry_alert", row, args, f"{member.connector}:{member.ref or member.fingerprint}", desk)
    done = come_from.key if come_from else ""
    pages = {(r.how, r.page) for r in desk.reach.of(tx, incident.id) if r.page and r.how in desk.pagers and r.page != done}
    for pager, page in sorted(pages if deed in (Deed.ACKNOWLEDGED, Deed.RESOLVED) else ()):
        key = f"carry:{incident.id}:{incident.version}:{deed.value}:{pager}:{page}"
        row = Reached(key, incident.id, desk.clock(), pager, page, "due", "", deed.value)
        _start(tx, "carry_page", row, {"key": key, "pager": pager, "page": page, **told}, f"{pager}:{page}", desk)


def _from_there(member: Member, deed: Deed, come_from: Handling | None) -> bool:
    """This alert is what was handled there; a silence there may cover several, and the vendor knows which."""
    if come_from is None or member.connector != come_from.connector:
        return False
    return deed is Deed.SILENCED or (member.ref != "" and member.ref == come_from.ref)


def _start(tx: Transaction, name: str, row: Reached, args: Mapping[str, Scalar], partition: str, desk: Desk) -> None:
    if desk.work.start(tx, "reach", name, row.key, args, partition=f"carry:{partition}"):
        desk.reach.put(tx, row)


async def carry_alert(args: Mapping[str, Scalar], desk: Desk) -> None:
    """One vendor's own alert is acknowledged, resolved or silenced as its incident was here. Twice is once."""
    id, print_ = str(args["incident_id"]), str(args["fingerprint"])

    def look(tx: Transaction) -> tuple[Reached | None, Member | None, Sequence[Alert]]:
        incident = desk.incidents.get(tx, id)
        member = next((m for m in incident.members if m.fingerprint == print_), None) if incident else None
        return desk.reach.get(tx, str(args["key"])), member, desk.alerts.events(tx, id)

    row, member, events = await desk.db.read(look)
    responder = desk.responders.get(member.connector) if member else None
    if row is None or row.state != "due" or member is None or responder is None:
        return
    alert, deed = _shared(member, events), Deed(str(args["deed"]))
    until = datetime.fromisoformat(str(args["until"])) if args["until"] else None
    try:
        made = await responder.carry(alert, deed, str(args["by"]), str(args["note"]), until)
    except BotError as error:
        await _failed(row, error, desk)
        return
    said = f"{deed.value} in {member.connector} too: {member.name}" + (f" ({made})" if made else "")
    desk.vitals.well(member.connector)
    await desk.db.write(lambda tx: ended(tx, row, "done", said, desk))


async def carry_page(args: Mapping[str, Scalar], desk: Desk) -> None:
    """A page of ours ends at its pager as the incident did here. Twice is once."""
    row = await desk.db.read(lambda tx: desk.reach.get(tx, str(args["key"])))
    pager = desk.pagers.get(str(args["pager"]))
    if row is None or row.state != "due" or pager is None:
        return
    deed = Deed(str(args["deed"]))
    try:
        await pager.carry(str(args["page"]), deed, str(args["by"]))
    except BotError as error:
        await _failed(row, error, desk)
        return
    desk.vitals.well(row.how)
    await desk.db.write(lambda tx: ended(tx, row, "done", f"{deed.value} in {row.how} too", desk))


async def _failed(row: Reached, error: BotError, desk: Desk) -> None:
    """Visible in the timeline; raised again where another try can help."""
    if isinstance(error, Unavailable):
        desk.vitals.failed(row.how, str(error))
        await desk.db.write(lambda tx: trouble(tx, row, error, desk))
        raise error
    said = f"{row.how} was not told ({row.detail}): {error}"
    await desk.db.write(lambda tx: ended(tx, row, "failed", said, desk))


def _shared(member: Member, events: Sequence[Alert]) -> Alert:
    """The latest alert of a problem, with the labels that all its firing instances share."""
    mine = [e for e in events if fingerprint(e) == member.fingerprint]
    latest = {tuple(sorted(e.labels.items())): e for e in mine}
    firing = [e for e in latest.values() if not e.resolved] or list(latest.values())
    labels = dict(set.intersection(*(set(e.labels.items()) for e in firing))) if firing else {}
    base = mine[-1] if mine else None
    if base is None:
        base = Alert(member.connector, member.name, member.service, "", member.severity, False, member.joined_at)
    return replace(base, labels=labels, ref=member.ref or base.ref)
