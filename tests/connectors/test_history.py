"""Past incidents of PagerDuty, Jira and GitHub over their documented wire formats: page by page, patient, each once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from bot.domain.past import PastIncident
from bot.errors import NotAllowed
from bot.ports import IncidentHistory
from connectors.github.history import GitHubHistory
from connectors.jira import JiraHistory, JiraSettings
from connectors.pagerduty.history import PagerDutyHistory
from tests.connectors.vendor import Vendor, a_vendor

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
TOKEN = "s3cr3t-t0ken-value"


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with a_vendor() as one:
        yield one


async def everything(history: IncidentHistory) -> list[PastIncident]:
    return [one async for one in history.incidents(SINCE)]


def a_page(id: str, *, more: bool) -> dict[str, object]:
    incident = {
        "id": id,
        "title": "payments: errors",
        "created_at": "2026-11-02T10:00:00Z",
        "resolved_at": "2026-11-02T10:42:00Z",
        "urgency": "high",
        "priority": {"summary": "P1"},
        "service": {"summary": "Payments"},
        "incident_key": "alertmanager/HighErrorRate",
        "html_url": f"https://acme.pagerduty.com/incidents/{id}",
    }
    return {"incidents": [incident], "limit": 1, "offset": 0, "more": more}


async def test_pagerduty_is_read_span_by_span_and_page_by_page_with_the_notes(vendor: Vendor) -> None:
    vendor.says("GET /incidents", {"error": {"message": "Rate Limit Exceeded"}}, 429, retry_after="0")
    vendor.says("GET /incidents", a_page("PT1", more=True))
    vendor.says("GET /incidents", a_page("PT2", more=False))
    vendor.says("GET /incidents", {"incidents": [], "more": False})
    vendor.says("GET /incidents/PT1/notes", {"notes": [{"content": "Rolled back payments to v41"}]})
    vendor.says("GET /incidents/PT2/notes", {"notes": []})
    history = PagerDutyHistory(vendor.url, TOKEN, "", lambda: SINCE + timedelta(days=45))
    first, second = await everything(history)
    assert (first.ref, first.title, first.services, first.severity) == ("PT1", "payments: errors", ("Payments",), "P1")
    assert (first.fix, first.alerts) == ("Rolled back payments to v41", ("alertmanager/HighErrorRate",))
    assert second.ref == "PT2"
    asked = [a.query for a in vendor.asked if a.path == "/incidents"][1:]
    assert [(q["since"][0][:10], q["offset"][0]) for q in asked] == [
        ("2026-11-01", "0"),
        ("2026-11-01", "1"),
        ("2026-12-01", "0"),
    ]
    assert asked[0]["statuses[]"] == ["resolved"]
    assert vendor.asked[0].headers["authorization"] == f"Token token={TOKEN}"


def an_issue(key: str) -> dict[str, object]:
    text = {"type": "text", "text": "A config raised retries"}
    heading = {"type": "heading", "attrs": {"level": 2}, "content": [{"type": "text", "text": "Root cause"}]}
    document = {"type": "doc", "version": 1, "content": [heading, {"type": "paragraph", "content": [text]}]}
    return {
        "key": key,
        "fields": {
            "summary": "Payments failed",
            "description": document,
            "created": "2026-11-02T10:00:00.000+0000",
            "resolutiondate": "2026-11-02T11:00:00.000+0000",
            "priority": {"name": "Highest"},
            "components": [{"name": "payments"}],
        },
    }


async def test_jira_finds_what_its_query_finds_a_token_at_a_time(vendor: Vendor) -> None:
    vendor.says("GET /rest/api/3/search/jql", {"issues": [an_issue("OPS-1")], "nextPageToken": "t2"})
    vendor.says("GET /rest/api/3/search/jql", {"issues": [an_issue("OPS-2")], "isLast": True})
    own = JiraSettings(url=vendor.url, user="a@acme.example", token=SecretStr(TOKEN))
    first, second = await everything(JiraHistory(own, "labels = outage"))
    assert (first.ref, second.ref, first.services) == ("OPS-1", "OPS-2", ("payments",))
    assert "## Root cause\n\nA config raised retries" in first.text
    assert first.resolved == datetime(2026, 11, 2, 11, tzinfo=UTC)
    asked = [a.query for a in vendor.asked]
    assert asked[0]["jql"] == ['(labels = outage) AND created >= "2026-11-01 00:00" ORDER BY created ASC']
    assert asked[1]["nextPageToken"] == ["t2"]


async def test_jira_data_center_is_read_by_number(vendor: Vendor) -> None:
    vendor.says("GET /rest/api/2/search", {"issues": [an_issue("OPS-1")], "total": 2, "startAt": 0})
    vendor.says("GET /rest/api/2/search", {"issues": [an_issue("OPS-2")], "total": 2, "startAt": 1})
    own = JiraSettings(url=vendor.url, token=SecretStr(TOKEN), search="classic")
    assert [p.ref for p in await everything(JiraHistory(own, ""))] == ["OPS-1", "OPS-2"]
    assert [a.query.get("startAt") for a in vendor.asked] == [["0"], ["1"]]


async def test_github_reads_closed_issues_with_the_label_and_no_pull_requests(vendor: Vendor) -> None:
    issue = {
        "number": 7,
        "title": "Checkout slow",
        "created_at": "2026-11-03T10:00:00Z",
        "closed_at": "2026-11-03T12:00:00Z",
        "labels": [{"name": "incident"}, {"name": "sev2"}, {"name": "service: checkout"}],
        "html_url": "https://github.com/acme/ops/issues/7",
        "body": "## Resolution\nRestarted the pool",
    }
    older = {**issue, "number": 3, "created_at": "2026-10-01T10:00:00Z"}
    vendor.says("GET /repos/acme/ops/issues", [older, issue, {**issue, "number": 8, "pull_request": {"url": "x"}}])
    (found,) = await everything(GitHubHistory(vendor.url, TOKEN, "acme/other", "acme/ops outage"))
    assert (found.ref, found.severity, found.services) == ("acme/ops#7", "sev2", ("checkout",))
    assert vendor.asked[0].query["labels"] == ["outage"]
    assert vendor.asked[0].query["state"] == ["closed"]


async def test_a_wrong_token_is_said_without_the_token(vendor: Vendor) -> None:
    vendor.says("GET /repos/acme/ops/issues", {"message": "Bad credentials"}, 401)
    with pytest.raises(NotAllowed) as refused:
        await everything(GitHubHistory(vendor.url, TOKEN, "acme/ops", ""))
    assert TOKEN not in str(refused.value)
