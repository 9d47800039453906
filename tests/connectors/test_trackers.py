"""Jira, GitHub issues and ServiceNow over their documented wire formats: opened, commented on and moved, each once."""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from bot.domain.alert import Severity
from bot.domain.payload import Node
from bot.domain.ticket import Ticket, TicketStatus
from bot.errors import BadPayload, NotAllowed, NotFound, Unavailable
from bot.ports import Ignored, TicketDraft
from connectors.github.source import GitHubSettings
from connectors.github.tickets import GitHubIssues, issue_events
from connectors.jira import Jira, JiraSettings, label_of
from connectors.servicenow import ServiceNow, ServiceNowSettings
from tests.connectors.vendor import Vendor, a_vendor
from tests.fakes import NOON

DRAFT = TicketDraft("tocsin:0195-a", "INC-42 payments answers with errors", "Severity SEV2, payments.", "payments", Severity.SEV2)
TOKEN = SecretStr("s3cr3t-t0ken-value")


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with a_vendor() as one:
        yield one


# --- Jira -------------------------------------------------------------------------------------------------------


def jira(vendor: Vendor, **more: object) -> Jira:
    given = {"url": vendor.url, "user": "tocsin@acme.example", "token": TOKEN, "project": "OPS", "priorities": {"SEV2": "High"}}
    return Jira(JiraSettings.model_validate({**given, **more}))


def an_issue(status: str = "new", key: str = "OPS-12") -> dict[str, object]:
    return {
        "key": key,
        "fields": {
            "summary": "INC-42 payments answers with errors",
            "status": {"statusCategory": {"key": status}},
            "created": "2026-11-22T12:00:00.000+0000",
            "updated": "2026-11-22T12:05:00.000+0000",
        },
    }


async def test_jira_opens_one_issue_per_key_and_says_who_asks(vendor: Vendor) -> None:
    vendor.says("GET /rest/api/3/search/jql", {"issues": []})
    vendor.says("GET /rest/api/3/search/jql", {"issues": [{"key": "OPS-12"}]})
    vendor.says("POST /rest/api/2/issue", {"id": "10002", "key": "OPS-12"}, 201)
    vendor.says("GET /rest/api/2/issue/OPS-12", an_issue())
    first, again = await jira(vendor).open(DRAFT), await jira(vendor).open(DRAFT)
    assert first == again
    assert (first.ref, first.status, first.url) == ("OPS-12", TicketStatus.OPEN, f"{vendor.url}/browse/OPS-12")
    (made,) = [a for a in vendor.asked if a.method == "POST"]
    fields = made.body["fields"]  # type: ignore[index]  # JSON
    assert fields["labels"] == ["tocsin", label_of(DRAFT.key)]
    assert fields["priority"] == {"name": "High"}
    assert made.headers["authorization"].startswith("Basic ")


async def test_a_data_center_shows_its_token_and_is_searched_the_classic_way(vendor: Vendor) -> None:
    vendor.says("GET /rest/api/2/search", {"issues": [{"key": "OPS-12"}]})
    vendor.says("GET /rest/api/2/issue/OPS-12", an_issue())
    await jira(vendor, user="", search="classic").open(DRAFT)
    assert vendor.asked[0].headers["authorization"] == f"Bearer {TOKEN.get_secret_value()}"


async def test_jira_takes_the_transition_that_means_the_status_and_none_if_it_is_there(vendor: Vendor) -> None:
    vendor.says("GET /rest/api/2/issue/OPS-12", an_issue("indeterminate"))
    ways = [{"id": "11", "to": {"statusCategory": {"key": "new"}}}, {"id": "31", "to": {"statusCategory": {"key": "done"}}}]
    vendor.says("GET /rest/api/2/issue/OPS-12/transitions", {"transitions": ways})
    vendor.says("POST /rest/api/2/issue/OPS-12/transitions", None, 204)
    await jira(vendor).move("OPS-12", TicketStatus.DONE)
    await jira(vendor).move("OPS-12", TicketStatus.IN_PROGRESS)
    assert [a.body for a in vendor.asked if a.method == "POST"] == [{"transition": {"id": "31"}}]


