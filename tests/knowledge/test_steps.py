"""The steps of a section, in their order, those that fit before others."""

import time

from bot.knowledge.steps import LONGEST, steps

SECTION = """Look at the queue first.

1. Open the dashboard.
2. Scale the consumers:
   ```console
   # as an operator
   $ kubectl scale deployment/consumer --replicas 6
   ```
- [ ] Tell the owners of the topic.
* Restart the broker that lags.
+ Write down what you did.
"""


def test_lists_and_commands_are_steps_and_prose_and_comments_are_none() -> None:
    assert steps(SECTION, {}, most=9) == (
        "Open the dashboard.",
        "Scale the consumers:",
        "`kubectl scale deployment/consumer --replicas 6`",
        "Tell the owners of the topic.",
        "Restart the broker that lags.",
        "Write down what you did.",
    )


def test_of_too_many_those_that_fit_are_kept_in_their_order() -> None:
    assert steps(SECTION, {"broker": 2.0, "topic": 1.0, "kubectl": 0.5}, most=3) == (
        "`kubectl scale deployment/consumer --replicas 6`",
        "Tell the owners of the topic.",
        "Restart the broker that lags.",
    )
    assert steps(SECTION, {"nothing": 1.0}, most=2) == ("Open the dashboard.", "Scale the consumers:")


def test_the_same_step_is_told_once_and_a_long_one_is_cut() -> None:
    assert steps("- a b\n- a b", {}) == ("a b",)
    (only,) = steps("- " + "x" * 1_000, {})
    assert len(only) == LONGEST
    assert only.endswith("…")


def test_a_command_cannot_leave_its_backticks() -> None:
    assert steps("```\necho `id` *now*\n```", {}) == ("`echo 'id' *now*`",)


def test_a_hostile_section_takes_no_time() -> None:
    start = time.process_time()
    for text in ("- " * 50_000, "```\n" + "$ " * 50_000, " " * 100_000 + "-", "1. " * 30_000 + "\n" * 30_000):
        steps(text, {"x": 1.0})
    assert time.process_time() - start < 2
