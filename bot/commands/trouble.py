"""The trouble that the demo's panel can make beside the shop's: for the bot, its chat and its model."""

import asyncio
import contextlib

import aiohttp

from bot.commands.staging import Part, Stage
from bot.demo.levers import Lever, planted_instruction

PATIENCE = 180.0  # seconds until a rollback has to begin
CALLS, WAIT = 6, 3  # how many calls Slack turns away, and for how many seconds


def set_levers(stage: Stage, tasks: set["asyncio.Task[None]"]) -> None:
    """The panel has its buttons for trouble; what they leave running is in `tasks`."""
    grounds = stage.estate.grounds
    levers = {"kill": _kill("bot", stage.bot, stage, tasks), "slack": _slack(stage), "planted": planted_instruction(grounds)}
    if stage.executor:
        levers["kill-executor"] = _kill("executor", stage.executor, stage, tasks)
    if stage.model_door:
        levers["model"] = _model(stage)
    grounds.levers.update(levers)


def _kill(name: str, part: Part, stage: Stage, tasks: set["asyncio.Task[None]"]) -> Lever:
    deploys = stage.estate.grounds.deploys

    async def at_the_next_run() -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(deploys.next_vendor_run(), PATIENCE)
            await part.kill_and_restart()

    async def pull() -> str:
        task = asyncio.create_task(at_the_next_run())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
        return f"The {name} will be killed (kill -9) once a rollback runs, and started again. Approve one and watch: one run."

    return Lever(f"Kill the {name} during a rollback", pull)


def _model(stage: Stage) -> Lever:
    async def pull() -> str:
        async with aiohttp.ClientSession(trust_env=False) as session:
            async with session.get(stage.model_door) as answer:
                down = not (await answer.json())["down"]
            async with session.post(stage.model_door, json={"down": down}) as answer:
                answer.raise_for_status()
        return "The model answers 503 now. Press again and it is back." if down else "The model answers again."

    return Lever("Model down / up", pull)


def _slack(stage: Stage) -> Lever:
    async def pull() -> str:
        fault = {"method": "*", "kind": "ratelimited", "times": CALLS, "retry_after": WAIT}
        async with aiohttp.ClientSession(trust_env=False) as session:
            async with session.post(f"{stage.page}workspace/faults", json=fault) as answer:
                answer.raise_for_status()
        return f"Slack answers the next {CALLS} calls with 429 and asks to wait {WAIT} s. Nothing is lost, it comes later."

    return Lever("Slack says 429", pull)
