"""The clock struck: what is open is summarised, what is forgotten is brought up again."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta

from bot.domain.incident import Incident, Status
from bot.domain.view import DigestView, NoteView, Place
from bot.flows.anchoring import posted
from bot.flows.announce import post_once, want
from bot.flows.automating.standing import digest_lines as automatic_lines
from bot.flows.desk import Desk
from bot.flows.investigation import look
from bot.flows.locking.breaking import digest_lines as broken_lines
from bot.flows.quiet.quieting import digest_lines
from bot.flows.runbooks.recurring import recurring_lines
from bot.flows.showing import quiet_for
from bot.flows.watching.listing import digest_lines as watched_lines
from bot.investigation.quality import measure, sentence
from bot.ports import Scalar, Transaction

DAY = timedelta(days=1)
WEEK = 7  # days


async def digest(args: Mapping[str, Scalar], desk: Desk) -> None:
    """The day's summary appears once per slot in the default channel, with the heads of both chains as an outside anchor."""
    slot = str(args["slot"])
    channel = await desk.channel.channel_id(desk.routing().default.channel)
    weekly = _on_monday(slot)
    view = await desk.db.read(lambda tx: digest_view(tx, desk, weekly=weekly))
    if weekly:
        view = replace(view, lines=(*view.lines, *await recurring_lines(desk)))
    await post_once(f"digest:{slot}", Place(channel), view, desk)


def _on_monday(slot: str) -> bool:
    """The slot's label begins with its local date."""
    try:
        return date.fromisoformat(slot[:10]).weekday() == 0
    except ValueError:
        return False


def digest_view(tx: Transaction, desk: Desk, *, weekly: bool = False) -> DigestView:
    """The last 24 hours in figures; `weekly` adds how good the answers of the last seven days were."""
    now = desk.clock()
    recent = [i for i in desk.incidents.recent(tx, 200) if i.opened_at >= now - DAY]
    resolved = [i for i in recent if i.resolved_at is not None]
    shipped = [c for c in desk.changes.between(tx, now - DAY, now) if c.shipped]
    confirmed = sum(1 for i in recent if i.confirmed_cause)
    minutes = sorted((i.resolved_at - i.opened_at).total_seconds() / 60 for i in resolved if i.resolved_at)
    lines = [
        f"{len(recent)} incidents opened, {len(resolved)} of them resolved"
        + (f", half within {minutes[len(minutes) // 2]:.0f} min" if minutes else ""),
        f"{sum(i.events for i in recent)} alert events were folded into {len(recent)} cards",
        f"{len(shipped)} changes shipped",
        f"{confirmed} causes confirmed by people",
        *digest_lines(tx, desk, now - DAY),
        *watched_lines(tx, desk, now - DAY),
        *broken_lines(tx, desk, now - DAY),
        *automatic_lines(tx, desk, now - DAY),
        posted("audit", desk.ledger.head(tx)),
        posted("journal", desk.journal.head(tx)),
    ]
    if weekly:
        answers = desk.journal.every(tx, since=now - WEEK * DAY)
        lines.append(sentence(measure(answers, desk.journal.feedback(tx)), WEEK))
    return DigestView("The last 24 hours", tuple(lines), desk.incidents.live(tx), now)


async def remind(args: Mapping[str, Scalar], desk: Desk) -> None:
    """What nobody has moved for so long is brought up again in its thread, once per such span; open cards are refreshed."""
    age = timedelta(hours=float(args["hours"] or 4))
    stale = await desk.db.write(lambda tx: _stale(tx, age, desk))
    for incident, place, key in stale:
        await post_once(key, place, NoteView(_reminder(incident), () if quiet_for(incident, desk) else incident.on_call), desk)


def _stale(tx: Transaction, age: timedelta, desk: Desk) -> list[tuple[Incident, Place, str]]:
    """What has not moved, where its thread is, and the key of its reminder: a new one for each span that passed."""
    now = desk.clock()
    found = []
    for incident in desk.incidents.live(tx):
        want(tx, f"card:{incident.id}", desk)
        if desk.diagnoses.latest(tx, incident.id) is None:  # the first look failed for good; the card would look for ever
            look(tx, incident, desk)
        silent = incident.silenced_until is not None and incident.silenced_until > now
        card = desk.cards.get(tx, f"card:{incident.id}")
        moved = max((e.at for e in desk.timeline.of(tx, incident.id)), default=incident.opened_at)  # a repeated alert is no move
        if now - moved >= age and not silent and card is not None and card.place.ts:
            key = f"remind:{incident.id}:{moved.timestamp():.0f}:{(now - moved) // age}"
            found.append((incident, Place(card.place.channel, "", card.place.ts), key))
    return found


def _reminder(incident: Incident) -> str:
    who = "nobody has acknowledged it" if incident.status is Status.OPEN else "it is acknowledged and has not moved"
    return f"{incident.key} is still open and {who}. Resolve it if it is over, or silence it for a while."
