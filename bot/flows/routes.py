"""Where an incident would go, who would own it, who would be reached when: for `/tocsin route` and the command line."""

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from difflib import get_close_matches

from bot.domain.alert import Severity
from bot.domain.request import CommandRequest
from bot.domain.service import Catalogue
from bot.domain.view import NoteView
from bot.errors import BotError
from bot.flows.desk import Desk
from bot.flows.reaching.oncall import persons_of
from bot.incidents.routing import Routing
from bot.ports import Schedules

_ID = re.compile(r"\b[UW](?=[A-Z]*[0-9])[A-Z0-9]{2,20}\b")  # of a Slack user
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
    pagers: Collection[str],
) -> tuple[str, ...]:
    """Every decision in order, one line each; a pager's schedule is asked, as of now."""
    known = catalogue.get(service)
    lines = (
        *_unknown(service, catalogue),
        *routing.explain(known.owner, known.name, severity, environment, at),
        *(f"  ! {line}" for line in without_credentials(routing, pagers, schedules)),
    )
    asked = routing.route(known.owner, known.name, severity, environment, at).on_call_from
    if asked is None or asked.kind == "rota":
        return lines
    try:
        people = await persons_of(asked, routing, at, schedules.get)
        said = ", ".join(f"{p.name} <{p.email}>" if p.email and p.email != p.name else p.name for p in people) or "nobody"
    except BotError as error:
        said = f"it did not say: {error}"
    return (*lines, f"  {asked} now: {said}")


def _unknown(service: str, catalogue: Catalogue) -> tuple[str, ...]:
    """What to say first of a service that the catalogue does not know."""
    if catalogue.resolve(service) is not None:
        return ()
    every = sorted({*catalogue.services, *(a for s in catalogue.services.values() for a in s.aliases)})
    close = get_close_matches(service, every, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    return (f"There is no service {service[:80]!r} in services.yaml{hint} This is where alerts of nobody's service go:",)


def without_credentials(routing: Routing, pagers: Collection[str], schedules: Collection[str]) -> tuple[str, ...]:
    """What routing.yaml names that could not be done, since the vendor's credentials are not set: one sentence each."""
    pages = [f"{t} cannot page: the credentials of {t.kind} are not set" for t in routing.pages if t.kind not in pagers]
    asks = [f"{t} cannot be asked who is on call: the credentials of {t.kind} are not set" for t in routing.asks]
    unasked = [said for said, t in zip(asks, routing.asks, strict=True) if t.kind not in schedules]
    return tuple(f"{said}; see docs/connectors" for said in (*pages, *unasked))


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
        pagers=desk.pagers,
    )
    told = "\n".join(lines)
    return NoteView(told, named=tuple(dict.fromkeys(_ID.findall(told))))
