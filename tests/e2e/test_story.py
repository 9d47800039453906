"""The whole way over real sockets: an alert becomes a card, a cause that a person confirms, an approved rollback."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from tests.e2e.house import ALERTS, APPROVER, INCIDENTS, ON_CALL, OUTSIDER, PAYMENTS, House, deployment


async def test_an_alert_becomes_one_card_that_ends_with_a_confirmed_cause(house: House) -> None:
    shipped = await house.github("deployment_status", deployment("payments", "v43", datetime.now(UTC) - timedelta(minutes=5)))
    assert shipped.status_code == 202
    await house.alert()
    card = await house.card("payments")
    assert card.channel == PAYMENTS
    await house.until(lambda: pointer(house, ALERTS), "a pointer in the overview")
    before = len(await house.read(PAYMENTS))
    await house.alert()
    await house.alert("checkout")
    folded = await house.card("3 alert")
    assert folded.ts == card.ts
    await house.until(lambda: pointer(house, INCIDENTS), "a pointer where checkout's people are")
    assert len(await house.read(PAYMENTS)) == before

    await house.say(ON_CALL, card.channel, "@tocsin what changed in payments?", card.ts)
    answer = await house.in_thread(card, "v43 (3f2c1a9)")
    assert "[E1]" in answer.text
    assert "Answered by rules" in answer.text
    assert "raise retries" in answer.text

    await house.alert(resolved=True)
    await house.alert("checkout", resolved=True)
    ended = await house.resolved_card()
    assert ended.ts == card.ts
    question = await house.in_thread(card, "is resolved")
    await house.press(ON_CALL, question, "Something else")
    (modal,) = (await house.workspace.see("modals", **{"as": ON_CALL}))["modals"]
    words = {"words": {"text": {"value": "a certificate ran out"}}}
    sent = await house.workspace.do("modals/submit", **{"as": ON_CALL}, view_id=modal["id"], values=words)
    assert sent["ok"], sent
    await house.card("a certificate ran out")
    await house.command(ON_CALL, "/incident", "list all")
    assert "INC-1" in await house.whisper(ON_CALL, "The newest incidents")
    assert await house.refusals() == []


async def pointer(house: House, channel: str) -> bool:
    return any("INC-1" in m.text for m in await house.read(channel))


async def test_a_rollback_runs_once_after_the_right_person_approved(house: House) -> None:
    await house.alert()
    card = await house.card()
    await house.in_thread(card, "Why:")
    plan = await house.plan(card)
    assert "v42" in plan.text
    await house.press(OUTSIDER, plan, "Approve")
    assert "approvers" in await house.whisper(OUTSIDER, "may approve")
    await house.press(ON_CALL, plan, "Approve")
    assert await house.whisper(ON_CALL, "approve")
    assert house.deployer["starts"] == []
    await asyncio.gather(*(house.press(APPROVER, plan, "Approve") for _ in range(2)))
    await house.in_thread(card, "verifying")
    await house.alert(resolved=True)
    done = await house.in_thread(card, "Verified: v42 runs")
    assert done.ts == plan.ts
    assert not done.buttons
    await house.resolved_card()
    (run,) = house.deployer["starts"]
    assert run.startswith("payments v42 ")
    assert house.deployer["running"]["payments"] == "v42"
    assert await house.refusals() == []


async def test_sigterm_ends_the_bot_within_ten_seconds_with_status_0(house: House) -> None:
    await house.alert()
    assert await house.end(10) == 0
    with pytest.raises(Exception, match="connection"):
        await house.alert()
