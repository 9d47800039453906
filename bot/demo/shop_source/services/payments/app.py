"""Charges cards through our payment provider, acmepay."""

import asyncio
from typing import Any

from lib.service import Refused, Request, Service

service = Service("payments", "services/payments")
acmepay = service.client("acmepay")
tokens = service.cache("tokens", service.settings["token_cache_seconds"])
RATES = {"EUR": 1.0, "USD": 1.09, "GBP": 0.86, "SEK": 11.4}


def in_euro(amount: int, currency: str | None) -> int:
    """Cents of any currency that we take, as euro cents."""
    return round(amount / RATES[currency or "EUR"])


async def risk_score(amount: int) -> float:
    """How likely this is not the card's owner; our model takes a moment."""
    await asyncio.sleep(service.settings["risk_ms"] / 1000)
    return min(amount / 1_000_000, 1.0)


@service.route("POST", "/charges")
async def charge(request: Request) -> dict[str, Any]:
    body = request.body
    amount = in_euro(body["amount"], body["currency"])
    if await risk_score(amount) > service.settings["risk_limit"]:
        raise Refused(402, "declined by risk check")
    token = await tokens.get("acmepay", lambda: acmepay.call("GET", "/v1/token"))
    answer = await acmepay.call(
        "POST", "/v1/charges", {"amount": amount, "token": token["token"], "reference": body["order"]}
    )
    if answer["status"] == 402:
        raise Refused(402, "declined by the bank")
    service.log.info("charged", order=body["order"], amount=amount, acmepay_id=answer["id"])
    return {"charge": answer["id"]}


if __name__ == "__main__":
    service.run()
