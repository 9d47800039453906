"""What comes in by the web door of the real bot: repeats, garbage, slow sources."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.e2e.house import ON_CALL, House, a_house, deployment, notification
from tests.e2e.slow_prometheus import slow_prometheus
from tests.parcels import PARCELS


@pytest.mark.slow
async def test_garbage_is_refused_or_seen_and_can_be_replayed_beside_the_running_bot(house: House) -> None:
    body = notification("payments", house.began, resolved=False, name="HighErrorRate", mark="1")
    assert (await house.alertmanager(b"\xff\xfe" + body)).status_code == 400
    assert (await house.alertmanager(b"")).status_code == 400
    assert (await house.alertmanager(b'{"alerts":' + b"[" * 100)).status_code == 400
    cut = await house.alertmanager(body[:-40])
    assert cut.status_code == 202
    card = await house.card("alertmanager")
    assert "unreadable" in card.text.lower() or "could not be read" in card.text.lower()
    status, said = await house.cli("inbox", "list", "--state", "unreadable")
    assert status == 0
    number = said.split()[0]
    assert "alertmanager" in said
    status, said = await house.cli("inbox", "replay", number)
    assert (status, said.strip()) == (0, f"Delivery {number} waits to be parsed again.")

    async def read_again() -> bool:
        return house.rows(f"SELECT state FROM {PARCELS}") == [("unreadable",)]

    await house.until(read_again, "the delivery to be parsed again")
    status, said = await house.cli("inbox", "replay", "999")
    assert status == 2
    assert "tocsin inbox list" in said


@pytest.mark.slow
async def test_the_same_delivery_twice_has_the_effect_of_one(house: House) -> None:
    payload = deployment("payments", "v43", datetime.now(UTC) - timedelta(minutes=5))
    first = await house.github("deployment_status", payload, delivery="the-same")
    again = await house.github("deployment_status", payload, delivery="the-same")
    assert [first.json()["accepted"], again.json()["accepted"]] == [1, 0]
    body = notification("payments", house.began, resolved=False, name="HighErrorRate", mark="1")
    for _ in range(3):
        assert (await house.alertmanager(body)).status_code == 202
    card = await house.card("1 alert folded into this card")
    await house.say(ON_CALL, card.channel, "@tocsin what changed in payments?", card.ts)
    answer = await house.in_thread(card, "of payments shipped")
    assert "1 change of payments shipped" in answer.text


@pytest.mark.slow
async def test_a_source_that_hangs_never_delays_the_card_beyond_the_deadline(tmp_path: Path) -> None:
    async with slow_prometheus(600) as source, a_house(tmp_path, more=source.toml) as house:
        began = time.monotonic()
        await house.alert()
        await house.card()
        card_after = time.monotonic() - began
        card = await house.card("No change explains this")
        verdict_after = time.monotonic() - began
        assert source.asked
        assert card_after < 1 + 2.5  # first_card, and a busy machine
        assert verdict_after < 2 + 4.5  # gather, the pace of Slack posts, and a busy machine
        await house.in_thread(card, "Missing sources")
