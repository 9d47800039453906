"""The figures for people: posted on Mondays with a chart, and told when somebody asks."""

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import dropwhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain.chart import Chart, Column, Drawn, HistoryChart, Row, ServicesChart
from bot.domain.delivery import DeliveryFigures, ServiceFigures
from bot.domain.request import CommandRequest
from bot.domain.view import FiguresView, NoteView, Place, Shown
from bot.errors import NotAllowed, Unavailable
from bot.flows.announce import post_once
from bot.flows.charting.incident import hand_over
from bot.flows.delivering.committing import commit_times
from bot.flows.delivering.gathering import Asked, gathered, of_service, slack_people
from bot.flows.desk import Desk
from bot.incidents.delivery.figures import figures
from bot.incidents.delivery.words import delivery_lines, lasted, note_lines, on_call_lines, service_lines
from bot.ports import Scalar

SPAN = timedelta(days=28)
SHORTEST, LONGEST = timedelta(days=1), timedelta(days=366)
PATIENCE, HURRY = 60.0, 5.0  # seconds for repositories: the weekly report waits, a person does not
USAGE = "/tocsin delivery [service] [28d]"
_DAYS = re.compile(r"(\d{1,3})([dw])")


async def delivery_report(args: Mapping[str, Scalar], desk: Desk) -> None:
    """On Mondays the figures of four weeks stand in the default channel, once per slot."""
    slot = str(args["slot"])
    try:
        monday = date.fromisoformat(slot[:10]).weekday() == 0
    except ValueError:
        monday = False
    if not monday:
        return
    found = await figures_of(desk, desk.clock() - SPAN, desk.clock(), seconds=PATIENCE)
    if not (found.total.deployments or found.total.restore.count or found.on_call.pages):
        return  # nothing happened that has a figure
    pictures, lack = await _pictures(found, desk)
    place = Place(await desk.channel.channel_id(desk.routing().default.channel))
    await post_once(f"delivery:{slot}", place, view_of(found, pictures, lack), desk)


async def on_delivery(request: CommandRequest, desk: Desk) -> Shown:
    """The figures for whoever asks: of one service or all, of four weeks or as many days as are named."""
    span, service = SPAN, ""
    for word in request.words[1:]:
        if match := _DAYS.fullmatch(word):
            span = timedelta(days=int(match[1]) * (7 if match[2] == "w" else 1))
        elif (known := desk.catalogue().resolve(word)) is not None:
            service = known.name
        else:
            return NoteView(f"I know no service {word[:60]!r}. Usage: {USAGE}")
    if not SHORTEST <= span <= LONGEST:
        return NoteView(f"A span is between 1 and 366 days. Usage: {USAGE}")
    now = desk.clock()
    return view_of(await figures_of(desk, now - span, now, seconds=HURRY, service=service), service=service)


async def figures_of(desk: Desk, since: datetime, until: datetime, *, seconds: float, service: str = "") -> DeliveryFigures:
    """The figures of a span; repositories are asked for so long."""
    people = await desk.db.read(lambda tx: slack_people(tx, desk, since))
    zones = {person: zone for person in people if (zone := await _zone(person, desk)) is not None}
    asked = Asked(since, until, desk.default_environment, desk.routing(), zones)
    past, pushes = await desk.db.read(lambda tx: gathered(tx, desk, asked))
    past = of_service(past, service) if service else past
    times = await commit_times(past.deployments, pushes, desk.change_sources, desk.catalogue(), since, seconds)
    return await asyncio.to_thread(figures, replace(past, commits=times), since, until)


async def _zone(person: str, desk: Desk) -> ZoneInfo | None:
    """Where somebody is, as the chat knows; None where it does not (it says "UTC" then)."""
    try:
        name = await desk.channel.timezone(person)
        return None if name == "UTC" else ZoneInfo(name)
    except (Unavailable, ZoneInfoNotFoundError, ValueError):
        return None


async def _pictures(found: DeliveryFigures, desk: Desk) -> tuple[tuple[Drawn, ...], str]:
    """The charts as the chat keeps them; else why there are none."""
    if not desk.draws:
        return (), ""
    try:
        return await hand_over(charts(found), "delivery", desk), ""
    except NotAllowed:
        return (), "The charts cannot be shown: the bot may hand over no files here (scope files:write)."


def charts(found: DeliveryFigures) -> tuple[Chart, ...]:
    """Deployments by week, and the services side by side; none of nothing."""
    return tuple(_charts(found))


def _charts(found: DeliveryFigures) -> Iterator[Chart]:
    weeks = tuple(dropwhile(lambda week: not week.fine + week.failed, found.weeks))  # what was before the first is not known
    if weeks:
        columns = tuple(Column(f"{w.start.day} {w.start:%b}", w.fine, w.failed) for w in weeks)
        said = "; ".join(
            f"week of {c.label}: {c.fine + c.failed}" + (f", {c.failed} failed" if c.failed else "") for c in columns
        )
        yield HistoryChart("Deployments a week", f"Deployments by week. {said}", columns)
    services = [one for one in found.services if one.deployments]
    if services:
        rows = tuple(Row(s.service, s.deployments - s.failures, s.failures, _beside(s)) for s in services)
        told = "; ".join(f"{r.label}: {r.fine + r.failed}, {r.failed} failed, {r.said}" for r in rows)
        title = f"By service, {(found.until - found.since).days} days"
        yield ServicesChart(title, f"Deployments by service. {told}", rows)


def _beside(one: ServiceFigures) -> str:
    """The other figures in a few words, without their counts, which are in the message; those of too little are left out."""
    parts = (
        f"lead {lasted(one.lead.median)}" if one.lead.median is not None else "",
        f"{100 * one.failure_rate:.0f} % failed" if one.failure_rate is not None else "",
        f"restored in {lasted(one.restore.median)}" if one.restore.median is not None else "",
    )
    return " · ".join(part for part in parts if part) or "too few for more figures"


def view_of(found: DeliveryFigures, pictures: tuple[Drawn, ...] = (), lack: str = "", service: str = "") -> FiguresView:
    """The figures as a message."""
    days = (found.until - found.since).days
    title = f"Delivery of {service}, {days} days" if service else f"Delivery and on-call, {days} days"
    parts = [("Delivery", delivery_lines(found))]
    if not service:
        parts += [("By service", service_lines(found)), ("On call", on_call_lines(found.on_call))]
    notes = (*note_lines(found.notes), *([lack] if lack else []), "What each figure means: docs/delivery.md")
    return FiguresView(
        title, tuple((name, lines) for name, lines in parts if lines), notes, pictures, found.until.astimezone(UTC)
    )
