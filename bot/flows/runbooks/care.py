"""Runbooks are looked after: queries and links are tried at night, and their owners hear once a month what needs them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from bot.domain.alert import Severity
from bot.domain.care import Check, Health, Missing, Tried
from bot.domain.document import Audience, DocumentKind
from bot.domain.request import CommandRequest
from bot.domain.view import CareRow, CareView, Place, Shown
from bot.errors import BotError, NotFound, Unavailable
from bot.flows.announce import post_once
from bot.flows.desk import Desk
from bot.flows.runbooks.knowing import audience_of
from bot.flows.runbooks.needs import DAYS, Report, records_of, report
from bot.knowledge import care
from bot.knowledge.promql import filled, metrics
from bot.ports import Scalar, Transaction

LONGEST = timedelta(minutes=15)  # of one night
GIVE_UP = 5  # tries in a row that could not be made
ROWS = 15  # runbooks or alerts in one message
WHICH = ("stale", "missing", "unused")
Sleep = Callable[[float], Awaitable[None]]


# --- the nightly run ------------------------------------------------------------------------------------------------


async def check_runbooks(_args: Mapping[str, Scalar], desk: Desk, sleep: Sleep = asyncio.sleep) -> None:
    """Queries and links of the runbooks are tried, those first that were not tried for longest; what is gone is forgotten."""
    books = [d for d in desk.library.documents if d.kind is DocumentKind.RUNBOOK]
    if not desk.library.ready:
        return
    wanted = {(c.document, c.kind, c.text): c for book in books for c in care.tries(book) if _can(c, desk)}

    def begin(tx: Transaction) -> dict[tuple[str, Tried, str], Check]:
        before = {(c.document, c.kind, c.text): c for c in desk.checks.all(tx)}
        desk.checks.drop(tx, [c for key, c in before.items() if key not in wanted])
        desk.checks.meet(tx, [b.id for b in books], desk.clock())
        return before

    before = await desk.db.write(begin)
    due = [replace(c, at=b.at, good_at=b.good_at) if (b := before.get(key)) else c for key, c in wanted.items()]
    skipped = [replace(c, at=desk.clock()) for c in due if c.health is Health.SKIPPED]
    await desk.db.write(lambda tx: desk.checks.put(tx, skipped))
    due = [c for c in due if c.health is not Health.SKIPPED]
    due.sort(key=lambda c: (c.at or datetime.min.replace(tzinfo=UTC), c.document, c.text))
    await _night(due[: desk.care.most], desk, sleep)


def _can(check: Check, desk: Desk) -> bool:
    """There is somewhere to try it; a page on a host that nobody listed is left alone."""
    if check.kind is Tried.QUERY:
        return bool(desk.probes)
    return bool(desk.sources.links.plain(check.text)) and check.health is not Health.SKIPPED


async def _night(due: Sequence[Check], desk: Desk, sleep: Sleep) -> None:
    until = desk.clock() + LONGEST
    failed = dict.fromkeys(Tried, 0)
    for check in due:
        if desk.clock() > until or failed[check.kind] >= GIVE_UP:
            continue
        try:
            health, reason = await _tried(check, desk)
            failed[check.kind] = 0
        except Unavailable as error:
            failed[check.kind] += 1
            health, reason = Health.UNKNOWN, error.for_people
        except BotError as error:  # it leads where we may not go, or is too large
            health, reason = Health.UNKNOWN, error.for_people
        now = desk.clock()
        good = now if health in (Health.FINE, Health.NO_DATA) else check.good_at
        done = replace(check, health=health, reason=reason[:300], at=now, good_at=good)
        await desk.db.write(lambda tx, done=done: desk.checks.put(tx, [done]))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        await sleep(desk.care.pause)


async def _tried(check: Check, desk: Desk) -> tuple[Health, str]:
    if check.kind is Tried.LINK:
        return (Health.FINE, "") if await desk.sources.links.alive(check.text) else (Health.DEAD, "there is no such page")
    query = filled(check.text).runnable
    names = metrics(query)
    told: list[tuple[Health, str]] = []
    for probe in desk.probes:
        told.append(await probe.health(query, names))
        if told[-1][0] is Health.FINE:
            break
    return min(told, key=lambda t: _BEST.index(t[0]))


_BEST = (Health.FINE, Health.NO_DATA, Health.NO_METRIC, Health.BROKEN)  # of several Prometheus one has it


# --- on demand ------------------------------------------------------------------------------------------------------


async def on_care(request: CommandRequest, desk: Desk) -> Shown:
    """`/runbook stale|missing|unused`: what the person who asks may see of it there."""
    audience = await audience_of(request.channel, desk, request.person.id)
    return view(request.words[0], await report(audience, records_of(desk)))


def view(which: str, found: Report, most: int | None = ROWS) -> CareView:
    """One of the three lists, the first `most` of it."""
    if which == "missing":
        rows = [_missing(m) for m in found.missing]
        return CareView("Alerts without a runbook", tuple(rows[:most]), len(rows), found.note, _NONE[which])
    listed = found.stale if which == "stale" else found.unused
    rows = [CareRow(a.title, a.owner, a.reasons, a.link, a.path) for a in listed]
    title = "Runbooks that need their owner" if which == "stale" else "Runbooks that nobody uses"
    return CareView(title, tuple(rows[:most]), len(rows), found.note, _NONE[which])


_NONE = {
    "stale": "No runbook is stale.",
    "missing": f"Every alert of the last {DAYS} days has a runbook.",
    "unused": "Every runbook was of use.",
}


def _missing(one: Missing) -> CareRow:
    times = "once" if one.times == 1 else f"{one.times} times"
    without = "never with a runbook" if one.without >= one.times else f"{one.without} of its incidents had no runbook"
    often = f"fired {times} in {DAYS} days, {without}"
    worst = f"at worst {one.severity.value}"
    title = f"{one.name} on {one.service}" if one.service else one.name
    return CareRow(title, one.owner, (often, worst))


# --- once a month ---------------------------------------------------------------------------------------------------


async def monthly(args: Mapping[str, Scalar], desk: Desk) -> None:
    """On the first Monday of a month each owner's channel gets what concerns them; what has no owner goes to the default one."""
    slot = str(args["slot"])[:10]
    try:
        if not care.is_first_monday(date.fromisoformat(slot)):
            return
    except ValueError:
        return
    by_channel: dict[str, list[str]] = {}
    everything = await report(Audience(whole=True), records_of(desk))
    told = (*everything.stale, *everything.unused)
    owners = dict.fromkeys((*(a.owner for a in told), *(m.owner for m in everything.missing)))
    for owner in owners:
        by_channel.setdefault(_channel(owner, desk), []).append(owner)
    for channel, theirs in sorted(by_channel.items()):
        await _tell(channel, theirs, slot, desk)


async def _tell(channel: str, owners: Sequence[str], slot: str, desk: Desk) -> None:
    try:
        place = Place(await desk.channel.channel_id(channel))
    except NotFound:
        place = Place(await desk.channel.channel_id(desk.routing().default.channel))
    found = await report(await audience_of(place.channel, desk), records_of(desk))
    mine = Report(
        stale=tuple(a for a in found.stale if a.owner in owners and a.reasons != ("never reviewed",)),
        unused=tuple(a for a in found.unused if a.owner in owners),
        missing=tuple(m for m in found.missing if m.owner in owners),
        note=found.note,
    )
    never = sum(1 for a in found.stale if a.owner in owners and a.reasons == ("never reviewed",))
    for which in WHICH:
        shown = view(which, mine)
        if which == "stale" and never:
            shown = replace(shown, note=f"{never} more were never reviewed. {shown.note}")
        if shown.rows:
            await post_once(f"care:{slot}:{which}:{place.channel}", place, shown, desk)


def _channel(owner: str, desk: Desk) -> str:
    """Where things of this owner go, by routing."""
    route = desk.routing().route(owner, "", Severity.SEV4, desk.default_environment, desk.clock())
    return route.channel
