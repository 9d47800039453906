"""Every score of a diagnosis fits a terminal of 100 columns, and what outsiders wrote controls nothing."""

import re
from dataclasses import replace

from bot.domain.document import Document, DocumentKind, Found, Tier
from bot.domain.evidence import Candidate, Confidence, Diagnosis, Evidence, EvidenceKind, Fact, Stance, Thought, Verdict
from bot.domain.learning import Calibration, HeldBack, Learned, Weights
from bot.flows.learning.explaining import WIDTH, explained, told
from bot.flows.learning.listing import history, in_force
from bot.investigation.diagnose import diagnose
from tests.fakes import NOON, an_incident
from tests.investigation.test_stories import story_1

INCIDENT = an_incident(confirmed_cause="billing v43")


def test_every_candidate_fact_threshold_and_question_is_told() -> None:
    found = replace(diagnose(story_1(), weights=Weights("w7", calibration=Calibration(0.0, 1.0))), trace_id="trace-1")
    text = "\n".join(explained(INCIDENT, found))
    squeezed = re.sub(r"\s+", " ", text)
    for candidate in (*found.suspects, *found.ruled_out):
        assert candidate.title in squeezed
    for candidate in found.suspects:
        assert f"{candidate.score:.2f} points" in text
        assert all(f"{f.points:+.2f}" in text and f.rule in text for f in candidate.facts)
    for candidate in found.ruled_out:
        assert candidate.ruled_out in squeezed
    for piece in found.evidence:
        assert re.search(rf"^  {piece.id} ", text, re.MULTILINE)
        assert not piece.query or f"asked: {piece.query}" in squeezed
    assert found.reckoning is not None
    for bar in found.reckoning.bars:
        assert f"{bar.had:.2f} needs {bar.needed:.2f}" in squeezed
    for said in ("weights w7", "trace trace-1", "Confirmed billing v43", "times of 100", "How the verdict fell"):
        assert said in squeezed


def test_no_line_is_wider_than_a_terminal_and_no_character_controls_it() -> None:
    nasty = "\x1b[31mred\x1b[0m \u202egnp.exe\u202c password=hunter2hunter2 " + "x" * 300
    evil = Candidate("c", "payments", nasty, facts=(Fact(nasty, 3.0, ("E1",), "retry", 1.5),), ruled_out="")
    piece = Evidence("E1", EvidenceKind.LOG, nasty, nasty, NOON, nasty, "https://x/" + "y" * 200, nasty)
    thought = Thought(("x",), NOON, nasty, Stance.DIFFERS, named=nasty, reason=nasty)
    found = Diagnosis(
        Verdict.UNDETERMINED, Confidence.WEAK, nasty, NOON, nasty, suspects=(evil,), ruled_out=(replace(evil, ruled_out=nasty),),
        missing=(nasty,), evidence=(piece,), next_step=nasty, thought=thought, trace_id=nasty,
    )  # fmt: skip
    for lines in (explained(replace(INCIDENT, title=nasty), found), told(replace(INCIDENT, title=nasty), found)):
        assert max(len(line) for line in lines) <= WIDTH
        text = "\n".join(lines)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\u202a-\u202e]", text)
        assert "hunter2hunter2" not in text


def test_a_weighed_fact_tells_what_it_was_as_shipped() -> None:
    fact = Fact("retries 2 → 10", 2.0, ("E1",), "retry", 0.5)
    found = Diagnosis(
        Verdict.UNDETERMINED, Confidence.WEAK, "?", NOON, suspects=(Candidate("c", "pay", "t", score=2.0, facts=(fact,)),)
    )
    text = "\n".join(explained(INCIDENT, found))
    assert "(shipped +4.00 × 0.50)" in text
    assert "Not kept with this look" in text


def test_steps_of_the_runbook_that_fits_and_past_causes_are_told_with_their_evidence() -> None:
    book = Document("runbook:pay", DocumentKind.RUNBOOK, "Payments errors", "", path="pay.md")
    steps = ("Lower max_retries to 2", "Watch the error ratio")
    shown = Found(book, "Too many retries", "", "Retries pile up.", Tier.SEARCH, 0.9, steps=steps)
    found = diagnose(replace(story_1(), runbooks=(shown,)))
    text = "\n".join(explained(INCIDENT, found))
    assert f"(found by search) pay.md [{found.runbooks[0].evidence}]" in text
    assert all(f"    {step}" in text for step in steps)


def test_without_explain_it_is_short_and_says_how_to_see_all() -> None:
    lines = told(INCIDENT, diagnose(story_1()))
    assert len(lines) < 20
    assert lines[-1] == "Every score: --explain"
    assert any(line.startswith("Verdict    convicted") for line in lines)


def test_learned_weights_are_told_with_figures_and_reasons() -> None:
    held = HeldBack(40, 37, 22, 15, 0, 9, 17, 1, 9, 0.3, 0.4)
    learned = Learned(
        3, NOON, Weights("w3", {"cache": 0.5}, 2.1, Calibration(-1, 1)), 40, True, "gains 15", "b", held, held, True
    )
    text = "\n".join(in_force(learned, 41))
    for said in ("w3", "cache × 0.50", "gains 15", "gained 15, lost 0", "wrongly 1 (9)", "2.10 points", "chosen by a person"):
        assert said in text
    assert "not adopted" in "\n".join(history([learned.refused("chance")]))
    assert "20 are needed" in "\n".join(in_force(None, 3))
    assert "Nothing was learned" in "\n".join(history([]))
