"""Status pages: three formats, only what goes on now, and only the pages of providers that are near."""

import json
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import ValidationError

from bot.domain.service import Service
from bot.domain.telemetry import Readings, SourceStatus, Window
from bot.errors import BadPayload
from connectors.statuspages import CONNECTOR, StatusPages, StatusPagesSettings, happenings

NOON = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
WINDOW = Window(NOON - timedelta(hours=2), NOON)
SUMMARY = {
    "page": {"id": "p1", "name": "AcmePay", "url": "https://status.acmepay.example"},
    "components": [
        {"name": "API", "status": "partial_outage", "updated_at": "2026-05-04T11:41:00Z"},
        {"name": "Dashboard", "status": "operational", "updated_at": "2026-05-04T09:00:00Z"},
    ],
    "incidents": [
        {
            "name": "Elevated errors of card payments",
            "status": "investigating",
            "impact": "major",
            "started_at": "2026-05-04T11:40:00Z",
            "components": [{"name": "API"}],
            "incident_updates": [{"body": "We are looking into it."}],
        },
        {"name": "Last week", "status": "resolved", "impact": "minor", "started_at": "2026-05-04T10:00:00Z"},
    ],
}
GOOGLE = [
    {
        "begin": "2026-05-04T11:30:00+00:00",
        "end": None,
        "external_desc": "BigQuery jobs fail in europe-west1",
        "status_impact": "SERVICE_OUTAGE",
        "affected_products": [{"title": "Google BigQuery"}],
    },
    {"begin": "2026-05-01T11:30:00+00:00", "end": "2026-05-01T12:30:00+00:00", "external_desc": "over"},
]
FEED = """<?xml version="1.0"?><rss version="2.0"><channel><title>EC2</title>
<item><title><![CDATA[Informational message: Increased API errors]]></title><pubDate>Mon, 04 May 2026 04:45:00 PDT</pubDate>
<description><![CDATA[We see increased error rates.]]></description></item>
<item><title>Service is operating normally: [RESOLVED] Network</title><pubDate>Mon, 04 May 2026 01:00:00 PDT</pubDate></item>
<item><title>Network trouble</title><pubDate>Mon, 04 May 2026 00:00:00 PDT</pubDate></item>
</channel></rss>"""


def test_an_open_incident_and_a_component_that_is_out_are_told() -> None:
    component, incident = sorted(happenings(json.dumps(SUMMARY).encode(), "acmepay"), key=lambda h: h.about + h.reason)[::-1]
    assert (incident.service, incident.reason, incident.about) == ("acmepay", "major investigating", "API")
    assert incident.at == NOON - timedelta(minutes=20)
    assert incident.text == "Elevated errors of card payments: We are looking into it."
    assert component.reason == "partial_outage"


def test_googles_incidents_that_go_on_are_told() -> None:
    [one] = happenings(json.dumps(GOOGLE).encode(), "bigquery")
    assert (one.reason, one.about, one.text) == ("SERVICE_OUTAGE", "Google BigQuery", "BigQuery jobs fail in europe-west1")


def test_a_feed_tells_what_came_after_the_last_all_clear() -> None:
    [one] = happenings(FEED.encode(), "ec2")
    assert one.text == "Informational message: Increased API errors: We see increased error rates."
    assert one.at == NOON - timedelta(minutes=15)


@pytest.mark.parametrize("body", [b"<html>hello</html>", b"[]", b"{}", b"", b"<rss", b'{"incidents": 3}'])
def test_what_is_no_status_page_says_so(body: bytes) -> None:
    with pytest.raises(BadPayload):
        happenings(body, "x")


async def read(services: tuple[str, ...], asked: list[str]) -> tuple[Readings, ...]:
    known = {
        "web": Service("web", depends_on=("checkout",)),
        "checkout": Service("checkout", depends_on=("acmepay",)),
        "acmepay": Service("acmepay", external=True),
    }

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(str(request.url))
        return httpx.Response(200, json=SUMMARY)

    pages = {"acmepay": "https://status.acmepay.example", "othercorp": "https://status.other.example/api/v2/summary.json"}
    source = StatusPages(StatusPagesSettings(pages=pages), httpx.MockTransport(answer))
    return await source.catalogued(lambda name: known.get(name, Service(name, catalogued=False))).read(services, WINDOW)


async def test_only_the_pages_of_providers_that_are_near_are_asked() -> None:
    asked: list[str] = []
    [reading] = await read(("web",), asked)
    assert asked == ["https://status.acmepay.example/api/v2/summary.json"]
    assert reading.status is SourceStatus.OK
    assert reading.link == "https://status.acmepay.example/api/v2/summary.json"
    assert {h.service for h in reading.happenings} == {"acmepay"}
    assert await read(("search",), asked) == ()


def test_an_address_that_is_none_is_refused_with_its_name() -> None:
    assert CONNECTOR.settings is not None
    with pytest.raises(ValidationError, match="acmepay needs an address"):
        CONNECTOR.settings.model_validate({"pages": {"acmepay": "status.acmepay.example"}})
    with pytest.raises(ValidationError, match="without a user and a password"):
        CONNECTOR.settings.model_validate({"pages": {"acmepay": "https://ada:pw@status.acmepay.example"}})
