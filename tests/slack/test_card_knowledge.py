"""The card tells that there is no runbook apart from that nobody looked."""

from dataclasses import replace

from bot.slack.blocks.card import render_card
from tests.slack.samples import CARD, UNSURE


def test_a_search_without_a_find_is_told_apart_from_one_that_did_not_answer() -> None:
    nothing = replace(UNSURE, runbooks=())
    assert "Runbook: none found" in str(render_card(replace(CARD, diagnosis=nothing), ()))
    unanswered = str(render_card(replace(CARD, diagnosis=replace(nothing, searched=False)), ()))
    assert "Runbook: the search did not answer in time" in unanswered
    assert "none found" not in unanswered
