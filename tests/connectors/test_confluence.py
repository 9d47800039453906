"""Confluence, cloud and Data Center, over real HTTP in its documented format."""

import time
from pathlib import Path
from typing import Any

import pytest

from bot.domain.document import DocumentKind
from bot.errors import BadPayload, BadSettings, NotAllowed, NotFound, Unavailable
from bot.knowledge.reading import read
from bot.ports import DocumentSource, RawDocument, Room
from connectors.confluence import CONNECTOR
from connectors.confluence.storage import storage_to_html
from tests.connectors.vendor import Vendor, a_vendor

STORAGE = """<ac:structured-macro ac:name="toc" /><ac:structured-macro ac:name="details"><ac:rich-text-body><table><tbody>
<tr><th>Owner</th><td>Team Payments</td></tr><tr><th>Alerts</th><td><code>HighErrorRate</code>, PaymentsDown</td></tr>
<tr><th>Last reviewed</th><td><time datetime="2025-03-01" /></td></tr></tbody></table></ac:rich-text-body></ac:structured-macro>
<h2>First look</h2><p>See <ac:link><ri:page ri:content-title="Broker" /><ac:plain-text-link-body><![CDATA[the broker page]]>
</ac:plain-text-link-body></ac:link> <ac:emoticon ac:name="tick" /></p>
<ac:structured-macro ac:name="code"><ac:parameter ac:name="language">bash</ac:parameter>
<ac:plain-text-body><![CDATA[kubectl get pods | grep "<none>" && echo ok]]></ac:plain-text-body></ac:structured-macro>
<ac:structured-macro ac:name="warning"><ac:parameter ac:name="title">Careful</ac:parameter>
<ac:rich-text-body><p>Never drop the table.</p><ac:structured-macro ac:name="expand">
<ac:parameter ac:name="title">Why</ac:parameter>
<ac:rich-text-body><p>It holds money.</p></ac:rich-text-body></ac:structured-macro></ac:rich-text-body></ac:structured-macro>
<ac:task-list><ac:task><ac:task-id>1</ac:task-id>
<ac:task-status>complete</ac:task-status><ac:task-body>Page somebody</ac:task-body>
</ac:task><ac:task><ac:task-status>incomplete</ac:task-status><ac:task-body>Roll back</ac:task-body></ac:task></ac:task-list>
<ac:image><ri:attachment ri:filename="x.png" /></ac:image>
<ac:structured-macro ac:name="status"><ac:parameter ac:name="title">LIVE</ac:parameter></ac:structured-macro>
<ac:structured-macro ac:name="somebodys-own"><ac:rich-text-body><p>Inside of it.</p></ac:rich-text-body></ac:structured-macro>"""


def a_source(url: str, **values: object) -> DocumentSource:
    assert CONNECTOR.documents is not None
    return CONNECTOR.documents({"url": url, "spaces": ["OPS"], **values}, Room("wiki", Path("x"), Path("y")))


def cloud(vendor: Vendor, **values: object) -> DocumentSource:
    return a_source(vendor.url, email="bot@example.com", token="the-token", **values)


def listed(id: str, title: str, number: int, parent: str | None = None) -> dict[str, Any]:
    return {"id": id, "status": "current", "title": title, "parentId": parent, "version": {"number": number}}


def spaces(vendor: Vendor) -> None:
    vendor.says("GET /wiki/api/v2/spaces", {"results": [{"id": "77", "key": "OPS"}], "_links": {}})


PAGE = {
    **listed("12", "Payments errors", 3, "11"),
    "version": {"number": 3, "createdAt": "2025-04-01T10:00:00.000Z"},
    "body": {"storage": {"representation": "storage", "value": STORAGE}},
    "labels": {
        "results": [{"id": "1", "name": "service-payments", "prefix": "global"}, {"id": "2", "name": "team-core"}],
        "meta": {},
    },
    "_links": {"webui": "/spaces/OPS/pages/12/Payments+errors"},
}


async def test_the_cloud_is_listed_leaf_by_leaf_and_a_page_comes_with_body_and_labels() -> None:
    with a_vendor() as vendor:
        spaces(vendor)
        pages = "GET /wiki/api/v2/spaces/77/pages"
        following = "/wiki/api/v2/spaces/77/pages?limit=250&cursor=abc%3D%3D"
        vendor.says(pages, {"results": [listed("11", "Ops", 1)], "_links": {"next": following, "base": "https://evil.example"}})
        vendor.says(pages, {"results": [listed("12", "Payments errors", 3, "11")], "_links": {}})
        vendor.says("GET /wiki/api/v2/pages/12", PAGE)
        source = cloud(vendor)
        assert await source.listing() == {"11": "1 Ops", "12": "3 Ops/Payments errors"}
        raw = await source.fetch("12")
        assert await source.fetch("99") is None
        assert raw is not None
        assert raw.link == f"{vendor.url}/wiki/spaces/OPS/pages/12/Payments+errors"
        document = await read(raw, DocumentKind.RUNBOOK, "wiki/12")
        cursors = [a.query.get("cursor") for a in vendor.asked if a.path.endswith("/77/pages")]
        assert cursors == [None, ["abc=="]]
        assert {a.headers["authorization"] for a in vendor.asked} == {"Basic Ym90QGV4YW1wbGUuY29tOnRoZS10b2tlbg=="}
        assert next(a.query for a in vendor.asked if a.path.endswith("/12"))["body-format"] == ["storage"]
    assert document is not None
    assert (document.title, document.path, document.owner) == ("Payments errors", "Ops/Payments errors", "Team Payments")
    assert (document.services, document.alerts) == (("payments",), ("HighErrorRate", "PaymentsDown"))
    assert str(document.reviewed) == "2025-03-01"
    assert document.updated is not None


