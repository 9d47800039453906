"""What the player understands of a card is what a person would."""

from datetime import UTC, datetime, timedelta
from typing import Any

from bot.demo.decoys import DECOYS
from bot.demo.director import Performance, Shipped
from bot.demo.reading import cause_said, folded, is_card, is_resolved, names, see
from bot.demo.stories import STORY_1, STORY_2
from bot.demo.table import Row, blames_newest, table_text

NOW = datetime(2026, 11, 22, 14, 0, tzinfo=UTC)


def message(*lines: str, foot: str = "43 alerts folded into this card · 14:21", buttons: tuple[str, ...] = ()) -> Any:
    elements = [
        {"type": "button", "action_id": f"do_{n}", "text": {"type": "plain_text", "text": label}, "value": f"v{n}"}
        for n, label in enumerate(buttons)
    ]
    return {
        "ts": "1.2",
        "text": "INC-42 payments",
        "blocks": [
            {"type": "section", "text": {"type": "mrkdwn", "text": "\n".join(lines)}},
            {"type": "actions", "block_id": "b1", "elements": [*elements, {"type": "overflow", "action_id": "more"}]},
            {"type": "context", "elements": [{"type": "mrkdwn", "text": foot}]},
        ],
    }


CONVICTED = '*Likely cause, strong:* payments v43 at 14:02, "payments: tune the acmepay client" (`3f2c1a9`)'


def test_a_convicting_card_names_its_commit() -> None:
    seen = see(message(CONVICTED, "ruled out: checkout v18 (shipped after the onset)", buttons=("Roll back…", "More")), "C1")
    said = cause_said(seen)
    assert is_card(seen)
    assert folded(seen) == 43
    assert seen.key == "INC-42"
    assert (said.verdict, said.first) == ("convicted", "3f2c1a9")
    assert names(said, "3f2c1a9" + "0" * 33)
    assert not names(said, "a" * 40)
    button = seen.button("Roll back")
    assert button is not None
    assert (button.action_id, button.block_id, button.value) == ("do_0", "b1", "v0")
    assert seen.button("Approve") is None


def test_a_card_without_a_guilty_change_names_none() -> None:
    said = cause_said(see(message("*No change explains this, strong:* acmepay answers 503 by itself"), "C1"))
    assert (said.verdict, said.commits) == ("operational", ())
    assert not names(said, "a" * 40)


def test_an_unsure_card_lists_its_suspects_in_order() -> None:
    said = cause_said(
        see(
            message(
                "*No change explains this for certain.* 2 suspects, none convincing:",
                "      • payments v43 at 14:02 (`3f2c1a9`): retries 2 → 10",
                "      • checkout v18 at 14:05 (`bbbbbbb`)",
            ),
            "C1",
        )
    )
    assert (said.verdict, said.commits) == ("undetermined", ("3f2c1a9", "bbbbbbb"))


def test_a_card_that_is_still_looking_says_nothing_yet() -> None:
    said = cause_said(see(message("*Cause:* Looking at changes, metrics and logs …"), "C1"))
    assert (said.verdict, said.first) == ("", "")


def test_the_end_of_a_card_is_seen_and_other_messages_are_no_cards() -> None:
    assert is_resolved(see(message("Resolved at 14:31", "      *Cause, confirmed by <@U0ONCALL>:* payments v43"), "C1"))
    assert not is_resolved(see(message(CONVICTED, buttons=("Resolve…",)), "C1"))
    assert not is_card(see({"ts": "1", "text": "INC-42 is in another channel"}, "C2"))


def test_the_suspected_cause_of_a_resolved_card_is_read_too() -> None:
    said = cause_said(see(message("Resolved at 14:31", "*Suspected cause, strong:* payments v43 (`3f2c1a9`)"), "C1"))
    assert (said.verdict, said.first) == ("convicted", "3f2c1a9")


def test_blaming_the_newest_deploy_looks_at_the_time_of_the_first_alert() -> None:
    assert STORY_1.guilty is not None
    guilty = Shipped(STORY_1.guilty, "a" * 40, "v43", NOW)
    later = Shipped(DECOYS["checkout-declined"], "b" * 40, "v63", NOW + timedelta(seconds=5))
    pushed = Shipped(DECOYS["docs-readme"], "c" * 40, None, None)
    performance = Performance(STORY_1, NOW, [guilty, later, pushed], NOW + timedelta(seconds=9))
    assert not blames_newest(performance)
    performance.first_alert = NOW + timedelta(seconds=2)
    assert blames_newest(performance)
    assert not blames_newest(Performance(STORY_2, NOW, [later], NOW + timedelta(seconds=9)))


def test_the_table_counts_both_ways_of_blaming() -> None:
    rows = [
        Row(1, "retry-storm/payments", "convicted", "3f2c1a9", "3f2c1a9" + "0" * 33, True, False),
        Row(2, "no guilty change", "operational", "", "", True, False),
        Row(3, "cache-off/store", "convicted", "bbbbbbb", "c" * 40, False, True),
    ]
    text = table_text(rows)
    assert "the cause was first in 2 of 3; blaming the newest deploy is right in 1 of 3" in text
    assert "convicted in 2 of 3, of which wrongly 1" in text
    assert text.splitlines()[1].split()[:2] == ["1", "retry-storm/payments"]
