"""What runs now, what is locked, what is under way: the deployers are asked, with little time to answer."""

import asyncio
from collections.abc import Iterable

from bot.actions.naming import named_service
from bot.domain.action import Action
from bot.domain.deployments import Running, StatusView
from bot.domain.incident import Incident
from bot.domain.service import Service
from bot.domain.view import Place
from bot.errors import BotError
from bot.flows.desk import Desk
from bot.flows.locking.locks import held_lines
from bot.ports import Transaction
from bot.redact import clean, redact

ASKING = 5.0  # seconds, for all deployers together
AT_ONCE = 8
MOST = 30  # pairs of service and environment that are asked about


async def status(name: str, desk: Desk) -> StatusView:
    """Of one service, or of all that can be deployed. Raises NotFound."""
    service = named_service(name, desk.catalogue()) if name else None

    def look(tx: Transaction) -> tuple[tuple[str, ...], tuple[str, ...], list[tuple[Action, Place]], tuple[Incident, ...]]:
        lines, owners = held_lines(tx, service, desk)
        unfinished = [a for a in desk.actions.unfinished(tx) if service is None or a.service == service.name]
        cards = [(a, desk.cards.get(tx, f"action:{a.id}")) for a in unfinished]
        hurt = tuple(i for i in desk.incidents.live(tx) if service is None or service.name in i.services)
        return lines, owners, [(a, card.place if card else Place("")) for a, card in cards], hurt

    held, owners, under_way, incidents = await desk.db.read(look)
    able = [s for s in desk.catalogue().services.values() if s.deployer in desk.deployers]
    places = [(s, e) for s in ([service] if service else able) for e in s.environments]
    found = asyncio.gather(*(link_to(place, desk) for _, place in under_way))
    running, links = await asyncio.gather(_running(places[:MOST], desk), found)
    return StatusView(
        service=service.name if service else "",
        running=running,
        held=held,
        under_way=tuple((action, link) for (action, _), link in zip(under_way, links, strict=True)),
        incidents=incidents,
        as_of=desk.clock(),
        named=owners,
        more=max(0, len(places) - MOST),
    )


async def link_to(place: Place, desk: Desk) -> str:
    """The address of a message, "" where it has none or the chat does not say in time."""
    if not (place.channel and place.ts):
        return ""
    try:
        async with asyncio.timeout(ASKING):
            return await desk.channel.permalink(place)
    except (BotError, TimeoutError):
        return ""


async def _running(places: Iterable[tuple[Service, str]], desk: Desk) -> tuple[Running, ...]:
    at_once = asyncio.Semaphore(AT_ONCE)
    end = asyncio.get_running_loop().time() + ASKING

    async def ask(service: Service, environment: str) -> Running:
        deployer = desk.deployers.get(service.deployer)
        if deployer is None:
            return Running(service.name, environment, trouble="it has no deployer, so nobody can be asked")
        try:
            async with asyncio.timeout_at(end), at_once:
                found = await deployer.current(service.name, environment)
        except TimeoutError:
            return Running(service.name, environment, trouble=f"its deployer did not answer within {ASKING:g} s")
        except BotError as error:
            return Running(service.name, environment, trouble=redact(error.for_people))
        version, commit = redact(clean(found.version)), redact(clean(found.commit))
        return Running(service.name, environment, version, commit, found.deployed_at)

    return tuple(await asyncio.gather(*(ask(service, environment) for service, environment in places)))
