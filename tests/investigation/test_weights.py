"""Learned weights on candidates, and what the verdict and its words make of them."""

from dataclasses import replace

from bot.domain.evidence import Candidate, Confidence, Diagnosis, Fact, Verdict
from bot.domain.learning import SHIPPED, Calibration, Weights
from bot.investigation.diagnose import diagnose
from bot.investigation.verdict import bars, convicts, word
from bot.investigation.weights import bare, weighed
from tests.fakes import NOON
from tests.investigation.test_stories import story_1

FACTS = (Fact("retries 2 → 10", 4.0, ("E1",), "retry"), Fact("on payments", 1.5, (), "place"))
GUILTY = Candidate("c1", "payments", "raise", shipped_at=NOON, score=5.5, facts=FACTS, content=4.0, heard=4.0)


def test_points_are_multiplied_by_rule_and_the_way_back_gives_what_was_shipped() -> None:
    weights = Weights("w1", {"retry": 0.5})
    less = weighed(GUILTY, weights)
    assert [(f.rule, f.points, f.weight) for f in less.facts] == [("retry", 2.0, 0.5), ("place", 1.5, 1.0)]
    assert (less.score, less.content, less.heard) == (3.5, 2.0, 2.0)
    assert bare(less) == GUILTY


def test_what_telemetry_vouches_for_never_grows() -> None:
    more = weighed(GUILTY, Weights("w1", {"retry": 1.5}))
    assert (more.score, more.heard) == (7.5, 4.0)


def test_the_shipped_weights_change_nothing() -> None:
    assert weighed(GUILTY, SHIPPED) is GUILTY
    assert diagnose(story_1()) == diagnose(story_1(), weights=Weights())


def test_a_multiplier_beyond_the_bounds_counts_as_the_bound() -> None:
    assert Weights(rules={"retry": 9.0}).of("retry") == 1.5
    assert Weights(rules={"retry": -1.0}).of("retry") == 0.5


def test_more_points_alone_convict_nobody_unless_that_was_proven() -> None:
    weak = replace(GUILTY, facts=(Fact("retries", 3.5, ("E1",), "retry"),), score=3.5, heard=3.5)
    weights = Weights("w1", {"retry": 1.5})
    assert weighed(weak, weights).score > 4.5
    assert not convicts([weighed(weak, weights)], weights)
    assert [bar.name for bar in bars([weighed(weak, weights)], weights) if not bar.met] == ["points with the shipped weights"]
    assert convicts([weighed(weak, weights)], replace(weights, strict=False))


def test_a_learned_margin_acquits_and_a_shorter_one_than_shipped_does_not_count() -> None:
    other = replace(GUILTY, change_id="c2", score=3.0)
    assert convicts([GUILTY, other])
    assert not convicts([GUILTY, other], Weights("w1", margin=3.0))
    close = replace(other, score=4.5)
    assert not convicts([GUILTY, close], Weights("w1", margin=0.1))


def test_words_follow_the_learned_chance() -> None:
    sure, unsure = Weights("w1", calibration=Calibration(3.0, 0.5)), Weights("w1", calibration=Calibration(-3.0, 0.1))
    assert word([GUILTY], SHIPPED, convicted=True) is Confidence.LIKELY
    assert word([GUILTY], sure, convicted=True) is Confidence.STRONG
    assert word([GUILTY], unsure, convicted=True) is Confidence.LIKELY
    assert word([GUILTY], unsure, convicted=False) is Confidence.WEAK
    assert word([], sure, convicted=False) is Confidence.WEAK


def test_a_diagnosis_keeps_how_its_verdict_fell() -> None:
    found = diagnose(story_1())
    assert found.verdict is Verdict.CONVICTED
    kept = found.reckoning
    assert kept is not None
    assert all(bar.met for bar in kept.bars)
    assert kept.weights == "shipped"
    assert kept.suspects >= len(found.suspects)
    assert found.cause is not None
    assert found.cause.heard >= 2.0


def test_learned_weights_reach_the_diagnosis_and_are_named_in_it() -> None:
    plain = diagnose(story_1())
    assert plain.cause is not None
    rule = plain.cause.facts[0].rule
    found: Diagnosis = diagnose(story_1(), weights=Weights("w7", {rule: 0.5}, calibration=Calibration(0.0, 1.0)))
    (fact,) = [f for f in found.suspects[0].facts if f.rule == rule]
    assert fact.weight == 0.5
    assert found.reckoning is not None
    assert found.reckoning.weights == "w7"
    assert found.reckoning.chance is not None
