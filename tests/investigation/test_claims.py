"""A model's sentence stays only where what it cites says so."""

from datetime import UTC, datetime

import pytest

from bot.domain.evidence import Claim, Evidence, EvidenceKind
from bot.investigation.claims import cited, fault, keep, sources, supported

AT = datetime(2026, 3, 2, 14, 4, 30, tzinfo=UTC)
EVIDENCE = (
    Evidence("E1", EvidenceKind.METRIC, "error ratio 18.0 % (was 0.2 %) since 14:02", "prometheus", AT, "payments"),
    Evidence("E2", EvidenceKind.DIFF, "retries 2 → 10 in settings.json, commit 3f2c1a9d4b5e6f708192", "git"),
    Evidence("E3", EvidenceKind.LOG, "retry budget exhausted after 1 234 567 tries, payments v43", "loki"),
)
SAID = sources(EVIDENCE)


@pytest.mark.parametrize(
    ("text", "cites"),
    [
        ("The error ratio rose to 18 % from 0.20 %", ["E1"]),
        ("Retries went from 2 to 10 [E2]", ["E2"]),
        ("At 14:04 it began, and at 14:04:30 it was plain", ["E1"]),
        ("Commit 3f2c1a9d raised the retries to 10", ["E2"]),
        ('The log says "Retry  budget exhausted"', ["E3"]),
        ("`settings.json` was changed", ["E2"]),
        ("It tried 1,234,567 times", ["E3"]),
        ("S1 shipped at 13:57", ["E2"]),
        ("v43 fails", ["E3"]),
        ("payments is where it began", ["E1"]),
    ],
)
def test_what_stands_in_the_cited_evidence_is_kept(text: str, cites: list[str]) -> None:
    assert fault(text, cites, SAID, {"S1": "payments v43 shipped 2026-03-02 13:57:00"}) == ""


@pytest.mark.parametrize(
    ("text", "cites", "why"),
    [
        ("Retries were raised", [], "cites nothing"),
        ("Retries were raised", ["E9"], "cites E9, which is not there"),
        ("Retries went from 2 to 12", ["E2"], "says 12"),
        ("Retries went from 2 to 10", ["E1"], "says 2,"),
        ("It was tried 14 times", ["E1"], "says 14,"),
        ("The error ratio rose to 180 %", ["E1"], "says 180"),
        ("The error ratio rose to 8 %", ["E1"], "says 8"),
        ("At 14:03 it began", ["E1"], "says 14:03"),
        ('The log says "disk full"', ["E3"], "quotes “disk full”"),
        ("S7 did it", ["E2"], "names S7"),
        ("Commit 3f2c1a8 did it", ["E2"], "says"),
        ("v44 fails", ["E3"], "says 44"),
    ],
)
def test_what_does_not_stand_there_is_refused_with_the_reason(text: str, cites: list[str], why: str) -> None:
    assert fault(text, cites, SAID, {"S1": "payments v43"}).startswith(why)


def test_the_dropped_are_counted_and_the_kept_stay_in_order() -> None:
    claims = (Claim("Retries went to 10", ("E2",)), Claim("Sunspots", ()), Claim("", ("E1",)), Claim("v43 logs it", ("E3",)))
    kept, dropped = keep(claims, SAID)
    assert [c.text for c in kept] == ["Retries went to 10", "v43 logs it"]
    assert dropped == ("cites nothing", "says nothing")


def test_prose_loses_its_unsupported_sentences_and_keeps_its_lists() -> None:
    said = (
        "## Answer\nRetries went from 2 to 10. [E2] Aliens did it. The ratio rose to 18.0 % [E1].\n"
        '- It logs "retry budget exhausted" [E3]\n- Call +1 555 0100 now\n```\nrm -rf /\n```\n'
    )
    prose = supported(said, SAID)
    assert prose.text == (
        'Retries went from 2 to 10 [E2]. The ratio rose to 18.0 % [E1].\n- It logs "retry budget exhausted" [E3]'
    )
    assert prose.cites == ("E2", "E1", "E3")
    assert prose.made == 7
    assert len(prose.dropped) == 4


def test_who_says_that_nothing_is_known_needs_no_evidence_and_may_claim_nothing() -> None:
    assert supported("I do not know.", SAID).text == "I do not know."
    assert supported("I do not know, but payments v44 was shipped at 12:00.", SAID).empty
    assert supported("I do not know " + "x" * 400, SAID).empty


def test_one_mark_may_cite_several() -> None:
    assert cited("a [E1, E2] b [E3;E1]") == ("E1", "E2", "E3")


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("Rollback executed.", False),
        ("Everything is fine again, go home.", False),
        ("The evidence shows the cause.", True),  # says nothing that could be wrong
        ("Checkout fails for many people.", True),
        ("Die Fehlerquote von checkout stieg.", True),
        ("支付服务出错", True),
    ],
)
def test_a_claim_has_to_speak_of_what_it_cites(text: str, kept: bool) -> None:
    assert (fault(text, ["E1"], {"E1": "checkout answers with errors"}) == "") is kept