async def test_a_workflow_without_the_way_is_told_by_name(vendor: Vendor) -> None:
    vendor.says("GET /rest/api/2/issue/OPS-12", an_issue())
    vendor.says("GET /rest/api/2/issue/OPS-12/transitions", {"transitions": []})
    with pytest.raises(NotFound, match=r"leads OPS-12 from open to no status that means done"):
        await jira(vendor).move("OPS-12", TicketStatus.DONE)


async def test_a_comment_is_made_once_per_key(vendor: Vendor) -> None:
    path = "/rest/api/2/issue/OPS-12/comment"
    vendor.says(f"GET {path}", {"comments": []})
    vendor.says(f"GET {path}", {"comments": [{"body": f"acknowledged\n\n({label_of('k1')})"}]})
    vendor.says(f"POST {path}", {"id": "1"}, 201)
    await jira(vendor).comment("OPS-12", "acknowledged", "k1")
    await jira(vendor).comment("OPS-12", "acknowledged", "k1")
    assert [a.body for a in vendor.asked if a.method == "POST"] == [{"body": f"acknowledged\n\n({label_of('k1')})"}]


@pytest.mark.parametrize("ref", ["../../admin", "OPS-12/../x", "ops-12?x=1", ""])
async def test_a_reference_that_is_no_key_is_asked_of_nobody(vendor: Vendor, ref: str) -> None:
    with pytest.raises(NotFound, match="is no issue key"):
        await jira(vendor).comment(ref, "x", "k")
    assert vendor.asked == []


@pytest.mark.parametrize(
    ("status", "error", "word"),
    [(503, Unavailable, "503"), (429, Unavailable, "429"), (401, NotAllowed, "token"), (400, BadPayload, "400")],
)
async def test_a_refusal_says_what_next_and_never_shows_the_token(
    vendor: Vendor, status: int, error: type[Exception], word: str
) -> None:
    vendor.says("GET /rest/api/3/search/jql", {"errorMessages": [TOKEN.get_secret_value()]}, status, Retry_After="7")
    with pytest.raises(error, match=word) as caught:
        await jira(vendor).open(DRAFT)
    assert TOKEN.get_secret_value() not in str(caught.value)
    if isinstance(caught.value, Unavailable):
        assert caught.value.retry_after == 7


# --- GitHub issues ----------------------------------------------------------------------------------------------


def github(vendor: Vendor) -> GitHubIssues:
    return GitHubIssues(GitHubSettings(token=TOKEN, api_url=vendor.url, tickets="acme/ops"))


def an_open_issue(**fields: object) -> dict[str, object]:
    issue = {
        "number": 7,
        "title": "INC-42 payments",
        "state": "open",
        "body": "",
        "labels": [{"name": "payments"}],
        "comments": 0,
    }
    return {**issue, "created_at": "2026-11-22T12:00:00Z", "updated_at": "2026-11-22T12:05:00Z", **fields}


async def test_github_opens_one_issue_per_key_which_its_last_line_carries(vendor: Vendor) -> None:
    path = "/repos/acme/ops/issues"
    vendor.says(f"GET {path}", [])
    vendor.says(f"POST {path}", an_open_issue(), 201)
    first = await github(vendor).open(DRAFT)
    body = vendor.asked[-1].body["body"]  # type: ignore[index]  # JSON
    assert body.endswith("(tocsin tocsin:0195-a)")
    vendor.answers[f"GET {path}"] = [(200, {}, [an_open_issue(body=body)])]
    assert (await github(vendor).open(DRAFT)).ref == first.ref == "acme/ops#7"
    assert sum(a.method == "POST" for a in vendor.asked) == 1


async def test_github_closes_reopens_and_says_that_somebody_works_on_it(vendor: Vendor) -> None:
    vendor.says("PATCH /repos/acme/ops/issues/7", an_open_issue())
    vendor.says("POST /repos/acme/ops/issues/7/labels", [])
    vendor.says("DELETE /repos/acme/ops/issues/7/labels/in progress", [])
    for status in (TicketStatus.IN_PROGRESS, TicketStatus.DONE):
        await github(vendor).move("acme/ops#7", status)
    assert [a.body for a in vendor.asked] == [{"state": "open"}, {"labels": ["in progress"]}, {"state": "closed"}, None]


