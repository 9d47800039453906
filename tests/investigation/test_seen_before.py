"""A past incident with the same knob speaks for a suspect, a little; only where a person confirmed it."""

from dataclasses import replace

import pytest

from bot.domain.document import Document, DocumentKind, Found, Only, Tier
from bot.domain.evidence import EvidenceKind, Fact, Verdict
from bot.investigation.diagnose import diagnose, with_knowledge
from bot.investigation.verdict import CONVICT
from tests.investigation.cases import alert, case, edit, rises, series, shipped

DIFF = edit("billing/pool_settings.py", "max_connections = 40", "max_connections = 5")
PLAIN = edit("billing/words.py", "greeting_text = 'hi'", "greeting_text = 'hello'")


def past(cause: str, **fields: object) -> Found:
    facts = {"cause": cause, "confirmed_by": "U1"}
    document = Document("incident:INC-17", DocumentKind.INCIDENT, "billing was slow", "", services=("billing",), facts=facts)
    found = Found(document, "", "", "", Tier.SEARCH, 0.9, why=("billing was hit then too",), likeness="same as")
    return replace(found, **fields)  # type: ignore[arg-type]  # the test gives what it means


def facts_of(diff: str, *found: Found) -> list[Fact]:
    one = case(alerts=[alert("orders", 30)], changes=[shipped("a1", "billing", 10, diff)])
    diagnosis = diagnose(replace(one, past=found))
    return [f for f in diagnosis.suspects[0].facts if f.rule == "seen_before"]


@pytest.mark.parametrize(
    ("cause", "points", "said"),
    [
        ("billing v3: max_connections was too small", 1.0, "INC-17 was caused by the same knob: max_connections"),
        ("somebody broke pool_settings.py", 0.7, "the same file, pool_settings.py"),
        ("a bad deploy of billing", 0.3, "a change of billing too"),
    ],
)
def test_a_confirmed_cause_that_names_key_file_or_service_is_a_fact(cause: str, points: float, said: str) -> None:
    (fact,) = facts_of(DIFF, past(cause))
    assert fact.points == points
    assert said in fact.text
    assert fact.cites


def test_the_past_incident_is_cited_once_and_every_id_is_one_of_a_kind() -> None:
    one = case(
        alerts=[alert("orders", 30)], changes=[shipped("a1", "billing", 10, DIFF)],
        numbers=[series("orders", "error_ratio", rises(0.01, 0.4, 20), 40)],
    )  # fmt: skip
    found = diagnose(replace(one, past=(past("max_connections again"),)))
    (fact,) = [f for f in found.suspects[0].facts if f.rule == "seen_before"]
    assert fact.cites == (found.past[0].evidence,)
    closer = with_knowledge(found, (), (past("max_connections again", why=("both speak of pools",)),))
    assert closer.past[0].evidence == fact.cites[0]
    again = with_knowledge(found, (), (past("", document=replace(past("").document, id="incident:INC-3", title="other")),))
    ids = [e.id for e in again.evidence]
    assert len(ids) == len(set(ids))
    cited = again.cited(fact.cites[0])
    assert cited is not None
    assert cited.kind is EvidenceKind.PAST


def unconfirmed() -> Found:
    found = past("max_connections")
    return replace(found, document=replace(found.document, facts={"cause": "max_connections"}))


def untrusted() -> Found:
    found = past("max_connections")
    return replace(found, document=replace(found.document, trusted=False))


def restricted() -> Found:
    found = past("max_connections")
    return replace(found, document=replace(found.document, channels=("C-SECRET",)))


@pytest.mark.parametrize(
    "found", [unconfirmed(), untrusted(), restricted(), past("max_connections", likeness="possibly like"), past("a certificate")]
)
def test_what_nobody_confirmed_or_few_may_read_or_is_unlike_says_nothing(found: Found) -> None:
    assert facts_of(DIFF, found) == []
    assert restricted().document.only == Only(("C-SECRET",))


def test_the_past_alone_convicts_nobody() -> None:
    one = case(alerts=[alert("billing", 30)], changes=[shipped("a1", "billing", 10, PLAIN)])
    found = diagnose(replace(one, past=(past("greeting_text in words.py"),)))
    assert [f.points for f in found.suspects[0].facts if f.rule == "seen_before"] == [1.0]
    assert found.verdict is Verdict.UNDETERMINED
    assert found.suspects[0].score < CONVICT
