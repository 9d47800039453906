"""Opsgenie over its documented wire format: pages, on-call, acknowledgements, snoozes."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from bot.domain.alert import Severity
from bot.domain.handling import Deed, page_key
from bot.errors import NotFound, Unavailable
from bot.ports import Page
from connectors.opsgenie import CONNECTOR, OpsgenieSettings
from tests.connectors.vendor import Vendor, a_vendor
from tests.fakes import an_alert

KEY = page_key("0193-incident", "payments")


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with a_vendor() as one:
        yield one


def settings(vendor: Vendor) -> OpsgenieSettings:
    return OpsgenieSettings.model_validate({"api_key": "k3y", "url": vendor.url})


async def test_a_page_is_an_alert_with_our_key_as_alias_for_the_team_that_is_named(vendor: Vendor) -> None:
    vendor.says("POST /v2/alerts", {"result": "Request will be processed"}, 202)
    vendor.says(f"POST /v2/alerts/{KEY}/acknowledge", {"result": "Request will be processed"}, 202)
    pager = CONNECTOR.pager(settings(vendor))  # type: ignore[misc]  # the connector has one
    assert pager is not None
    await pager.page(
        Page(KEY, "INC-42 " + "x" * 200, Severity.SEV2, "payments", "What is known", "https://chat.example/1", "payments")
    )
    await pager.carry(KEY, Deed.ACKNOWLEDGED, "U0ONCALL")
    await pager.carry(KEY, Deed.RESOLVED, "U0ONCALL")  # 404: gone is no error
    created, taken, _ = vendor.asked
    assert created.headers["authorization"] == "GenieKey k3y"
    body = created.body
    assert isinstance(body, dict)
    assert (body["alias"], body["priority"], len(body["message"])) == (KEY, "P2", 130)
    assert body["responders"] == [{"type": "team", "name": "payments"}]
    assert taken.query["identifierType"] == ["alias"]


async def test_who_is_on_call_is_asked_by_the_schedules_name(vendor: Vendor) -> None:
    vendor.says("GET /v2/schedules/Back end/on-calls", {"data": {"onCallRecipients": ["olivia@example.com"]}})
    schedules = CONNECTOR.schedules(settings(vendor))  # type: ignore[misc]  # as above
    assert schedules is not None
    assert [p.email for p in await schedules.on_call("Back end")] == ["olivia@example.com"]
    assert vendor.asked[0].query == {"scheduleIdentifierType": ["name"], "flat": ["true"]}
    with pytest.raises(NotFound):
        await schedules.on_call("nobody")


async def test_what_people_did_here_is_done_to_opsgenies_own_alert(vendor: Vendor) -> None:
    for verb in ("acknowledge", "unacknowledge", "close", "snooze"):
        vendor.says(f"POST /v2/alerts/a-1/{verb}", {"result": "Request will be processed"}, 202)
    responder = CONNECTOR.responder(settings(vendor))  # type: ignore[misc]  # as above
    assert responder is not None
    alert, until = an_alert(connector="opsgenie", ref="a-1"), datetime(2026, 11, 22, 14, tzinfo=UTC)
    for deed in (Deed.ACKNOWLEDGED, Deed.UNACKNOWLEDGED, Deed.RESOLVED, Deed.SILENCED):
        await responder.carry(alert, deed, "U0ONCALL", "a note", until)
    assert [a.path.rpartition("/")[2] for a in vendor.asked] == ["acknowledge", "unacknowledge", "close", "snooze"]
    assert vendor.asked[3].body == {
        "source": "Tocsin",
        "user": "U0ONCALL",
        "note": "a note",
        "endTime": "2026-11-22T14:00:00.000Z",
    }


async def test_a_limited_opsgenie_says_when_to_come_back(vendor: Vendor) -> None:
    vendor.says("POST /v2/alerts/a-1/close", {}, 429, retry_after="3")
    responder = CONNECTOR.responder(settings(vendor))  # type: ignore[misc]  # as above
    assert responder is not None
    with pytest.raises(Unavailable) as refused:
        await responder.carry(an_alert(ref="a-1"), Deed.RESOLVED, "U0", "")
    assert refused.value.retry_after == 3.0
