"""What is learned wins on incidents held back, or is kept as not adopted with the reason."""

from dataclasses import replace

import pytest

from bot.domain.evidence import Candidate, Confidence, Diagnosis, Fact, Verdict
from bot.domain.learning import LEAST, MOST, SHIPPED, Calibration, Weights
from bot.investigation.learning.calibration import curve, with_margin
from bot.investigation.learning.learn import ENOUGH, learn, still_good
from bot.investigation.learning.lessons import NOBODY, Lesson, basis_of, lesson_of
from bot.investigation.learning.refit import refit
from bot.investigation.learning.replay import convicted, good, ranked
from bot.investigation.learning.trial import by_chance, folds, later, tried
from bot.investigation.verdict import MARGIN
from bot.storage.codec import dump
from tests.fakes import NOON, an_incident
from tests.investigation.learning.lessons import at_random, made_up, suspect


def test_a_rule_that_misleads_counts_less_and_more_culprits_come_first_on_incidents_held_back() -> None:
    learned = learn(made_up(40, seed=1, misleads=0.5), NOON)
    assert learned.adopted
    assert learned.weights.of("cache") == LEAST
    assert all(LEAST <= m <= MOST for m in learned.weights.rules.values())
    assert learned.folds is not None
    assert learned.later is not None
    assert learned.folds.right >= learned.folds.right_shipped + 5
    assert learned.later.right >= learned.later.right_shipped
    assert learned.folds.wrongly <= learned.folds.wrongly_shipped
    fresh = made_up(60, seed=99, misleads=0.5)  # never seen by anybody
    led = [sum(good(ranked(one, w), one, w) for one in fresh) for w in (SHIPPED, learned.weights)]
    assert led[1] > led[0]


@pytest.mark.parametrize("seed", range(3))
def test_multipliers_of_rules_that_say_nothing_are_not_adopted_and_the_reason_is_kept(seed: int) -> None:
    learned = learn(at_random(30, seed), NOON)
    assert not (learned.adopted and learned.weights.rules)
    assert "multipliers" in learned.reason


def test_honest_rules_stay_as_they_are() -> None:
    learned = learn(made_up(30, seed=0), NOON)
    assert not (learned.adopted and learned.weights.rules)


def test_too_few_incidents_teach_nothing() -> None:
    with pytest.raises(ValueError, match="too few"):
        learn(made_up(ENOUGH - 1, seed=0), NOON)


def test_the_same_lessons_have_the_same_basis_in_any_order() -> None:
    lessons = made_up(5, seed=0)
    assert basis_of(lessons) == basis_of(lessons[::-1])
    assert basis_of(lessons) != basis_of([replace(lessons[0], culprit=NOBODY), *lessons[1:]][1:])


def test_every_lesson_is_held_back_once_and_never_fitted_on_then() -> None:
    lessons = made_up(23, seed=0)
    held = [one.incident for _, back in folds(lessons) for one in back]
    assert sorted(held) == [one.incident for one in lessons]
    for fitted_on, back in (*folds(lessons), *later(lessons)):
        assert not {one.incident for one in fitted_on} & {one.incident for one in back}
    ((earlier, last),) = later(lessons)
    assert max(one.at for one in earlier) < min(one.at for one in last)


def test_where_no_change_was_guilty_the_rules_that_gave_points_count_less() -> None:
    lessons = [Lesson(f"i{n}", NOON, (suspect("a", {"retry": 6.0}),), NOBODY) for n in range(20)]
    assert refit(lessons)["retry"] < 0.8


def test_a_rule_of_few_incidents_keeps_its_points() -> None:
    lessons = [
        Lesson(f"i{n}", NOON, (suspect("a", {"rare": 4.0}), suspect("b", {"pool": 1.0})), suspect("b", {}).key) for n in range(4)
    ]
    assert refit(lessons) == {}


def test_strict_weights_convict_nobody_whom_the_shipped_ones_spare() -> None:
    boosted = Weights(rules={"timeout": 1.5, "pool": 1.5, "retry": 1.5})
    for one in made_up(40, seed=5, misleads=0.3):
        if convicted(ranked(one, boosted), one, boosted):
            assert convicted(ranked(one, SHIPPED), one, SHIPPED)


