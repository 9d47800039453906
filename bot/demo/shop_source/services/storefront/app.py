"""The pages that customers see: the catalogue, a product, and the button that places an order."""

import asyncio
from typing import Any

from lib.service import Refused, Request, Service

service = Service("storefront", "services/storefront")
inventory = service.client("inventory")
checkout = service.client("checkout")
pages = service.cache("pages", service.settings["page_cache_seconds"])


@service.route("GET", "/")
async def home(request: Request) -> dict[str, Any]:
    catalogue = await pages.get("catalogue", lambda: inventory.call("GET", "/catalogue"))
    products = catalogue["products"][: service.settings["page_size"]]
    return {"title": service.settings["title"], "products": products}


@service.route("GET", "/product")
async def product(request: Request) -> dict[str, Any]:
    sku = request.query["sku"]
    stock = await inventory.call("GET", f"/stock?sku={sku}")
    if stock["status"] == 404:
        raise Refused(404, f"we do not sell {sku}")
    return {"sku": sku, "available": stock["available"], "price": stock["price"]}


@service.route("POST", "/orders")
async def place_order(request: Request) -> dict[str, Any]:
    basket = request.body
    await asyncio.sleep(service.settings["render_ms"] / 1000)
    wish = basket.get("gift") or {}
    order = {
        "customer": basket["customer"],
        "lines": basket["lines"],
        "coupon": basket.get("coupon"),
        "currency": basket.get("currency"),
        "greeting": wish.get("greeting", ""),
    }
    answer = await checkout.call("POST", "/checkout", order)
    if answer["status"] != 200:
        raise Refused(answer["status"], answer["error"])
    service.log.info("order placed", order=answer["order"])
    return {"order": answer["order"], "total": answer["total"]}


if __name__ == "__main__":
    service.run()
