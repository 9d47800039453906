"""What we sell, what it costs, and how much of it is left."""

import asyncio
from typing import Any

from lib.service import Refused, Request, Service

service = Service("inventory", "services/inventory")
store = service.client("store")
rows = service.cache("rows", service.settings["row_cache_seconds"])


async def row(sku: str) -> dict[str, Any]:
    return await rows.get(sku, lambda: store.call("GET", f"/rows?key={sku}"))


@service.route("GET", "/catalogue")
async def catalogue(request: Request) -> dict[str, Any]:
    scanned = await store.call("GET", "/scan")
    return {"products": [{"sku": r["sku"], "price": r["price"]} for r in scanned["rows"]]}


@service.route("GET", "/stock")
async def stock(request: Request) -> dict[str, Any]:
    sku = request.query["sku"]
    found = await row(sku)
    if found["status"] == 404:
        raise Refused(404, f"unknown product {sku}")
    return {"sku": sku, "available": found["row"]["stock"], "price": found["row"]["price"]}


@service.route("POST", "/reservations")
async def reserve(request: Request) -> dict[str, Any]:
    taken = {}
    for line in request.body["lines"]:
        found = await row(line["sku"])
        bundle = found["row"].get("bundle") or []
        for sku in [line["sku"], *bundle]:
            taken[sku] = taken.get(sku, 0) + line["quantity"]
    await asyncio.sleep(service.settings["allocation_ms"] / 1000)
    await store.call("POST", "/rows", {"order": request.body["order"], "taken": taken})
    service.log.info("reserved", order=request.body["order"], items=sum(taken.values()))
    return {"reserved": taken}


if __name__ == "__main__":
    service.run()
