"""A plan on its message: the most important first, absurd ones fit, what the outside wrote is only text."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bot.domain.action import Action, ActionKind, ActionStatus, CommitCheck, Plan
from bot.domain.change import Commit
from bot.domain.view import ActionView, BatchView
from bot.slack.blocks import render
from bot.slack.blocks.plan import REHEARSED, plan_blocks
from tests.slack.samples import ACTION, DRY, HOSTS, NOW, VIEWS
from tests.slack.sizes import problems

EVIL = "<!channel> <https://evil.example|ok> <@U0VICTIM> *b* `c` " + "x" * 4000


def text_of(action: Action) -> str:
    return "\n".join(str(b.get("text", {}).get("text", "")) for b in json.loads(json.dumps(plan_blocks(action))))


def with_plan(**fields: Any) -> Action:
    assert DRY.plan is not None
    return replace(DRY, plan=replace(DRY.plan, **fields))


def absurd(word: str, many: int) -> Plan:
    texts = tuple(f"{word} {n}" for n in range(many))
    assert DRY.plan is not None
    return replace(
        DRY.plan,
        current_version=word * 50,
        target_version=word * 50,
        commits=tuple(Commit(f"{n:040x}", f"{word} {n}", NOW, word * 20) for n in range(many)),
        files=texts,
        migrations=texts,
        reasons=texts,
        warnings=texts,
        barriers=texts,
        nearby=texts,
        running=texts,
        unasked=texts,
        rehearsal=texts,
        impact=word * 100,
        checks=tuple(CommitCheck(t, (True, False, None)[n % 3], n % 2 == 0) for n, t in enumerate(texts)),
        named=texts,
    )


@pytest.mark.parametrize("word", [EVIL, "&", "```", "\u202e\x00\n\n", "語", "&" * 5000, ""])
@pytest.mark.parametrize("many", [2, 400])
@pytest.mark.parametrize("status", [ActionStatus.PLANNED, ActionStatus.SUCCEEDED])
def test_an_absurd_plan_is_a_message_that_slack_takes(word: str, many: int, status: ActionStatus) -> None:
    action = replace(DRY, plan=absurd(word, many), status=status, service=word[:90] or "x", target=word)
    message = render(ActionView(action, None, NOW), HOSTS)
    assert problems(list(message.blocks), HOSTS) == []
    assert "<@U0VICTIM>" not in text_of(action)
    assert len(message.blocks) < 12


def test_what_decides_stands_before_what_it_rests_on_and_survives_any_length() -> None:
    told = text_of(replace(DRY, plan=absurd("long " * 60, 3000)))
    order = [
        told.index(mark) for mark in ("*Plan:*", "*Risk: high*", "⛔", "*Checks*", "*Migrations:*", "commits by", "3000 files")
    ]
    assert order == sorted(order)
    for counted in ("and 2995 more", "and 2994 more", "and 996 more"):
        assert counted in told


def test_people_whom_the_plan_knows_are_mentioned_and_nobody_else() -> None:
    told = text_of(with_plan(warnings=("locked by U0NIGHT, said U0OTHER <@U0EVIL>",), named=("U0NIGHT",)))
    assert "locked by <@U0NIGHT>, said U0OTHER &lt;@U0EVIL&gt;" in told


def test_the_end_of_the_deployers_own_dry_run_is_shown_while_somebody_may_decide() -> None:
    told = text_of(DRY)
    assert f"the last {REHEARSED} of 30 lines" in told
    assert "Plan: 1 to add, 2 to change, 0 to destroy." in told
    assert "line 5 of" not in told
    assert "dry run*" not in text_of(replace(DRY, status=ActionStatus.SUCCEEDED))
    short = text_of(with_plan(rehearsal=("nothing to do",)))
    assert "*The deployer's own dry run*:" in short


def test_checks_are_told_in_one_line() -> None:
    line = next(x for x in text_of(DRY).splitlines() if x.startswith("*Checks*"))
    assert line == "*Checks* of `3f2c1a9`: ❌ `integration` (required) · ⏳ `build / image` (required) · ✅ 2 green"
    assert "No checks of `3f2c1a9` are known." in text_of(with_plan(checks=()))
    assert ACTION.kind is ActionKind.ROLLBACK
    assert "hecks" not in text_of(ACTION)


def test_authors_are_counted_where_the_lines_do_not_show_all() -> None:
    assert "8 commits by ines-d (6), noor (2) shipped:" in text_of(DRY)
    few = tuple(Commit(f"{n:07}", "noor", NOW, "x") for n in range(2))
    assert "2 commits shipped:" in text_of(with_plan(commits=few))
    many = tuple(Commit(f"{n:07}", f"dev{n}", NOW, "x") for n in range(9))
    assert "9 commits by dev0 (1), dev1 (1), dev2 (1), dev3 (1) and 5 others shipped:" in text_of(with_plan(commits=many))


def test_an_action_without_a_plan_says_so() -> None:
    assert text_of(replace(DRY, plan=None)) == "No plan yet."


def test_a_batch_names_whoever_locked_a_neighbour_as_a_person() -> None:
    view = VIEWS["batch"]
    assert isinstance(view, BatchView)
    first, *others = view.parts
    assert first.plan is not None
    plan = replace(first.plan, warnings=("gateway is locked by U0APPROVER: moving it.",), named=("U0APPROVER",))
    told = json.dumps(render(replace(view, parts=(replace(first, plan=plan), *others)), HOSTS).blocks)
    assert "gateway is locked by <@U0APPROVER>" in told
