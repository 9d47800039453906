"""Quality by what people said: shares, calibration in words while there is little, cost and latency."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.conversation import Failure
from bot.domain.interaction import Feature, Feedback, Interaction, Opinion
from bot.investigation.quality import Calibration, in_words, measure, percentile, sentence
from tests.fakes import NOON


def a_look(n: int, confidence: str = "likely", **fields: object) -> Interaction:
    look = Interaction(f"j{n}", NOON, Feature.DIAGNOSIS, "rules", f"i{n}", confidence=confidence, latency_ms=100.0 * n)
    return replace(look, **fields)  # type: ignore[arg-type]  # fields of an Interaction


def said(n: int, opinion: Opinion, user: str = "U1", minutes: int = 0) -> Feedback:
    return Feedback(f"f{n}{user}{minutes}", NOON + timedelta(minutes=minutes), user, opinion, f"j{n}", f"i{n}")


def test_the_last_word_of_each_person_on_each_answer_counts() -> None:
    feedback = [
        said(1, Opinion.NOT_USEFUL, minutes=5),
        said(1, Opinion.USEFUL, minutes=1),
        said(1, Opinion.USEFUL, "U2"),
        said(2, Opinion.USEFUL),
        said(9, Opinion.NOT_USEFUL),
    ]
    found = measure([a_look(1), a_look(2)], feedback)
    assert (found.useful, found.judged) == (2, 3)


def test_the_cause_is_right_where_people_confirmed_it_once_per_incident() -> None:
    earlier = a_look(5, id="j5-earlier", incident_id="i1")
    feedback = [
        said(1, Opinion.CONFIRMED),
        said(1, Opinion.OTHER_CAUSE, minutes=3),
        said(2, Opinion.CONFIRMED),
        said(3, Opinion.USEFUL),
    ]
    found = measure([a_look(1), earlier, a_look(2), a_look(3)], feedback)
    assert (found.right, found.told) == (1, 2)


def test_brier_is_the_squared_distance_between_promise_and_truth() -> None:
    looks = [a_look(n, "strong" if n < 4 else "weak") for n in range(6)]
    feedback = [said(n, Opinion.CONFIRMED if n != 3 else Opinion.OTHER_CAUSE) for n in range(5)]
    strong, weak = measure(looks, feedback).calibration
    assert (strong.word, strong.named, strong.right) == ("strong", 4, 3)
    assert strong.brier == pytest.approx((3 * 0.1**2 + 0.9**2) / 4)
    assert (weak.word, weak.named, weak.right, weak.brier) == ("weak", 1, 1, pytest.approx(0.36))


@pytest.mark.parametrize(
    ("named", "right", "says"),
    [(4, 4, "too few to judge"), (10, 7, "as it should"), (10, 3, "too sure"), (20, 20, "too timid")],
)
def test_a_score_is_given_only_where_there_is_enough_to_tell(named: int, right: int, says: str) -> None:
    told = in_words(Calibration("likely", named, right, 0.2))
    assert says in told
    assert f"{right} of {named}" in told
    assert ("Brier" in told) == (named >= 10)


def test_a_failed_try_is_no_answer_but_costs() -> None:
    failed = a_look(1, engine="model", error="timed out", calls=2, cost=0.25, cost_known=True, latency_ms=60_000.0)
    priceless = a_look(2, engine="model", calls=3, cost_known=False)
    found = measure([failed, priceless], [said(1, Opinion.USEFUL)])
    assert (found.answers, found.by_model, found.failed, found.judged) == (1, 1, 1, 0)
    assert (found.cost, found.unpriced, found.p95_ms) == (0.25, 3, 200.0)


def test_a_model_that_was_not_asked_did_not_fail() -> None:
    refused = [a_look(n, engine="model", error=f"{why.value}: {why.value}") for n, why in enumerate(Failure)]
    asked = [replace(entry, calls=1) for entry in refused]
    assert measure(refused, []).failed == len(Failure) - 2
    assert measure(asked, []).failed == len(Failure)


def test_95_of_100_are_within_the_percentile() -> None:
    assert percentile([float(n) for n in range(100, 0, -1)], 0.95) == 95.0
    assert percentile([3.0], 0.95) == 3.0
    assert percentile([], 0.95) is None


def test_the_line_says_what_is_known_and_what_is_not() -> None:
    assert sentence(measure([], []), 7) == "quality of 7 days: no answers"
    line = sentence(measure([a_look(1), a_look(2)], []), 7)
    assert line == (
        "quality of 7 days: 2 answers, 0 of them by a model; nobody judged one; "
        "no cause was told by people; $0.00; 95 % within 0.2 s"
    )
    line = sentence(measure([a_look(1, cost=1.5)], [said(1, Opinion.USEFUL), said(1, Opinion.CONFIRMED)]), 7)
    assert '1 of 1 judged useful; cause right in 1 of 1 that people told; "likely" was right 1 of 1 times' in line
    assert "$1.50" in line
