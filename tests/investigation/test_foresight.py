"""What a change could break before it ships, the knob of a past incident, and the runbook that is missing."""

from dataclasses import replace

from bot.domain.change import Commit
from bot.domain.document import Document, DocumentKind
from bot.domain.service import Catalogue, Service
from bot.investigation.foresight import Gap, PastCause, gaps, risks, same_knobs
from tests.fakes import NOON

DIFF = """diff --git a/payments/client.yaml b/payments/client.yaml
--- a/payments/client.yaml
+++ b/payments/client.yaml
@@ -1,3 +1,3 @@
 provider:
-  max_retries: 2
+  max_retries: 8
"""
COMMIT = Commit("a" * 40, "ann", NOON, "More patience", ("payments/client.yaml",), DIFF)
SHOP = Catalogue({"payments": Service("payments", aliases=("pay",), tier=1), "cart": Service("cart")})
PAST = PastCause(
    "INC-42", "Provider overloaded", ("payments",), "raised max retries of the provider's client from 2 to 10", "http://x/42"
)


def test_a_turned_knob_is_a_risk_with_its_troubles() -> None:
    (risk,) = risks([COMMIT])
    assert (risk.text, risk.path, risk.commit, risk.rule) == ("max_retries 2 → 8", "payments/client.yaml", "aaaaaaa", "retry")
    assert "retries" in risk.troubles
    assert risks([replace(COMMIT, diff="", files=("README.md",))]) == ()
    assert risk.troubles[0] == "retries"


def test_what_a_commit_does_to_its_tests_is_no_risk_and_no_knob() -> None:
    tests = replace(
        COMMIT, diff=DIFF.replace("payments/client.yaml", "payments/tests/client.yaml"), files=("payments/tests/client.yaml",)
    )
    assert risks([tests]) == ()
    assert same_knobs([tests], ["payments"], [PAST]) == ()


def test_the_knob_of_a_past_incident_of_the_same_service_is_recognised_in_either_spelling() -> None:
    (same,) = same_knobs([COMMIT], ["payments"], [PAST, replace(PAST, name="INC-7", text="a full disk")])
    assert (same.incident, same.edit, same.why) == ("INC-42", "max_retries 2 → 8", "its cause names max_retries, on payments too")
    assert same.link == "http://x/42"


def test_of_another_service_it_is_the_same_knob_only_if_its_cause_names_the_file_too() -> None:
    assert same_knobs([COMMIT], ["cart"], [PAST]) == ()
    named = replace(PAST, text="maxRetries in client.yaml was 10")
    (same,) = same_knobs([COMMIT], ["cart"], [named])
    assert same.why == "its cause names max_retries and client.yaml"
    assert same_knobs([COMMIT], ["payments"], [replace(PAST, text="maxRetriesPerHour was wrong")]) == ()


def runbook(title: str, text: str, **fields: object) -> Document:
    return replace(Document(f"runbook:{title}", DocumentKind.RUNBOOK, title, text), **fields)  # type: ignore[arg-type]  # fields of a document


def test_a_trouble_without_a_runbook_of_the_service_is_a_gap() -> None:
    found = risks([COMMIT])
    books = [
        runbook("Retries", "Too many retries: retrying without end", services=("pay",)),
        runbook("Others", "retries", services=("cart",)),
    ]
    assert gaps(found, ["payments"], books, SHOP) == ()
    assert [g.sentence for g in gaps(found, ["payments"], books[1:], SHOP)] == ["no runbook for payments retries"]
    assert Gap("cart", "a growing queue").sentence == "no runbook for a growing queue of cart"
