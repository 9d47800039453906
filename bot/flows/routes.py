"""Where an incident would go, who would own it, who would be reached when: for `/tocsin route` and the command line."""

from collections.abc import Mapping
from datetime import datetime

from bot.domain.alert import Severity
from bot.domain.request import CommandRequest
from bot.domain.service import Catalogue
from bot.domain.view import NoteView
from bot.errors import BotError
from bot.flows.desk import Desk
from bot.flows.oncall import persons_of
from bot.incidents.routing import Routing
from bot.ports import Schedules

USAGE = "Usage: /tocsin route <service> [SEV1|SEV2|SEV3|SEV4] [environment]"


async def explained(
    service: str,
    severity: Severity,
    environment: str,
    at: datetime,
    *,
    catalogue: Catalogue,
    routing: Routing,
    schedules: Mapping[str, Schedules],
) -> tuple[str, ...]:
    """Every decision in order, one line each; a pager's schedule is asked, as of now."""
    known = catalogue.get(service)
    lines = routing.explain(known.owner, known.name, severity, environment, at)
    asked = routing.route(known.owner, known.name, severity, environment, at).on_call_from
    if asked is None or asked.kind == "rota":
        return lines
    try:
        people = await persons_of(asked, routing, at, schedules.get)
        said = ", ".join(f"{p.name} <{p.email}>" if p.email and p.email != p.name else p.name for p in people) or "nobody"
    except BotError as error:
        said = f"it did not say: {error}"
    return (*lines, f"  {asked} now: {said}")


async def route(request: CommandRequest, desk: Desk) -> NoteView:
    """The same in Slack, as of now."""
    words = request.words[1:]
    if not words:
        return NoteView(USAGE)
    named = [w.upper() for w in words[1:] if w.upper() in Severity.__members__]
    environment = next((w for w in words[1:] if w.upper() not in Severity.__members__), desk.default_environment)
    lines = await explained(
        words[0],
        Severity(named[0]) if named else Severity.SEV2,
        environment,
        desk.clock(),
        catalogue=desk.catalogue(),
        routing=desk.routing(),
        schedules=desk.schedules,
    )
    return NoteView("\n".join(lines))
