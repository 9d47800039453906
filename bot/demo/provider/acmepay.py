"""The outside payment provider, as a process of its own: limited capacity, and a switch that makes it fail.

It is not part of the shop's repository: nobody at the shop can deploy it. It borrows the shop's small HTTP library.
"""

import asyncio
import itertools
import random
from typing import Any

from lib.service import Refused, Request, Service

service = Service("acmepay", ".")
charges = itertools.count(48_211)
chance = random.Random(service.settings["seed"])
state = {"mode": "ok"}


async def work() -> None:
    """One call takes about a tenth of a second of the provider's time."""
    await asyncio.sleep(service.settings["work_ms"] / 1000 * chance.lognormvariate(0.0, 0.25))
    if state["mode"] == "slow":
        await asyncio.sleep(2.2)
    if state["mode"] == "down":
        raise Refused(503, "card network unreachable")


@service.route("GET", "/v1/token")
async def token(request: Request) -> dict[str, Any]:
    await work()
    return {"token": f"tok_{next(charges)}"}


@service.route("POST", "/v1/charges")
async def charge(request: Request) -> dict[str, Any]:
    await work()
    return {"id": f"ch_{next(charges)}", "amount": request.body["amount"]}


@service.route("POST", "/mode", pooled=False)
async def set_mode(request: Request) -> dict[str, Any]:
    state["mode"] = request.body["mode"]
    return dict(state)


if __name__ == "__main__":
    service.run()
