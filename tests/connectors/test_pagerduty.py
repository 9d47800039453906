"""PagerDuty over its documented wire format: pages, on-call, acknowledgements; and several signatures at once."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.domain.alert import Severity
from bot.domain.handling import Deed, page_key
from bot.errors import BadSignature, NotAllowed, NotFound, Unavailable
from bot.ports import Page
from connectors.pagerduty import CONNECTOR, PagerDutySettings
from tests.connectors.cases import SECRET, all_cases, signed
from tests.connectors.vendor import Vendor, a_vendor
from tests.fakes import an_alert

KEY = page_key("0193-incident", "database")
PAGE = Page(
    KEY, "INC-42 payments answers with errors", Severity.SEV1, "payments", link="https://chat.example/1", target="database"
)


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    with a_vendor() as one:
        yield one


def settings(vendor: Vendor) -> PagerDutySettings:
    return PagerDutySettings.model_validate(
        {
            "routing_key": "R-usual",
            "routing_keys": {"database": "R-database"},
            "api_token": "t0ken",
            "from_email": "tocsin@example.com",
            "url": vendor.url,
            "events_url": vendor.url,
        }
    )


async def test_a_page_is_triggered_acknowledged_and_resolved_under_one_key_with_its_targets_routing_key(vendor: Vendor) -> None:
    vendor.says("POST /v2/enqueue", {"status": "success"}, 202)
    pager = CONNECTOR.pager(settings(vendor))  # type: ignore[misc]  # the connector has one
    assert pager is not None
    await pager.page(PAGE)
    await pager.carry(KEY, Deed.ACKNOWLEDGED, "U0ONCALL")
    await pager.carry(KEY, Deed.RESOLVED, "U0ONCALL")
    await pager.carry(KEY, Deed.SILENCED, "U0ONCALL")
    told = [(a.body["event_action"], a.body["dedup_key"], a.body["routing_key"]) for a in vendor.asked]  # type: ignore[index]  # JSON
    assert told == [(action, KEY, "R-database") for action in ("trigger", "acknowledge", "resolve")]
    assert vendor.asked[0].body["payload"]["severity"] == "critical"  # type: ignore[index]  # JSON


async def test_an_unknown_target_is_named_with_those_there_are(vendor: Vendor) -> None:
    pager = CONNECTOR.pager(settings(vendor))  # type: ignore[misc]  # as above
    assert pager is not None
    with pytest.raises(NotFound, match="database"):
        await pager.page(replace(PAGE, target="nobody"))
    assert vendor.asked == []


@pytest.mark.parametrize(("status", "headers", "wait"), [(429, {"retry_after": "7"}, 7.0), (503, {}, None)])
async def test_a_busy_pagerduty_is_unavailable_for_as_long_as_it_says(
    vendor: Vendor, status: int, headers: dict[str, str], wait: float | None
) -> None:
    vendor.says("POST /v2/enqueue", None, status, **headers)
    pager = CONNECTOR.pager(settings(vendor))  # type: ignore[misc]  # as above
    assert pager is not None
    with pytest.raises(Unavailable) as refused:
        await pager.page(PAGE)
    assert refused.value.retry_after == wait
    assert "R-database" not in str(refused.value)


async def test_who_is_on_call_comes_in_order_of_escalation_and_a_schedule_is_found_by_its_name(vendor: Vendor) -> None:
    vendor.says("GET /schedules", {"schedules": [{"id": "PSCHED1", "name": "Backend"}]})
    people = [("PU2", "Paul", "paul@example.com", 2), ("PU1", "Olivia", "olivia@example.com", 1)]
    oncalls = [
        {"escalation_level": level, "user": {"id": id, "name": name, "email": email}, "end": "2026-11-23T08:00:00Z"}
        for id, name, email, level in people
    ]
    vendor.says("GET /oncalls", {"oncalls": oncalls})
    schedules = CONNECTOR.schedules(settings(vendor))  # type: ignore[misc]  # as above
    assert schedules is not None
    found = await schedules.on_call("backend")
    assert [(p.name, p.email) for p in found] == [("Olivia", "olivia@example.com"), ("Paul", "paul@example.com")]
    assert found[0].until == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert vendor.asked[1].query["schedule_ids[]"] == ["PSCHED1"]
    assert vendor.asked[1].headers["authorization"] == "Token token=t0ken"
    with pytest.raises(NotFound):
        await schedules.on_call("frontend")


async def test_an_acknowledgement_is_made_in_a_persons_name_and_a_wrong_token_is_no_reason_to_try_again(vendor: Vendor) -> None:
    vendor.says("PUT /incidents/PINC0042", {"incident": {}})
    vendor.says("PUT /incidents/PINC0042", {}, 401)
    responder = CONNECTOR.responder(settings(vendor))  # type: ignore[misc]  # as above
    assert responder is not None
    alert = an_alert(connector="pagerduty", ref="PINC0042")
    await responder.carry(alert, Deed.ACKNOWLEDGED, "U0ONCALL", "")
    assert vendor.asked[0].headers["from"] == "tocsin@example.com"
    assert vendor.asked[0].body == {"incident": {"type": "incident_reference", "status": "acknowledged"}}
    with pytest.raises(NotAllowed) as refused:
        await responder.carry(alert, Deed.RESOLVED, "U0ONCALL", "fixed")
    assert not refused.value.retry
    assert "t0ken" not in str(refused.value)


async def test_a_ref_never_leaves_its_place_in_the_address(vendor: Vendor) -> None:
    responder = CONNECTOR.responder(settings(vendor))  # type: ignore[misc]  # as above
    assert responder is not None
    with pytest.raises(NotFound):
        await responder.carry(an_alert(ref="../users/PU1?x="), Deed.ACKNOWLEDGED, "U0", "")
    assert vendor.asked[0].query == {}


def test_one_good_signature_among_several_is_enough() -> None:
    case = next(c for c in all_cases() if c.connector.name == "pagerduty")
    good = signed(case.delivery).headers["x-pagerduty-signature"]
    for given in (f"v1=00,{good}", f"{good}, v1=00"):
        case.webhook.verify(replace(case.delivery, headers={"x-pagerduty-signature": given}), [SECRET])
    for given in ("v1=00,v1=11", good.replace("v1=", "v0="), ",".join(["v1=00"] * 50 + [good])):
        with pytest.raises(BadSignature):
            case.webhook.verify(replace(case.delivery, headers={"x-pagerduty-signature": given}), [SECRET])


def test_without_credentials_it_can_do_nothing_but_listen() -> None:
    bare = PagerDutySettings()
    for make in (CONNECTOR.pager, CONNECTOR.schedules, CONNECTOR.responder):
        assert make is not None
        assert make(bare) is None
