"""What `tocsin doctor` says of deployers: what each lacks, found out by questions alone."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.commands.examination import PATIENCE, Finding
from bot.errors import BotError

if TYPE_CHECKING:
    from bot.domain.service import Catalogue
    from bot.ports import Deployer
    from bot.settings import Settings


async def examine(settings: "Settings", catalogue: "Catalogue", own: Mapping[str, "Deployer"]) -> tuple[Finding, ...]:
    """Deployers, wherever they are; where an executor has them, also when it was last heard of."""
    from bot.wiring.executor import deployers_beside  # slow: only commands that need the bot pay for it

    try:
        with deployers_beside(settings, own, lambda: catalogue) as there:
            return (*await _executor(there), *await findings(catalogue, there))
    except BotError as error:
        return (Finding("executor", False, str(error)),)


async def _executor(deployers: Mapping[str, "Deployer"]) -> tuple[Finding, ...]:
    from bot.executor.remote import RemoteDeployers  # as above

    if not isinstance(deployers, RemoteDeployers):
        return ()
    trouble = await deployers.dispatch.trouble()
    seen = await deployers.dispatch.here()
    if trouble or not seen:
        return (Finding("executor", False, trouble),)
    unknown = sorted(set(deployers) - {name for one in seen for name in one.deployers})
    if unknown:
        return (Finding("executor", False, f"{seen[0].name} has no deployer {', '.join(unknown)}, which services.yaml names"),)
    return (Finding("executor", True, f"{seen[0].name}: {await deployers.dispatch.seen()}"),)


async def findings(catalogue: "Catalogue", deployers: Mapping[str, "Deployer"]) -> tuple[Finding, ...]:
    """A line for each deployer, and one for the services whose deployer there is not."""
    told = await asyncio.gather(*(examined(name, deployer) for name, deployer in deployers.items()))
    lost = [s for s in catalogue.services.values() if s.deployer and s.deployer not in deployers]
    if not lost:
        return tuple(told)
    named = ", ".join(f"{s.name} ({s.deployer})" for s in lost[:5])
    return (*told, Finding("deployer", False, f"services.yaml names deployers that tocsin.toml does not have: {named}"))


async def examined(name: str, deployer: "Deployer") -> Finding:
    """What one deployer lacks."""
    try:
        lacks = await asyncio.wait_for(deployer.check(), PATIENCE)
    except TimeoutError:
        return Finding("deployer", False, f"{name} did not answer within {PATIENCE:g} s")
    except BotError as error:
        return Finding("deployer", False, f"{name} cannot be asked: {error}")
    if lacks:
        return Finding("deployer", False, f"{name}: {' '.join(lacks)}")
    stops = "a run can be stopped from here" if deployer.cancels else "a run cannot be stopped from here"
    return Finding("deployer", True, f"{name} lacks nothing that can be seen without deploying; {stops}")
