"""Turns a basket into a paid order: price it, reserve the goods, charge the customer."""

import itertools
from typing import Any

from lib.service import Refused, Request, Service

service = Service("checkout", "services/checkout")
inventory = service.client("inventory")
payments = service.client("payments")
prices = service.cache("prices", service.settings["price_cache_seconds"])
numbers = itertools.count(1)


def total_cents(lines: list[dict[str, Any]], price_of: dict[str, int], coupon: dict[str, Any] | None) -> int:
    """What the customer pays, in cents."""
    full = sum(price_of[line["sku"]] * line["quantity"] for line in lines)
    percent = coupon["percent"] if coupon else 0
    return full - full * percent // 100


@service.route("POST", "/checkout")
async def check_out(request: Request) -> dict[str, Any]:
    basket = request.body
    order = f"{service.log.instance}-{next(numbers)}"
    price_list = await prices.get("all", lambda: inventory.call("GET", "/catalogue"))
    price_of = {row["sku"]: row["price"] for row in price_list["products"]}
    total = total_cents(basket["lines"], price_of, basket["coupon"])
    await inventory.call("POST", "/reservations", {"order": order, "lines": basket["lines"]})
    charge = {"order": order, "amount": total, "currency": basket["currency"]}
    paid = await payments.call("POST", "/charges", charge)
    if paid["status"] == 402:
        raise Refused(402, "the card was declined")
    service.log.info("order paid", order=order, total=total)
    return {"order": order, "total": total, "charge": paid["charge"]}


if __name__ == "__main__":
    service.run()
