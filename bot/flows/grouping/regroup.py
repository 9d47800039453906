"""Somebody knows better which problems are one incident: incidents are merged, problems split off, and it can be taken back.

Each deed is one transaction: both incidents, their problems, what is remembered for later, timelines and audit, or nothing.
What a person said is kept as pairs of problems, which correlation obeys from then on.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import islice, product

from bot.domain.alert import Severity
from bot.domain.belonging import Belonging, Regrouping, belonging
from bot.domain.incident import Entry, EntryKind, Incident, Member, Status, merged
from bot.domain.request import Person
from bot.domain.view import NoteView, Shown
from bot.errors import IllegalMove, NotAllowed, NotFound
from bot.flows.announce import announce, want
from bot.flows.desk import Desk
from bot.flows.investigation import look
from bot.flows.settling import settle_later
from bot.flows.ticketing import hand_back, hand_over
from bot.incidents.noise.storm import titled
from bot.ports import Transaction

TOCSIN = Person("tocsin")
UNDO = timedelta(minutes=15)
MOST_WORDS = 400  # pairs remembered of one deed: the worst and first problems of each side


def merge(tx: Transaction, source: Incident, target: Incident, person: Person, desk: Desk) -> Shown:
    """All problems of `source` belong to `target`; `source` is closed and says so. Raises IllegalMove, NotAllowed, Outrun."""
    _may(person, desk)
    if source.id == target.id:
        raise IllegalMove(f"{source.key} cannot be merged into itself.")
    if source.environment != target.environment:
        raise IllegalMove(
            f"{source.key} is about {source.environment}, {target.key} about {target.environment}: those are never one incident."
        )
    for one in (source, target):
        if not one.live:
            raise IllegalMove(f"{one.key} is {one.status.value}; only open incidents can be merged.")
    gone, kept, deed = _into(tx, source, target, person, desk)
    desk.belongings.say(tx, _words(source.members, target.members, deed, related=True))
    _show(tx, (gone, kept), desk)
    return NoteView(f"{gone.key} is merged into {kept.key}. {_undo_hint(gone)}")


def fold(tx: Transaction, sources: Iterable[str], storm_id: str, desk: Desk) -> None:
    """What opened shortly before a storm was one belongs to the storm's incident; can be taken back like a merge by hand.

    Nothing is remembered of it for later: in a storm problems meet by chance.
    """
    gone: list[Incident] = []
    for id in sources:
        source, target = desk.incidents.get(tx, id), desk.incidents.get(tx, storm_id)
        if source is None or target is None or not source.live or not target.live:
            continue
        gone.append(_into(tx, source, target, TOCSIN, desk)[0])
    target = desk.incidents.get(tx, storm_id)
    if gone and target is not None:
        _show(tx, (*gone, desk.incidents.save(tx, titled(target))), desk)


def _into(
    tx: Transaction, source: Incident, target: Incident, person: Person, desk: Desk
) -> tuple[Incident, Incident, Regrouping]:
    """Both as they are once all problems of `source` belong to `target`, and the deed by which that can be taken back."""
    now, own = desk.clock(), {m.fingerprint for m in target.members}
    came = tuple(_told(m, f"merged from {source.key}") for m in source.members if m.fingerprint not in own)
    moved, tickets = tuple(m.fingerprint for m in came), hand_over(tx, source, target, desk)
    deed = Regrouping(desk.new_id(), False, now, person.id, source, target.id, target, moved, tickets=tickets)
    gone = desk.incidents.save(tx, replace(merged(source, target, now), members=()))
    kept = desk.incidents.save(
        tx,
        replace(
            target,
            members=(*target.members, *came),
            severity=Severity.worst(target.severity, source.severity),
            opened_at=min(target.opened_at, source.opened_at),
            updated_at=now,
        ),
    )
    desk.belongings.rehome(tx, [m.fingerprint for m in source.members], source.id, target.id)
    desk.belongings.keep(tx, deed)
    _log(tx, gone, person, "merged", f"merged into {kept.key}", desk)
    _log(tx, kept, person, "merged", f"took over {_count(source.members)} of {gone.key}", desk)
    return gone, kept, deed


def split(tx: Transaction, incident: Incident, named: str, person: Person, desk: Desk) -> Shown:
    """The named problems (a fingerprint, an alert's name or a service) are an incident of their own."""
    _may(person, desk)
    if not incident.live:
        raise IllegalMove(f"{incident.key} is {incident.status.value}; only an open incident can be split.")
    chosen = [m for m in incident.members if named.lower() in (m.fingerprint, m.name.lower(), m.service.lower())]
    stay = tuple(m for m in incident.members if m not in chosen)
    if not chosen:
        known = ", ".join(sorted({m.name for m in incident.members})[:10]) or "none"
        raise NotFound(f"{incident.key} has no problem {named[:60]!r}; it has {known}. Name an alert or a service.")
    if not stay:
        raise IllegalMove(f"Nothing would remain of {incident.key}; merge it into another one instead.")
    now, number = desk.clock(), desk.incidents.next_number(tx)
    fresh = desk.incidents.save(tx, _apart(incident, chosen, desk.new_id(), number, desk))
    rest = desk.incidents.save(tx, replace(incident, members=stay, severity=_severity(incident, stay), updated_at=now))
    fingerprints = tuple(m.fingerprint for m in chosen)
    deed = Regrouping(desk.new_id(), True, now, person.id, incident, fresh.id, None, fingerprints)
    desk.belongings.rehome(tx, fingerprints, incident.id, fresh.id)
    desk.belongings.say(tx, _words(chosen, stay, deed, related=False))
    desk.belongings.keep(tx, deed)
    _log(tx, rest, person, "split", f"{_count(chosen)} split off into {fresh.key}", desk)
    _log(tx, fresh, person, "split", f"split off from {rest.key}", desk)
    _show(tx, (rest, fresh), desk)
    return NoteView(f"{fresh.key} has {_count(chosen)} of {rest.key} now. {_undo_hint(rest)}")


def not_related(tx: Transaction, incident: Incident, other: Incident, person: Person, desk: Desk) -> Shown:
    """These two have nothing to do with each other; their problems are never joined again by anything that is guessed."""
    _may(person, desk)
    if incident.id == other.id:
        raise IllegalMove(f"{incident.key} is one incident; name two, or split a problem off.")
    deed = Regrouping(desk.new_id(), True, desk.clock(), person.id, incident, other.id, other, ())
    desk.belongings.say(tx, _words(incident.members, other.members, deed, related=False))
    desk.belongings.keep(tx, deed)
    _log(tx, incident, person, "told apart", f"not related to {other.key}", desk)
    _log(tx, other, person, "told apart", f"not related to {incident.key}", desk)
    return NoteView(f"Noted: {incident.key} and {other.key} are not related. {_undo_hint(incident)}")


def undo(tx: Transaction, incident: Incident, person: Person, desk: Desk) -> Shown:
    """The latest merge, split or "not related" of this incident is taken back, as is all that was remembered of it."""
    _may(person, desk)
    deed, now = desk.belongings.latest(tx, incident.id), desk.clock()
    if deed is None:
        raise NotFound(f"Nothing was merged or split of {incident.key} that could be taken back.")
    if now - deed.at > UNDO:
        raise IllegalMove(f"That was {deed.at:%Y-%m-%d %H:%M} UTC; it can be taken back for {UNDO.seconds // 60} minutes only.")
    source, target = desk.incidents.get(tx, deed.source_before.id), desk.incidents.get(tx, deed.target_id)
    if source is None or target is None:
        raise NotFound("One of the two incidents is no longer kept.")
    if deed.moved or deed.target_before is None or source.merged_into == target.key:
        source, target = _back(tx, deed, source, target, desk)
        hand_back(tx, deed.tickets, source, desk)
    desk.belongings.take_back(tx, deed.id)
    desk.belongings.keep(tx, replace(deed, undone_at=now))
    for one, other in ((source, target), (target, source)):
        _log(tx, one, person, "undone", f"taken back: what was done with {other.key} at {deed.at:%H:%M} UTC", desk)
    _show(tx, (source, target), desk)
    return NoteView(f"Taken back: {source.key} and {target.key} are as they were.")


def _back(tx: Transaction, deed: Regrouping, source: Incident, target: Incident, desk: Desk) -> tuple[Incident, Incident]:
    """Both as they were, but with what their problems did since."""
    now, moved = desk.clock(), set(deed.moved)
    there = {m.fingerprint: m for m in target.members}
    was = {m.fingerprint: m for m in deed.source_before.members}
    if deed.split:
        mine = {m.fingerprint: m for m in source.members}
        came = {f: replace(there.get(f, was[f]), reason=was[f].reason) for f in moved}
        members = tuple((came | mine)[f] for f in dict.fromkeys((*was, *mine)) if f in moved or f in mine)
        severity = Severity.worst(deed.source_before.severity, source.severity)
        restored = replace(source, members=members, updated_at=now, severity=severity)
        ended = merged(replace(target, members=tuple(m for m in target.members if m.fingerprint not in moved)), source, now)
        desk.belongings.rehome(tx, moved, target.id, source.id)
        return desk.incidents.save(tx, restored), desk.incidents.save(tx, ended)
    before = deed.target_before or target
    members = tuple(replace(there.get(f, m), reason=m.reason) for f, m in was.items())
    restored = replace(deed.source_before, members=members, version=source.version)
    rest = tuple(m for m in target.members if m.fingerprint not in moved)
    severity = before.severity if target.severity is Severity.worst(before.severity, restored.severity) else target.severity
    desk.belongings.rehome(tx, moved, target.id, source.id)
    opened_at = before.opened_at if target.opened_at == min(before.opened_at, restored.opened_at) else target.opened_at
    kept = replace(target, members=rest, severity=severity, opened_at=opened_at, updated_at=now)
    return desk.incidents.save(tx, restored), desk.incidents.save(tx, kept)


def _may(person: Person, desk: Desk) -> None:
    ruling = desk.policies().may_regroup(person.id)
    if not ruling.allowed:
        raise NotAllowed(f"{ruling.reason}.")


def _apart(incident: Incident, chosen: Sequence[Member], id: str, number: int, desk: Desk) -> Incident:
    """The incident that some problems of another make."""
    lead = min(chosen, key=lambda m: (m.severity.rank, m.joined_at, m.fingerprint))
    told = tuple(_told(m, f"split off from {incident.key}") for m in chosen)
    return Incident(
        id=id,
        number=number,
        title=(lead.summary or f"{lead.name} on {lead.service}")[:150],
        service=lead.service,
        environment=incident.environment,
        severity=_severity(incident, chosen),
        status=Status.OPEN,
        opened_at=min(m.joined_at for m in chosen),
        updated_at=desk.clock(),
        members=told,
    )


def _severity(incident: Incident, members: Sequence[Member]) -> Severity:
    """No worse than the incident was, and no worse than its problems are."""
    own = Severity.worst(*(m.severity for m in members))
    return own if own.rank > incident.severity.rank else incident.severity


def _told(member: Member, reason: str) -> Member:
    return replace(member, reason=reason)


def _words(some: Sequence[Member], others: Sequence[Member], deed: Regrouping, *, related: bool) -> list[Belonging]:
    """What the deed says of each two problems, of the worst ones where there are very many."""
    mine, theirs = (sorted(side, key=lambda m: (m.severity.rank, m.joined_at, m.fingerprint)) for side in (some, others))
    pairs = ((a, b) for a, b in product(mine[:100], theirs[:100]) if a.fingerprint != b.fingerprint)
    return [
        belonging(a.fingerprint, b.fingerprint, related=related, by=deed.by, at=deed.at, deed=deed.id)
        for a, b in islice(pairs, MOST_WORDS)
    ]


def _log(tx: Transaction, incident: Incident, person: Person, deed: str, words: str, desk: Desk) -> None:
    now = desk.clock()
    desk.timeline.add(tx, [Entry(incident.id, now, EntryKind.STATUS, words, person.id)])
    desk.ledger.append(tx, now, person.id, deed, incident.id, {"incident": incident.key, "detail": words})


def _show(tx: Transaction, changed: Iterable[Incident], desk: Desk) -> None:
    for one in changed:
        announce(tx, one, desk)
        for pointer in desk.cards.like(tx, f"pointer:{one.id}:"):
            want(tx, pointer.key, desk)
        if one.live:
            look(tx, one, desk)
            if one.members and one.firing == 0:
                settle_later(tx, one, desk)


def _count(members: Sequence[Member]) -> str:
    return f"{len(members)} problem{'' if len(members) == 1 else 's'}"


def _undo_hint(incident: Incident) -> str:
    return f"`/incident undo {incident.key}` takes it back for {UNDO.seconds // 60} minutes."
