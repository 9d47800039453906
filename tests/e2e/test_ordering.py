"""A deploy from an empty form to its cancelled run, over real sockets and in Slack's wire format."""

from typing import Any

import pytest

from tests.e2e.house import APPROVER, INCIDENTS, ON_CALL, OUTSIDER, House, Seen
from tests.e2e.test_people import modal

pytestmark = pytest.mark.slow


async def choose(house: House, view: dict[str, Any], action: str, value: str) -> None:
    pressed = await house.workspace.do("actions", **{"as": ON_CALL}, view_id=view["id"], action_id=action, value=value)
    assert pressed["acked"]


async def fill(house: House, view: dict[str, Any], **values: str) -> dict[str, str]:
    """Fill the form and send it; what is said under its fields."""
    blocks = {b["block_id"]: b["element"]["action_id"] for b in view["blocks"]}
    given = {b: {action: v} for b, action in blocks.items() for name, v in values.items() if b.split(":")[0] == name}
    assert len(given) == len(values), blocks
    sent = await house.workspace.do("modals/submit", **{"as": ON_CALL}, view_id=view["id"], values=given)
    assert sent["acked"], sent
    errors: dict[str, str] = sent["errors"]
    return errors


async def message(house: House, words: str) -> Seen:
    async def look() -> Seen | None:
        found = [m for m in await house.read(INCIDENTS) if words in m.text]
        return found[-1] if found else None

    return await house.until(look, f"a message with {words!r}")


async def test_a_deploy_by_form_runs_is_cancelled_and_is_remembered(house: House) -> None:
    house.deployer_becomes(lasts=True)
    await house.command(ON_CALL, "/deploy", "", channel=INCIDENTS)
    await choose(house, await modal(house, ON_CALL, "Choose a service"), "form_service", "payments")
    view = await modal(house, ON_CALL, "v43 · runs now")
    errors = await fill(house, view, typed="v44; rm")
    assert errors == {"version:payments:production": "Letters, digits and . _ + / - only, at most 128."}
    assert await fill(house, view, typed="v44", reason="new checkout", dry="dry") == {}
    planned = await message(house, "planned (dry run)")
    assert planned.button("Cancel") is None
    assert house.deployer["starts"] == []

    await house.command(ON_CALL, "/deploy", "payments v44 --override now", channel=INCIDENTS)
    waiting = await message(house, "Waits for: ")
    await house.press(APPROVER, waiting, "Approve")
    running = await message(house, "https://ci.example.com/run-1")
    assert "running under 1 min" in running.text
    await house.command(OUTSIDER, "/deploy", "cancel payments", channel=INCIDENTS)
    await house.whisper(OUTSIDER, "may cancel production deploys")
    await house.press(ON_CALL, running, "Cancel")
    await house.press(APPROVER, running, "Cancel")
    stopped = await message(house, "It was cancelled by")
    assert stopped.ts == waiting.ts, "one message, edited in place"
    assert stopped.button("Cancel") is None
    [run] = house.deployer["runs"].values()
    assert (run["status"], len(house.deployer["starts"])) == ("cancelled", 1)

    await house.command(OUTSIDER, "/deploy", "history payments", channel=INCIDENTS)
    await house.whisper(OUTSIDER, "deploy of payments v43 → v44")
    await house.command(OUTSIDER, "/deploy", "status", channel=INCIDENTS)
    await house.whisper(OUTSIDER, "*checkout* production: *v18*")
    await house.command(OUTSIDER, "/deploy", "cancel payments", channel=INCIDENTS)
    await house.whisper(OUTSIDER, "may cancel")
    await house.command(ON_CALL, "/deploy", "paymets v44", channel=INCIDENTS)
    await house.whisper(ON_CALL, "did you mean payments?")
    assert await house.refusals() == []
