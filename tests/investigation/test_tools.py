"""A model's looks: they know one incident, everything they find is numbered and untrusted, and failing is an answer."""

import json
from collections.abc import Mapping
from datetime import timedelta

import pytest

from bot.domain.change import Commit
from bot.domain.document import Document, DocumentKind, Found, Inquiry, Tier
from bot.domain.evidence import Candidate, Evidence, EvidenceKind
from bot.domain.telemetry import Edge, Happening, LogLine, Readings, Series, SourceStatus, Window
from bot.investigation.case import Case
from bot.investigation.exhibits import Exhibits
from bot.investigation.tools import Looks
from tests.fakes import NOON, a_change, an_alert

SHA = "3f2c1a9" + "0" * 33
DIFF = """diff --git a/settings.json b/settings.json
--- a/settings.json
+++ b/settings.json
@@ -1,3 +1,3 @@
 {
-  "retries": 2,
+  "retries": 10,
 }
"""


class Shelf:
    """A library with one runbook."""

    async def find(self, inquiry: Inquiry, kind: DocumentKind, limit: int = 3) -> "Shelf":
        """The runbook, for a search that names retries."""
        book = Document("r", kind, "Payments retry storm", "text", facts={"fix": "roll back"})
        self.found = (
            (Found(book, "First look", "first-look", "Compare versions", Tier.SEARCH, 0.9),) if "retr" in inquiry.text else ()
        )
        return self


@pytest.fixture
def looks() -> Looks:
    points = tuple((NOON + timedelta(minutes=n - 60), 0.18 if n > 50 else 0.002) for n in range(100))
    lines = tuple(
        LogLine(
            NOON + timedelta(seconds=n), "payments", "ERROR", f"retry budget exhausted after {n} tries password=hunter2hunter2"
        )
        for n in range(9)
    )
    window = Window(NOON - timedelta(hours=1), NOON)
    reading = Readings(
        "prometheus",
        "q",
        window,
        SourceStatus.OK,
        series=(Series("payments", "http_request_error_ratio", points),),
        logs=lines,
        edges=(
            Edge(NOON - timedelta(minutes=5), "checkout", "payments", 4.0, 0.0, 90.0),
            Edge(NOON + timedelta(minutes=1), "checkout", "payments", 4.0, 1.0, 900.0),
        ),
        happenings=(Happening(NOON, "payments", "OOMKilled", "app ended, its memory limit is 128Mi", "pod/payments-1"),),
    )
    case = Case(
        alerts=(an_alert(),),
        alert_at=NOON,
        now=NOON + timedelta(minutes=5),
        changes=(a_change(author="olivia"),),
        commits={SHA: Commit(SHA, "olivia", NOON, "raise retries", ("settings.json",), DIFF)},
        readings=(reading,),
    )
    known = Exhibits.of([Evidence("E1", EvidenceKind.ALERT, "payments answers with errors", "alertmanager", query="up == 0")])
    return Looks(case, {"S1": Candidate("d43", "payments", "raise retries", commit=SHA)}, known, Shelf())


async def look(looks: Looks, tool: str, **given: object) -> Mapping[str, object]:
    (found,) = [t for t in looks.tools if t.name == tool]
    answer: Mapping[str, object] = json.loads(await found.run(given))
    return answer


@pytest.mark.parametrize(
    ("tool", "given", "says"),
    [
        ("evidence_details", {"id": "E1"}, "payments answers with errors"),
        ("metric_series", {"service": "payments", "metric": "error"}, "18 %"),
        ("service_calls", {"service": "payments"}, "before: 4.0/s, 0.0% errors, 90 ms; during: 4.0/s, 25.0% errors, 900 ms"),
        ("platform_events", {"service": "payments"}, "OOMKilled: app ended, its memory limit is 128Mi (pod/payments-1)"),
        ("log_templates", {"service": "payments"}, "retry budget exhausted after <*>"),
        ("change_diff", {"suspect": "S1"}, '- "retries": 2, + "retries": 10,'),
        ("service_changes", {"service": "payments"}, "deploy v43 at 11:50"),
        ("runbook_section", {"words": "retries"}, "Payments retry storm › First look"),
        ("past_incident", {"words": "retry storm"}, "fix: roll back"),
    ],
)
async def test_what_a_look_finds_is_untrusted_evidence_with_an_id(
    looks: Looks, tool: str, given: dict[str, object], says: str
) -> None:
    before = len(looks.evidence)
    answer = await look(looks, tool, **given)
    assert answer["status"] == "OK"
    (piece, *_) = answer["evidence"]  # type: ignore[misc]  # a list
    assert says.replace("- ", "-").replace("+ ", "+") in piece["text"].replace("- ", "-").replace("+ ", "+")
    assert piece["trusted"] is False
    assert piece["id"] in {e.id for e in looks.evidence}
    assert len(looks.evidence) == before + (tool != "evidence_details")


@pytest.mark.parametrize(
    ("tool", "given", "says"),
    [
        ("evidence_details", {"id": "E99"}, "there is no E99"),
        ("metric_series", {"service": "https://evil.example"}, "has no part in this incident"),
        ("metric_series", {"service": "payments", "metric": "disk"}, "there are: http_request_error_ratio"),
        ("service_calls", {"service": "elsewhere"}, "nobody is known to call elsewhere"),
        ("platform_events", {"service": "checkout"}, "no platform and no provider says"),
        ("log_templates", {"service": "'; drop table alerts; --"}, "has no part in this incident"),
        ("change_diff", {"suspect": "../../etc/passwd"}, "there is no suspect"),
        ("service_changes", {}, "nothing that was shipped"),
        ("runbook_section", {"words": "sunspots"}, "nothing fits"),
    ],
)
async def test_a_look_beyond_the_incident_finds_nothing_and_says_what_there_is(
    looks: Looks, tool: str, given: dict[str, object], says: str
) -> None:
    answer = await look(looks, tool, **given)
    assert answer["status"] == "NO_DATA"
    assert says in str(answer["reason"])
    assert len(looks.evidence) == 1


async def test_secrets_and_names_of_people_stay_out_of_what_is_found(looks: Looks) -> None:
    for tool, given in (("log_templates", {"service": "payments"}), ("service_changes", {"service": "payments"})):
        said = json.dumps(await look(looks, tool, **given))
        assert "hunter2hunter2" not in said
        assert "olivia" not in said


async def test_the_same_look_twice_finds_the_same_ids(looks: Looks) -> None:
    first = await look(looks, "change_diff", suspect="S1")
    assert await look(looks, "change_diff", suspect="S1") == first
