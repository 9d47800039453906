"""Keeps the shop's rows: pages on a slow disk, behind a page cache."""

import asyncio
import random
from typing import Any

from lib.service import Refused, Request, Service

service = Service("store", "services/store")
pages = service.cache("pages", service.settings["page_cache_seconds"])
ROWS = {
    f"sku-{n}": {
        "sku": f"sku-{n}",
        "price": 500 + 137 * n % 4000,
        "stock": 10_000_000,
        "bundle": [f"sku-{n + 1}"] if n % 4 == 0 else None,
    }
    for n in range(1, 25)
}


async def read_page(number: int) -> int:
    """Wait for the disk to deliver one page."""
    await asyncio.sleep(service.settings["disk_read_ms"] / 1000)
    return number


async def page_of(sku: str) -> int:
    number = int(sku.partition("-")[2]) // 4
    return await pages.get(str(number), lambda: read_page(number))


@service.route("GET", "/rows")
async def get_row(request: Request) -> dict[str, Any]:
    found = ROWS.get(request.query["key"])
    if found is None:
        raise Refused(404, f"no row {request.query['key']}")
    await page_of(found["sku"])
    await asyncio.sleep(service.settings["row_ms"] / 1000)
    return {"row": found}


@service.route("GET", "/scan")
async def scan(request: Request) -> dict[str, Any]:
    await asyncio.sleep(service.settings["scan_ms"] / 1000)
    return {"rows": list(ROWS.values())}


@service.route("POST", "/rows")
async def write(request: Request) -> dict[str, Any]:
    for sku, quantity in request.body["taken"].items():
        changed = ROWS.get(sku)
        if changed is None:
            continue
        await page_of(sku)
        changed["stock"] -= quantity
    try:
        async with asyncio.timeout(service.settings["commit_deadline_ms"] / 1000):
            await asyncio.sleep(service.settings["commit_ms"] / 1000 * random.uniform(0.7, 1.3))
    except TimeoutError:
        raise Refused(503, f"commit took longer than {service.settings['commit_deadline_ms']} ms") from None
    return {"written": len(request.body["taken"])}


if __name__ == "__main__":
    service.run()
