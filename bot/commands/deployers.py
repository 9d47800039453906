"""What `tocsin doctor` says of deployers: what each lacks, found out by questions alone."""

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING

from bot.commands.examination import PATIENCE, Finding
from bot.errors import BotError

if TYPE_CHECKING:
    from bot.domain.service import Catalogue
    from bot.ports import Deployer


async def findings(catalogue: "Catalogue", deployers: Mapping[str, "Deployer"]) -> tuple[Finding, ...]:
    """A line for each deployer, and one for the services whose deployer there is not."""
    examined = await asyncio.gather(*(_examined(name, deployer) for name, deployer in deployers.items()))
    lost = [s for s in catalogue.services.values() if s.deployer and s.deployer not in deployers]
    if not lost:
        return tuple(examined)
    named = ", ".join(f"{s.name} ({s.deployer})" for s in lost[:5])
    return (*examined, Finding("deployer", False, f"services.yaml names deployers that tocsin.toml does not have: {named}"))


async def _examined(name: str, deployer: "Deployer") -> Finding:
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
