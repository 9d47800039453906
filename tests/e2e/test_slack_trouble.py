"""Slack limits, breaks and goes away: intake goes on, and in the end there is one card."""

import asyncio
import time

import pytest

from tests.e2e.house import House

pytestmark = pytest.mark.slow


async def trouble(house: House, kind: str, method: str, times: int = 1, **more: int) -> None:
    answer = await house.workspace.do("faults", kind=kind, method=method, times=times, **more)
    assert answer["ok"], answer


async def faults_met(house: House) -> list[str]:
    entries = (await house.workspace.see("transcript"))["entries"]
    return [e["method"] for e in entries if e["kind"] == "fault"]


@pytest.mark.parametrize(
    ("kind", "more"),
    [("ratelimited", {"retry_after": 1}), ("error", {}), ("drop", {}), ("drop_before", {})],
    ids=["429 with Retry-After", "500", "posted, then the connection broke", "the connection broke before posting"],
)
async def test_trouble_while_posting_and_editing_still_makes_exactly_one_card(
    house: House, kind: str, more: dict[str, int]
) -> None:
    await trouble(house, kind, "chat.postMessage", 2, **more)
    await trouble(house, kind, "chat.update", 2, **more)
    await house.alert()
    card = await house.card()
    await house.in_thread(card, "Why:")
    await house.alert("checkout")
    await house.card("2 alerts")
    await house.alert(resolved=True)
    await house.alert("checkout", resolved=True)
    await house.resolved_card()
    evidence = [m for m in await house.read(card.channel, card.ts) if m.text.startswith("*Why:*")]
    assert len(evidence) == 1
    met = await faults_met(house)
    assert met.count("chat.postMessage") == 2
    assert met.count("chat.update") == 2


async def test_retry_after_is_obeyed(house: House) -> None:
    await trouble(house, "ratelimited", "chat.postMessage", 1, retry_after=4)
    began = time.monotonic()
    await house.alert()
    await house.card()
    assert time.monotonic() - began >= 4
    assert (await faults_met(house)).count("chat.postMessage") == 1


async def test_while_slack_is_away_intake_answers_quickly_and_the_card_follows(house: House) -> None:
    await house.workspace.do("sockets/refuse", seconds=5)
    await house.workspace.do("sockets/disconnect", abrupt=True)
    await trouble(house, "drop_before", "*", 10_000)
    slowest, end = 0.0, time.monotonic() + 5
    sent = 0
    while time.monotonic() < end:
        began = time.monotonic()
        await house.alert(name=f"Alert{sent}")  # asserts the 202
        slowest, sent = max(slowest, time.monotonic() - began), sent + 1
        await asyncio.sleep(0.1)
    assert slowest < 1.0
    assert await house.cards() == []
    await house.workspace.do("faults/clear")
    card = await house.card(f"{sent} alerts folded into this card")
    assert card.ts
    await house.until(lambda: sockets(house), "the socket to be open again")


async def sockets(house: House) -> int:
    count: int = (await house.workspace.see())["connected_sockets"]
    return count