def test_a_longer_lead_spares_those_whom_a_short_one_convicts_wrongly() -> None:
    culprits = [
        Lesson(f"r{n}", NOON, (suspect("a", {"x": 9.0}), suspect("b", {"x": 1.0})), suspect("a", {}).key) for n in range(10)
    ]
    tricked = [
        Lesson(f"w{n}", NOON, (suspect("a", {"x": 6.0}), suspect("b", {"x": 4.0})), suspect("b", {}).key) for n in range(3)
    ]
    weights = with_margin([*culprits, *tricked], SHIPPED)
    assert MARGIN < weights.margin < 8.0
    assert not any(convicted(ranked(one, weights), one, weights) for one in tricked)
    assert all(convicted(ranked(one, weights), one, weights) for one in culprits)
    assert with_margin(culprits, SHIPPED).margin == 0.0


def test_a_longer_lead_is_more_often_right_by_the_curve() -> None:
    found = curve(made_up(60, seed=2), SHIPPED)
    assert found is not None
    assert 0 < found.chance(0.2) < found.chance(2.0) < found.chance(4.0) < 1
    assert found.chance(100) == found.chance(found.widest)


def test_what_convicted_somebody_wrongly_whom_the_shipped_weights_spare_is_not_good_any_more() -> None:
    wrong = Lesson("i", NOON, (suspect("a", {"pool": 4.0}), suspect("b", {"x": 1.0})), suspect("b", {}).key)
    loose = Weights("w1", {"pool": 1.5}, strict=False)
    assert not still_good(loose, [wrong])
    assert still_good(replace(loose, strict=True), [wrong])


def test_gains_against_losses_are_weighed_by_chance() -> None:
    assert by_chance(4, 0) == pytest.approx(1 / 16)
    assert by_chance(0, 0) == 1.0
    assert tried(folds(made_up(10, 0)), lambda _: SHIPPED).gained == 0


RAISED = Candidate("github:1", "payments", "raise retries", "v43", "3f2c1a9" + "0" * 33, score=6.0)
OTHER = Candidate("github:2", "checkout", "bump cache sizes", "v7", "aaaaaaa" + "0" * 33, score=2.0)
SEEN = Diagnosis(Verdict.CONVICTED, Confidence.STRONG, "payments v43", NOON, cause=RAISED, suspects=(RAISED, OTHER))


def lesson(cause: str, diagnosis: Diagnosis = SEEN, **fields: object) -> Lesson | None:
    return lesson_of(an_incident(confirmed_cause=cause, **{"confirmed_by": "U1", **fields}), diagnosis)


@pytest.mark.parametrize(
    ("cause", "culprit"),
    [
        ("payments v43: raise retries (3f2c1a9)", RAISED.key),
        ("it was checkout v7", OTHER.key),
        ("aaaaaaa, of course", OTHER.key),
        ("a certificate ran out", NOBODY),
    ],
)
def test_a_persons_words_name_the_culprit_or_nobody(cause: str, culprit: str) -> None:
    found = lesson(cause)
    assert found is not None
    assert found.culprit == culprit


@pytest.mark.parametrize("cause", ["payments v43 together with checkout v7", "the cache sizes were wrong"])
def test_words_that_leave_open_whom_they_mean_teach_nothing(cause: str) -> None:
    assert lesson(cause) is None


def test_what_nobody_confirmed_or_what_another_incident_has_now_teaches_nothing() -> None:
    assert lesson("") is None
    assert lesson("payments v43", merged_into="INC-9") is None
    assert lesson("payments v43", replace(SEEN, cause=None, suspects=())) is None


def test_points_are_learned_from_as_they_were_shipped() -> None:
    facts = (Fact("retries 2 → 10", 4.5, ("E1",), "retry", 1.5),)
    weighed = replace(RAISED, facts=facts, score=4.5, heard=3.0)
    found = lesson("payments v43", replace(SEEN, cause=weighed, suspects=(weighed,)))
    assert found is not None
    assert found.suspects[0].facts[0].points == 3.0
    assert found.suspects[0].score == 3.0


def test_weights_say_nothing_of_people_or_incidents() -> None:
    text = dump(learn(made_up(20, seed=1, misleads=0.5), NOON))
    assert "i001" not in text
    assert "change a" not in text


def test_a_calibrated_chance_is_one() -> None:
    assert Calibration(0.0, 1.0).chance(0) == 0.5
