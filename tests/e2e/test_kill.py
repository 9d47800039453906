"""kill -9 of the real bot at the worst moments: nothing is lost, nothing happens twice."""

import asyncio
from pathlib import Path

import pytest

from tests.e2e.house import APPROVER, House, a_house, notification
from tests.e2e.slow_prometheus import slow_prometheus
from tests.parcels import PARCELS

pytestmark = pytest.mark.promise


async def test_alerts_answered_with_202_survive_kill_9_and_make_one_card(house: House) -> None:
    answers = await asyncio.gather(*(house.alert("payments", name=f"Alert{n}") for n in range(12)))
    assert [a.status_code for a in answers] == [202] * 12
    await house.kill()
    await house.start()
    card = await house.card("12 alerts folded into this card")
    await house.in_thread(card, "Why:")
    assert len(await house.cards()) == 1
    assert house.rows(f"SELECT state, count(*) FROM {PARCELS} GROUP BY state") == [("done", 12)]


@pytest.mark.slow
async def test_kill_9_during_an_investigation_only_delays_the_card(tmp_path: Path) -> None:
    async with slow_prometheus(1.5) as source, a_house(tmp_path, more=source.toml, started=False) as house:
        toml = tmp_path / "tocsin.toml"  # else the card might come without a diagnosis before the kill
        toml.write_text(toml.read_text().replace("first_card_seconds = 1\n", "first_card_seconds = 20\n"))
        await house.start()
        await house.alert()
        await asyncio.wait_for(source.first.wait(), 60)
        await house.kill()
        assert await house.cards() == []
        await house.start()
        card = await house.card()
        await house.in_thread(card, "Why:")
        assert len(await house.cards()) == 1
        assert source.asked >= 2


@pytest.mark.slow
async def test_kill_9_during_an_action_leaves_exactly_one_run_and_the_action_ends(house: House) -> None:
    house.deployments_take(4)
    await house.alert()
    card = await house.card()
    await house.in_thread(card, "Why:")
    plan = await house.plan(card)
    await house.press(APPROVER, plan, "Approve")

    async def deploying() -> bool:
        return len(house.deployer["starts"]) == 1

    await house.until(deploying, "the deployer to be started")
    await house.kill()
    await house.start()
    await house.alert(resolved=True)
    await house.in_thread(card, "Verified: v42 runs")
    await house.resolved_card()
    assert len(house.deployer["starts"]) == 1
    assert house.deployer["running"]["payments"] == "v42"


@pytest.mark.slow
async def test_kill_9_again_and_again_while_a_card_is_posted_leaves_one_card(house: House) -> None:
    for wait in (0.05, 0.2, 0.5, 1.0):
        await house.alert()
        await asyncio.sleep(wait)
        await house.kill()
        await house.start()
    card = await house.card("4 alerts")
    await house.in_thread(card, "Why:")
    await house.alert(resolved=True)
    await house.resolved_card()
    evidence = [m for m in await house.read(card.channel, card.ts) if m.text.startswith("*Why:*")]
    assert len(evidence) == 1


@pytest.mark.slow
async def test_the_same_delivery_before_and_after_kill_9_counts_once(house: House) -> None:
    body = notification("payments", house.began, resolved=False, name="HighErrorRate", mark="once")
    assert (await house.alertmanager(body)).status_code == 202
    await house.kill()
    await house.start()
    again = await house.alertmanager(body)
    assert again.json()["accepted"] == 0
    await house.card("1 alert folded")
