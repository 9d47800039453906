"""What people begin themselves, over real sockets: a rollback by form, an incident by hand, a pinned message."""

from collections.abc import Mapping
from typing import Any

import pytest

from bot.slack.vocabulary import SHORTCUT_OPEN, SHORTCUT_PIN
from tests.e2e.house import APPROVER, INCIDENTS, ON_CALL, OUTSIDER, PAYMENTS, House

pytestmark = pytest.mark.slow


async def modal(house: House, user: str, words: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        found = (await house.workspace.see("modals", **{"as": user}))["modals"]
        return found[-1] if found and words in str(found[-1]) else None

    return await house.until(look, f"a form with {words!r}")


async def send(house: House, user: str, view: Mapping[str, Any], **values: str) -> None:
    """Fill a form and send it; `values` are by the beginning of the block's id."""
    blocks = {b["block_id"]: b["element"]["action_id"] for b in view["blocks"]}
    given = {b: {action: v} for b, action in blocks.items() for name, v in values.items() if b.split(":")[0] == name}
    sent = await house.workspace.do("modals/submit", **{"as": user}, view_id=view["id"], values=given)
    assert (sent["acked"], sent["errors"]) == (True, {}), sent


async def home(house: House, user: str, words: str) -> dict[str, Any]:
    async def look() -> dict[str, Any] | None:
        view = (await house.workspace.see("home", **{"as": user}))["view"]
        return view if view and words in str(view) else None

    return await house.until(look, f"a home page of {user} with {words!r}")


async def test_a_rollback_by_form_is_approved_on_the_home_page_which_keeps_itself_current(house: House) -> None:
    await house.workspace.do("home", **{"as": APPROVER})
    await home(house, APPROVER, "No action waits for you")
    await house.command(ON_CALL, "/rollback", "")
    view = await modal(house, ON_CALL, "Choose a service")
    await house.workspace.do("actions", **{"as": ON_CALL}, view_id=view["id"], action_id="form_service", value="payments")
    await send(house, ON_CALL, await modal(house, ON_CALL, "v43 runs now"), version="v42", reason="too many retries")
    await house.whisper(ON_CALL, "The plan to roll back payments to v42 is posted")
    page = await home(house, APPROVER, "too many retries")
    pressed = await house.workspace.do("actions", **{"as": APPROVER}, view_id=page["id"], action_id="action_approve")
    assert pressed["acked"]
    await home(house, APPROVER, "No action waits for you")

    async def started() -> bool:
        return len(house.deployer["starts"]) == 1

    await house.until(started, "one start")
    assert await house.refusals() == []


async def test_an_incident_by_hand_has_a_card_a_word_in_the_thread_and_pinned_messages(house: House) -> None:
    said = await house.workspace.do("messages", **{"as": OUTSIDER}, channel=INCIDENTS, text="customers cannot pay at all")
    source = {"channel": INCIDENTS, "ts": said["ts"]}
    await house.workspace.do("shortcuts", **{"as": ON_CALL}, callback_id=SHORTCUT_OPEN, **source)
    view = await modal(house, ON_CALL, "customers cannot pay at all")
    await send(house, ON_CALL, view, service="payments", severity="SEV2")
    card = await house.card("customers cannot pay at all")
    assert card.channel == PAYMENTS

    async def told() -> bool:
        replies = await house.read(INCIDENTS, said["ts"])
        return any("INC-1 was opened from this message" in m.text for m in replies)

    await house.until(told, "a word in the message's thread")
    await house.say(OUTSIDER, PAYMENTS, "it began with the retries", card.ts)
    pinned = await house.in_thread(card, "it began with the retries")
    where = {"channel": PAYMENTS, "ts": pinned.ts}
    for who in (ON_CALL, APPROVER):
        await house.workspace.do("reactions", **{"as": who}, **where, name="pushpin")

    async def kept() -> bool:
        return [r[0] for r in house.rows("SELECT text FROM timeline WHERE text LIKE 'pinned:%'")] == [
            f"pinned: @{OUTSIDER} said “it began with the retries”"
        ]

    await house.until(kept, "the message in the timeline, once")
    await house.workspace.do("shortcuts", **{"as": ON_CALL}, callback_id=SHORTCUT_PIN, **where)
    await house.whisper(ON_CALL, "That message is in a timeline already")
    assert await kept()
    assert await house.refusals() == []
