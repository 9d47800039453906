"""What people begin and decide, over real sockets: forms, an incident by hand, a pinned message, an action nobody knows of."""

from collections.abc import Mapping
from typing import Any

import pytest

from bot.slack.vocabulary import SHORTCUT_OPEN, SHORTCUT_PIN
from tests.e2e.house import APPROVER, INCIDENTS, ON_CALL, OUTSIDER, PAYMENTS, House, Seen

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


async def test_silence_and_resolve_ask_for_words_which_are_kept_with_the_cause(house: House) -> None:
    await house.alert()
    card = await house.card("alert")
    await house.press(ON_CALL, card, "Silence…")
    await send(house, ON_CALL, await modal(house, ON_CALL, "No reminders for"), span="2h", words="the provider is told")
    await house.whisper(ON_CALL, "INC-1 is silent until")
    quiet = await house.card("silenced until")
    await house.press(ON_CALL, quiet, "Resolve…")
    why, cause = "switched to the other provider", "the provider was down"
    await send(house, ON_CALL, await modal(house, ON_CALL, "Why is it resolved?"), words=why, cause=cause)
    await house.resolved_card()
    await house.card(cause)
    said = [text for (text,) in house.rows("SELECT text FROM timeline WHERE kind = 'status' ORDER BY id")]
    assert any(text.startswith("silenced until ") and text.endswith(": the provider is told") for text in said)
    assert f"resolved: {why}" in said
    assert await house.refusals() == []


async def test_of_an_action_nobody_knows_about_a_person_says_whether_it_ran(house: House) -> None:
    house.deployer_becomes(forgets=True)
    await house.alert()
    card = await house.card()
    await house.in_thread(card, "Why:")
    await house.press(APPROVER, await house.plan(card), "Approve")
    await house.in_thread(card, "the deployer no longer knows its run run-1")
    asked = await house.until(lambda: with_button(house, card, "It did not run"), "buttons on the uncertain action")
    await house.press(OUTSIDER, asked, "It ran")
    await house.whisper(OUTSIDER, "approvers")
    await house.press(APPROVER, asked, "It did not run")
    await house.in_thread(card, "A person says that it did not run")

    await house.command(ON_CALL, "/rollback", "payments v42")
    plan = await house.until(lambda: with_button(house, card, "Approve"), "a second plan")
    await house.press(APPROVER, plan, "Approve")
    asked = await house.until(lambda: with_button(house, card, "It ran"), "buttons on the second uncertain action")
    house.deployer_becomes(running={"payments": "v42", "checkout": "v18"})
    await house.press(APPROVER, asked, "It ran")
    await house.alert(resolved=True)
    await house.in_thread(card, "Verified: v42 runs")
    await house.resolved_card()
    assert len(house.deployer["starts"]) == 2
    said = [deed for (deed,) in house.rows("SELECT deed FROM ledger ORDER BY seq") if deed.startswith(("settled", "refused"))]
    assert said == ["refused", "settled: it did not run", "settled: it ran"]
    assert await house.refusals() == []


async def with_button(house: House, card: Seen, label: str) -> Seen | None:
    """The newest message of the thread that has this button."""
    found = [m for m in await house.read(card.channel, card.ts) if m.button(label)]
    return found[-1] if found else None
