"""A warrant holds for exactly what people approved, for as long as it says, and for whoever the bot signed it for."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.action import ActionKind, ActionStatus, Authority, Decision
from bot.domain.errand import START, ErrandKind
from bot.errors import BadSettings, BadSignature, BotError, IllegalMove, NotStarted, Unavailable
from bot.executor.keys import Signer, Verifier, new_pair
from bot.executor.letters import Failure, Letter, error_of, failure_of, opened, read_answer, sealed
from bot.executor.warrant import fault_of, warrant_of
from bot.storage.codec import dump
from tests.executor.room import PRIVATE, PUBLIC, an_action
from tests.fakes import NOON

LASTS = timedelta(minutes=2)
WARRANT = warrant_of(an_action(), NOON, LASTS)
LETTER = Letter(START + "a1", ErrandKind.START, "shop", NOON, NOON + LASTS, warrant=WARRANT)


def test_the_warrant_of_an_approved_action_holds_until_it_runs_out() -> None:
    assert fault_of(WARRANT, NOON, 1) == ""
    assert fault_of(WARRANT, NOON + LASTS - timedelta(seconds=1), 1) == ""
    assert "ran out at 12:02:00 UTC" in fault_of(WARRANT, NOON + LASTS, 1)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": ActionKind.DEPLOY},
        {"service": "checkout"},
        {"environment": "staging"},
        {"target": "v41"},
        {"target_commit": "other"},
        {"current": "v44"},
        {"current_commit": "other"},
        {"plan_hash": "0" * 64},
        {"matter": (*WARRANT.matter[:-1], ("another-commit",))},
    ],
    ids=lambda c: next(iter(c)),
)
def test_what_the_approved_plan_does_not_say_is_not_started(change: dict[str, Any]) -> None:
    assert fault_of(replace(WARRANT, **change), NOON, 1) == "What it would do is not what the approved plan says."


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"approved_by": ()}, "0 people approved it; this executor's least_approvals wants 1."),
        ({"approved_by": ("tocsin", "")}, "0 people approved it; this executor's least_approvals wants 1."),
        ({"approvals_needed": 2}, "1 people approved it, and its rule wants 2."),
        ({"issued_at": NOON + timedelta(hours=1), "expires_at": NOON + timedelta(hours=1)}, "do the clocks"),
        ({"expires_at": NOON + timedelta(days=1)}, "do the clocks"),
    ],
)
def test_too_few_people_and_impossible_times_are_refused(change: dict[str, Any], said: str) -> None:
    assert said in fault_of(replace(WARRANT, **change), NOON, 1)


def test_a_rule_in_place_of_people_is_enough_only_where_the_executor_says_so() -> None:
    stand_in = Decision("the way back", True, NOON, authority=Authority.RULE)
    warrant = warrant_of(an_action(decisions=(stand_in,)), NOON, LASTS)
    assert (warrant.approved_by, warrant.stand_in) == ((), "the way back")
    assert fault_of(warrant, NOON, 0) == ""
    refused = fault_of(warrant, NOON, 1)
    assert refused.endswith("wants 1. 'the way back' stood in for them; least_approvals = 0 lets that start, too.")


@pytest.mark.parametrize("fields", [{"status": ActionStatus.AWAITING}, {"status": ActionStatus.SUCCEEDED}, {"plan": None}])
def test_there_is_no_warrant_for_an_action_that_does_not_start(fields: dict[str, Any]) -> None:
    with pytest.raises(IllegalMove, match="there is nothing to start"):
        warrant_of(an_action(**fields), NOON, LASTS)


def test_a_letter_is_read_as_it_was_written() -> None:
    errand = sealed(LETTER, Signer(PRIVATE))
    assert (errand.id, errand.kind, errand.deployer, errand.expires_at) == ("start:a1", ErrandKind.START, "shop", NOON + LASTS)
    assert opened(errand, Verifier(PUBLIC)) == LETTER
    assert opened(errand, Verifier(f"{new_pair()[1]} {PUBLIC}")) == LETTER  # while keys are replaced


@pytest.mark.parametrize(
    ("old", "new"),
    [("v42", "v41"), ("production", "staging"), ("U0APPROVER", "U0SOMEBODY"), ("12:02:00", "19:02:00"), ("{", " {")],
)
def test_a_letter_that_was_altered_is_refused(old: str, new: str) -> None:
    errand = sealed(LETTER, Signer(PRIVATE))
    assert old in errand.body
    with pytest.raises(BadSignature, match="no pair"):
        opened(replace(errand, body=errand.body.replace(old, new)), Verifier(PUBLIC))


@pytest.mark.parametrize("signature", ["", "nonsense!", "AAAA", "ä"])
def test_a_letter_without_the_bots_signature_is_refused(signature: str) -> None:
    with pytest.raises(BadSignature):
        opened(replace(sealed(LETTER, Signer(PRIVATE)), signature=signature), Verifier(PUBLIC))
    with pytest.raises(BadSignature):
        opened(sealed(LETTER, Signer(new_pair()[0])), Verifier(PUBLIC))


@pytest.mark.parametrize("change", [{"id": "start:a2"}, {"kind": ErrandKind.CANCEL}, {"deployer": "other"}])
def test_a_letter_serves_its_own_errand_only(change: dict[str, Any]) -> None:
    with pytest.raises(BadSignature, match="the letter of another one"):
        opened(replace(sealed(LETTER, Signer(PRIVATE)), **change), Verifier(PUBLIC))


@pytest.mark.parametrize(
    ("letter", "said"),
    [
        (replace(LETTER, id="start:a2"), "of another action"),
        (replace(LETTER, deployer="other"), "of another action"),
        (replace(LETTER, id="ask:a1"), "Only a start"),
        (replace(LETTER, kind=ErrandKind.STATUS), "Only a start"),
        (replace(LETTER, warrant=None), "Only a start"),
    ],
)
def test_a_warrant_belongs_to_the_start_of_its_action(letter: Letter, said: str) -> None:
    with pytest.raises(BadSignature, match=said):
        opened(sealed(letter, Signer(PRIVATE)), Verifier(PUBLIC))


@pytest.mark.parametrize("text", ["", "short", "A" * 44 + "!", "A" * 100])
def test_what_is_no_key_is_named_and_not_shown(text: str) -> None:
    for make in (Signer, Verifier):
        with pytest.raises(BadSettings, match="tocsin executor keygen") as caught:
            make(text)
        assert not text or text not in str(caught.value)


@pytest.mark.parametrize("error", [Unavailable("a", for_people="b", retry_after=3.0), NotStarted("x"), IllegalMove("y")])
def test_errors_arrive_as_what_they_were(error: BotError) -> None:
    there = error_of(failure_of(error))
    assert (type(there), str(there), there.for_people) == (type(error), str(error), error.for_people)
    assert getattr(there, "retry_after", None) == getattr(error, "retry_after", None)


def test_an_answer_that_nobody_knows_means_that_nobody_knows() -> None:
    assert isinstance(error_of(Failure("Surprise", "what", "what")), Unavailable)
    for text in ("", "[]", "nonsense", dump({"run": 1})):
        with pytest.raises(Unavailable, match="cannot be read"):
            read_answer(text)


def test_no_secret_travels_with_an_error() -> None:
    assert "hunter2secret999" not in dump(failure_of(Unavailable("password=hunter2secret999 was refused")))
