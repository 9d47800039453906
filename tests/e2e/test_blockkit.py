"""Everything that the bot shows on the way from alert to resolved is Block Kit as the schema describes it."""

from pathlib import Path

import pytest

from tests.e2e.house import APPROVER, ON_CALL, OUTSIDER, a_house
from tests.workspace.conftest import SCHEMA, block_schema


@pytest.mark.shared_data
@pytest.mark.slow
@pytest.mark.skipif(not SCHEMA.exists(), reason="no shared/contracts/blockkit.schema.json beside the project")
async def test_every_payload_from_alert_to_resolved_passes_the_schema(tmp_path: Path) -> None:
    async with a_house(tmp_path, block_schema=block_schema()) as house:
        await house.alert()
        card = await house.card()
        await house.in_thread(card, "Why:")
        await house.press(ON_CALL, card, "Acknowledge")
        plan = await house.plan(card)
        await house.press(OUTSIDER, plan, "Approve")
        await house.whisper(OUTSIDER, "may approve")
        for text in ("list", "show", "timeline", "catchup", "nonsense", "silence 30m"):
            await house.command(ON_CALL, "/incident", text)
        await house.command(ON_CALL, "/runbook", "payments answer with errors")
        await house.whisper(ON_CALL, "Runbooks for")
        await house.workspace.do("home", **{"as": APPROVER})
        await house.press(APPROVER, plan, "Approve")
        await house.in_thread(card, "verifying")
        for question in ("what changed today?", "have we seen this before?", "what should I check next?", "why?"):
            await house.say(ON_CALL, card.channel, f"@tocsin {question}", card.ts)
        await house.alert(resolved=True)
        await house.in_thread(card, "Verified: v42 runs")
        await house.resolved_card()
        asked = await house.in_thread(card, "is resolved")
        await house.press(ON_CALL, asked, "Something else")
        transcript = (await house.workspace.see("transcript"))["entries"]
    kinds = [e["kind"] for e in transcript]
    assert kinds.count("posted") >= 8
    assert "modal_opened" in kinds or "view_opened" in kinds, sorted(set(kinds))
    assert [e for e in transcript if e["kind"] == "refused"] == []
