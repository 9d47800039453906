"""What alerts did to an incident, in words, for its timeline: one line per kind of news, however many alerts there were."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.domain.incident import Entry, EntryKind, Incident, Member
from bot.incidents.bundles import Joined

SHOWN = 3  # so many are named; the others are counted


def told(before: Incident | None, now: Incident, joined: Sequence[Joined], at: datetime) -> tuple[Entry, ...]:
    """The entries that tell how `before` (None: it did not exist) became `now`."""
    return tuple(_told(before, now, joined, at))


def _told(before: Incident | None, now: Incident, joined: Sequence[Joined], at: datetime) -> Iterator[Entry]:
    old = {m.fingerprint: m for m in before.members} if before else {}
    again = [m for m in now.members if m.fingerprint in old and m.firing and not old[m.fingerprint].firing]
    more = [m for m in now.members if m.fingerprint in old and m.firing > old[m.fingerprint].firing > 0]
    cleared = [m for m in now.members if not m.firing and (m.fingerprint not in old or old[m.fingerprint].firing)]
    alert = EntryKind.ALERT
    if before is not None and before.live != now.live:
        why = f": {_names(again)} fires again" if len(again) == 1 else f": {len(again)} problems fire again" if again else ""
        yield Entry(now.id, at, EntryKind.STATUS, f"reopened{why}")
    elif again:
        yield Entry(now.id, at, alert, f"{_names(again)} {'fires' if len(again) == 1 else 'fire'} again")
    for line in _joined(joined):
        yield Entry(now.id, min(one.arrival.at for one in joined), alert, line, joined[0].arrival.alert.connector)
    if before is not None and before.severity is not now.severity:
        yield Entry(now.id, at, EntryKind.STATUS, f"severity raised from {before.severity} to {now.severity}")
    for member in more[:SHOWN]:
        yield Entry(now.id, at, alert, f"{_name(member)}: {member.firing} instances fire (were {old[member.fingerprint].firing})")
    if cleared:
        everything = "; all alerts are clear" if now.firing == 0 else ""
        yield Entry(now.id, at, alert, f"{_names(cleared)} cleared{everything}")


def _joined(joined: Sequence[Joined]) -> Iterator[str]:
    for one in joined[:SHOWN]:
        alert = one.arrival.alert
        summary = f" “{alert.summary[:120]}”" if alert.summary else ""
        yield f"{alert.name} on {alert.service}{summary}: {one.reason}"
    if len(joined) > SHOWN:
        services = sorted({one.arrival.alert.service for one in joined[SHOWN:]})
        shown = ", ".join(services[:5]) + (" …" if len(services) > 5 else "")
        yield f"{len(joined) - SHOWN} more problems joined ({shown})"


def _name(member: Member) -> str:
    return f"{member.name} on {member.service}"


def _names(members: Sequence[Member]) -> str:
    shown = ", ".join(_name(m) for m in members[:SHOWN])
    return shown if len(members) <= SHOWN else f"{shown} and {len(members) - SHOWN} more"
