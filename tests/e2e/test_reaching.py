"""The whole bot reaches people when Slack is down: a mail goes out, and the card says so once it stands."""

from pathlib import Path

import pytest

from tests.connectors.test_email import a_mail_server
from tests.e2e.house import ROUTING, a_house

pytestmark = pytest.mark.slow
EMAIL = """
[connectors.email]
host = "127.0.0.1"
port = {port}
tls = "none"
to = ["on-call@example.com"]
"""


async def test_while_slack_takes_no_card_a_mail_goes_out_once_and_the_card_says_so_later(tmp_path: Path) -> None:
    async with (
        a_mail_server() as (port, taken),
        a_house(tmp_path / "house", more=EMAIL.format(port=port), started=False) as house,
    ):
        (house.folder / "routing.yaml").write_text(
            ROUTING + "second_outlet: {to: [email], after: 3s, severity: [SEV1, SEV2, SEV3]}\n"
        )
        await house.start()
        await house.workspace.do("faults", kind="drop_before", method="chat.postMessage", times=10_000)
        await house.alert()

        async def mails() -> int:
            return len(taken)

        await house.until(mails, "a mail about it")
        assert "INC-1" in str(taken[0]["Subject"])
        await house.workspace.do("faults/clear")
        card = await house.card("while Slack was away, told through email")
        assert card.ts
        assert len(taken) == 1