async def test_the_macros_of_a_page_become_markdown() -> None:
    html, front = storage_to_html(STORAGE)
    document = await read(RawDocument("p", "T", html.encode(), "text/html"), DocumentKind.RUNBOOK, "p")
    assert document is not None
    for part in (
        '```bash\nkubectl get pods | grep "<none>" && echo ok\n```',
        "> **Careful**",
        "Never drop the table.",
        "**Why**",
        "It holds money.",
        "- [x] Page somebody",
        "- [ ] Roll back",
        "the broker page",
        "LIVE",
        "Inside of it.",
        "## First look",
    ):
        assert part in document.text, part
    assert "ac:" not in document.text
    assert front["reviewed"] == "2025-03-01"


async def test_data_center_is_read_by_its_own_api_with_a_bearer_token() -> None:
    with a_vendor() as vendor:
        content = "GET /confluence/rest/api/content"
        top = {**listed("11", "Ops", 1), "ancestors": []}
        page = {**listed("12", "Lag", 2), "ancestors": [{"id": "11", "title": "Ops"}]}
        following = "/rest/api/content?spaceKey=OPS&start=100&limit=100"
        vendor.says(content, {"results": [top], "start": 0, "limit": 100, "size": 1, "_links": {"next": following}})
        vendor.says(content, {"results": [page], "start": 100, "limit": 100, "size": 1, "_links": {}})
        body = {"storage": {"value": "<p>Restart.</p>", "representation": "storage"}}
        labels = {"labels": {"results": [{"name": "alert-lag"}]}}
        whole = {**page, "version": {"number": 2, "when": "2025-01-02T03:04:05.000+01:00"}, "body": body, "metadata": labels}
        vendor.says("GET /confluence/rest/api/content/12", {**whole, "_links": {"webui": "/display/OPS/Lag"}})
        source = a_source(f"{vendor.url}/confluence", token="pat", below="11")
        assert await source.listing() == {"11": "1 Ops", "12": "2 Ops/Lag"}
        raw = await source.fetch("12")
        assert raw is not None
        assert (raw.link, raw.front["alerts"]) == (f"{vendor.url}/confluence/display/OPS/Lag", ["lag"])
        assert {a.headers["authorization"] for a in vendor.asked} == {"Bearer pat"}
        assert [a.query.get("start") for a in vendor.asked if a.path.endswith("/content")] == [["0"], ["100"]]


async def test_a_label_keeps_to_the_pages_that_carry_it() -> None:
    with a_vendor() as vendor:
        spaces(vendor)
        vendor.says(
            "GET /wiki/api/v2/spaces/77/pages", {"results": [listed("11", "Ops", 1), listed("12", "Lag", 1)], "_links": {}}
        )
        vendor.says("GET /wiki/rest/api/content/search", {"results": [{"id": "12"}], "_links": {}})
        assert list(await cloud(vendor, label='run"book').listing()) == ["12"]
        [asked] = [a for a in vendor.asked if a.path.endswith("/search")]
        assert asked.query["cql"] == ['space = "OPS" and type = page and label = "runbook"']


@pytest.mark.parametrize(
    ("status", "error"),
    [(401, NotAllowed), (403, NotAllowed), (404, NotFound), (429, Unavailable), (500, Unavailable), (400, BadPayload)],
)
async def test_each_refusal_is_an_error_of_ours_without_the_token(status: int, error: type[Exception]) -> None:
    with a_vendor() as vendor:
        busy = {"Retry_After": "7"} if status == 429 else {}
        vendor.says("GET /wiki/api/v2/spaces", {"message": "no"}, status=status, **busy)
        with pytest.raises(error) as caught:
            await cloud(vendor).listing()
        assert "the-token" not in f"{caught.value!r}"
        assert status != 429 or getattr(caught.value, "retry_after", None) == 7.0


async def test_a_space_that_is_not_shown_and_answers_that_are_cut_off_say_so() -> None:
    with a_vendor() as vendor:
        vendor.says("GET /wiki/api/v2/spaces", {"results": [], "_links": {}})
        with pytest.raises(NotFound, match="no space OPS"):
            await cloud(vendor).listing()
    with a_vendor() as vendor:
        vendor.says("GET /wiki/api/v2/spaces", {"results": [{"key": "OPS"}]})
        with pytest.raises(BadPayload):
            await cloud(vendor).listing()
    with pytest.raises(Unavailable):
        await cloud(Vendor("http://127.0.0.1:9")).listing()


def test_settings_that_cannot_be_right_are_refused_without_repeating_a_secret() -> None:
    for values, told in (
        ({"url": "http://wiki.example", "token": "s3cret"}, "https"),
        ({"url": "https://wiki.example", "space": "OPS"}, "no setting 'space'"),
        ({"url": "https://wiki.example", "spaces": []}, "spaces"),
        ({"url": "https://u:s3cret@wiki.example"}, "url"),
    ):
        with pytest.raises(BadSettings, match=r"\[knowledge.sources.wiki\]") as caught:
            a_source(**values)  # type: ignore[arg-type]  # wrong on purpose
        assert told in str(caught.value)
        assert "s3cret" not in str(caught.value)


def test_macros_within_macros_without_end_take_a_moment_only() -> None:
    began = time.process_time()
    html, _ = storage_to_html('<ac:structured-macro ac:name="panel"><ac:rich-text-body>' * 300 + "x")
    assert html
    assert time.process_time() - began < 2