async def test_a_github_issue_that_nobody_works_on_any_more_loses_its_label_before_it_is_open(vendor: Vendor) -> None:
    vendor.says("PATCH /repos/acme/ops/issues/7", an_open_issue())
    vendor.says("DELETE /repos/acme/ops/issues/7/labels/in progress", {"message": "Label does not exist"}, 404)
    await github(vendor).move("#7", TicketStatus.OPEN)
    assert [(a.method, a.body) for a in vendor.asked] == [("DELETE", None), ("PATCH", {"state": "open"})]


async def test_the_last_page_of_comments_tells_whether_ours_is_there(vendor: Vendor) -> None:
    vendor.says("GET /repos/acme/ops/issues/7", an_open_issue(comments=201))
    vendor.says("GET /repos/acme/ops/issues/7/comments", [{"body": "acknowledged\n\n(tocsin k1)"}])
    await github(vendor).comment("acme/ops#7", "acknowledged", "k1")
    assert vendor.asked[-1].query["page"] == ["3"]
    assert [a.method for a in vendor.asked] == ["GET", "GET"]


@pytest.mark.parametrize("ref", ["acme/other#7", "acme/ops#7/comments", "#x"])
async def test_an_issue_of_another_repository_is_not_touched(vendor: Vendor, ref: str) -> None:
    with pytest.raises(NotFound, match="is no issue of acme/ops"):
        await github(vendor).move(ref, TicketStatus.DONE)
    assert vendor.asked == []


# --- ServiceNow -------------------------------------------------------------------------------------------------


def servicenow(vendor: Vendor) -> ServiceNow:
    return ServiceNow(ServiceNowSettings(url=vendor.url, user="tocsin", password=TOKEN))


RECORD = {
    "sys_id": "9d385017c611228701d22104cc95c371", "number": "INC0010023", "short_description": "INC-42 payments", "state": "1",
    "opened_at": "2026-11-22 12:00:00", "sys_updated_on": "2026-11-22 12:00:00",
}  # fmt: skip
TABLE = "/api/now/table/incident"


async def test_servicenow_opens_one_record_per_correlation_id(vendor: Vendor) -> None:
    vendor.says(f"GET {TABLE}", {"result": []})
    vendor.says(f"GET {TABLE}", {"result": [RECORD]})
    vendor.says(f"POST {TABLE}", {"result": RECORD}, 201)
    first, again = await servicenow(vendor).open(DRAFT), await servicenow(vendor).open(DRAFT)
    assert first == again
    assert first.ref == "INC0010023"
    (made,) = [a.body for a in vendor.asked if a.method == "POST"]
    assert made["correlation_id"] == "tocsin:0195-a"  # type: ignore[index]  # JSON
    assert vendor.asked[0].query["sysparm_query"] == ["correlation_id=tocsin:0195-a"]


async def test_servicenow_resolves_with_a_close_code_and_notes_once_per_key(vendor: Vendor) -> None:
    record = f"{TABLE}/{RECORD['sys_id']}"
    vendor.says(f"GET {TABLE}", {"result": [RECORD]})
    vendor.says(f"PATCH {record}", {"result": RECORD})
    vendor.says("GET /api/now/table/sys_journal_field", {"result": []})
    vendor.says("GET /api/now/table/sys_journal_field", {"result": [{"value": "x"}]})
    await servicenow(vendor).move("INC0010023", TicketStatus.DONE)
    await servicenow(vendor).comment("INC0010023", "acknowledged", "k1")
    await servicenow(vendor).comment("INC0010023", "acknowledged", "k1")
    told = [a.body for a in vendor.asked if a.method == "PATCH"]
    assert [sorted(body) for body in told] == [["close_code", "close_notes", "state"], ["work_notes"]]  # type: ignore[type-var]  # JSON


# --- events -----------------------------------------------------------------------------------------------------


def test_issues_of_the_tickets_repository_are_tickets_and_pull_requests_are_none() -> None:
    payload = {"action": "created", "repository": {"full_name": "acme/ops"}, "issue": an_open_issue()}
    said = {"comment": {"id": 5, "body": "still down", "user": {"login": "mia"}}}
    (ticket,) = issue_events(Node({**payload, **said}), NOON)
    assert isinstance(ticket, Ticket)
    assert (ticket.ref, ticket.comment, ticket.commented_by, ticket.services) == (
        "acme/ops#7",
        "still down",
        "mia",
        ("payments",),
    )
    (other,) = issue_events(Node({**payload, **said, "issue": an_open_issue(pull_request={"url": "x"})}), NOON)
    assert isinstance(other, Ignored)
