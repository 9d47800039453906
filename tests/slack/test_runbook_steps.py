"""What the runbook that fits says to do stands in the evidence, cited; nothing in it can be pressed or calls anybody."""

from dataclasses import replace

from bot.domain.view import EvidenceView
from bot.slack.blocks.evidence import render_evidence
from tests.slack.samples import CARD, CONVICTED


def test_the_steps_that_fit_stand_below_their_runbook_with_the_evidence_they_come_from() -> None:
    (book,) = CONVICTED.runbooks
    steps = ("Lower max_retries to 2", "Ask <!channel> or <https://evil.example|here>" + "x" * 5000)
    seen = replace(CONVICTED, runbooks=(replace(book, steps=steps),))
    message = render_evidence(EvidenceView(CARD.incident, seen), ())
    (told,) = [b["text"]["text"] for b in message.blocks if "📘" in str(b.get("text"))]
    assert "[E8]\n      • Lower max_retries to 2\n      • Ask &lt;!channel&gt;" in told
    assert "<https://evil" not in told
    assert len(told) < 3000
