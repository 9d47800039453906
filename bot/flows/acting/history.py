"""What was shipped: our own actions with who asked and what came of them, and what others shipped, as their tools told us."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from bot.actions.naming import meant, named_service
from bot.domain.action import Action, ActionStatus
from bot.domain.change import Change, ChangeKind
from bot.domain.deployments import HistoryView, Past
from bot.domain.request import Press
from bot.domain.service import Catalogue
from bot.domain.view import Place, Shown
from bot.errors import NotFound
from bot.flows.acting.status import link_to
from bot.flows.desk import Desk
from bot.ports import Transaction

USAGE = "/deploy history [service] [environment] [days]"
USUAL_DAYS, MOST_DAYS = 7, 365
PAGE = 10
MOST = 500  # actions that are looked through
SLACK_OF_TIME = timedelta(minutes=10)  # a tool tells of a deployment a little after our own run ended
NOT_SHIPPED = frozenset({ChangeKind.COMMIT, ChangeKind.BUILD})
_DAYS = re.compile(r"(\d{1,4})d?")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which part of the past; `until` is when somebody first asked, so that pages do not move."""

    service: str
    environment: str
    days: int
    until: datetime
    page: int = 0


async def on_words(words: Sequence[str], desk: Desk) -> HistoryView:
    """`/deploy history checkout production 30`: each word may be left out. Raises NotFound."""
    return await history(read_words(words, desk.catalogue(), desk.clock()), desk)


async def on_page(press: Press, desk: Desk) -> Shown | None:
    """Another page of it. Raises NotFound where the button is none that is known any more."""
    return await history(_wanted(press.value), desk)


def read_words(words: Sequence[str], catalogue: Catalogue, now: datetime) -> Wanted:
    """What the words ask for, in any order. Raises NotFound with what could be meant."""
    places = tuple(dict.fromkeys(e for s in catalogue.services.values() for e in s.environments))
    service, environment, days = "", "", USUAL_DAYS
    for word in words:
        number = _DAYS.fullmatch(word)
        if word in places and not environment:
            environment = word
        elif not service and catalogue.resolve(word) is not None:
            service = named_service(word, catalogue).name
        elif number is not None:
            days = min(max(int(number[1]), 1), MOST_DAYS)
        elif not service:
            named_service(word, catalogue)
        else:
            raise NotFound(f"{word[:80]!r} is no environment; {meant(word, places)} Usage: {USAGE}")
    return Wanted(service, environment, days, now)


async def history(wanted: Wanted, desk: Desk) -> HistoryView:
    """One page of what was shipped in so many days, newest first."""

    def look(tx: Transaction) -> tuple[list[Past], bool]:
        since = wanted.until - timedelta(days=wanted.days)
        of = {"service": wanted.service, "environment": wanted.environment}
        actions = desk.actions.between(tx, since, wanted.until, service=of["service"], environment=of["environment"], most=MOST)
        seen = [c for c in desk.changes.between(tx, since, wanted.until) if _fits(c, wanted)]
        elsewhere = [c for c in seen if not any(_ours(c, a) for a in actions)]
        rows = [*(Past(a.created_at, action=a) for a in actions), *(Past(c.at, change=c) for c in elsewhere)]
        return sorted(rows, key=lambda row: row.at, reverse=True), len(actions) == MOST

    rows, cut = await desk.db.read(look)
    last = max(0, (len(rows) - 1) // PAGE)
    page = min(wanted.page, last)
    shown = rows[page * PAGE : (page + 1) * PAGE]

    def places(tx: Transaction) -> list[Place]:
        cards = [desk.cards.get(tx, f"action:{row.action.id}") if row.action else None for row in shown]
        return [card.place if card else Place("") for card in cards]

    links = await asyncio.gather(*(link_to(place, desk) for place in await desk.db.read(places)))
    what = " ".join(part for part in (wanted.service or "all services", wanted.environment) if part)
    return HistoryView(
        title=f"Deployments of {what}, {wanted.days} days" if wanted.days > 1 else f"Deployments of {what}, 1 day",
        rows=tuple(replace(row, link=link) for row, link in zip(shown, links, strict=True)),
        first=page * PAGE + 1,
        count=len(rows),
        as_of=wanted.until,
        older=_named(replace(wanted, page=page + 1)) if page < last else "",
        newer=_named(replace(wanted, page=page - 1)) if page else "",
        cut=cut,
    )


def _fits(change: Change, wanted: Wanted) -> bool:
    """It shipped something, to where somebody wants to know; one that does not say where counts for everywhere."""
    if change.kind in NOT_SHIPPED or (wanted.service and wanted.service not in change.services):
        return False
    return wanted.environment in ("", change.environment) or not change.environment


def _ours(change: Change, action: Action) -> bool:
    """The change is what our own run did, told by the tool that did it."""
    same = action.service in change.services and change.version == action.target
    where = change.environment in ("", action.environment)
    began, ended = action.since(ActionStatus.EXECUTING) or action.created_at, action.updated_at
    return same and where and bool(action.run) and began - SLACK_OF_TIME <= change.at <= ended + SLACK_OF_TIME


def _named(wanted: Wanted) -> str:
    """The value of a button; names of services and environments hold no line breaks."""
    at = f"{wanted.until.timestamp():.6f}"
    return "\n".join((wanted.service, wanted.environment, str(wanted.days), at, str(wanted.page)))


def _wanted(value: str) -> Wanted:
    try:
        service, environment, days, at, page = value.split("\n")
        until = datetime.fromtimestamp(float(at), UTC)
        return Wanted(service, environment, min(max(int(days), 1), MOST_DAYS), until, max(int(page), 0))
    except (ValueError, OverflowError, OSError):
        raise NotFound(f"That page is not known any more; ask again: {USAGE}") from None
