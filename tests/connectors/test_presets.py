"""Every preset reads its sender's firing and resolved payloads as one problem, and proves itself as its file says."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.domain.alert import Alert, fingerprint, instance_key
from bot.domain.change import Change, ChangeKind
from bot.errors import BadPayload, BadSignature
from bot.ports import Delivery, Ignored, Parsed
from connectors.generic import GenericSettings, GenericWebhook
from connectors.generic.presets import PRESETS
from tests.connectors.cases import RECEIVED

FOLDER = Path(__file__).parent / "presets"
PAGE = Path(__file__).parents[2] / "docs" / "connectors" / "generic.md"
ROUND = [name for name in sorted(p.stem for p in FOLDER.glob("*.json")) if name not in ("graylog", "netbox", "wazuh")]
PLAIN = GenericWebhook({})
EXPECTED = {
    # name, service, environment, severity
    "axiom": ("Checkout errors", "unknown", "", "SEV3"),
    "checkly": ("Checkout", "shop", "", "SEV2"),
    "checkmk": ("Disk /var", "db-1", "", "SEV2"),
    "coralogix": ("Checkout errors", "cart", "", "SEV2"),
    "dash0": ("Error rate", "cart", "staging", "SEV2"),
    "graylog": ("Login failures", "auth", "", "SEV2"),
    "healthchecks": ("nightly backup", "nightly-backup", "", "SEV3"),
    "icinga": ("http", "web-1", "", "SEV2"),
    "libre_nms": ("Devices up/down", "sw-7", "", "SEV2"),
    "signalfx": ("Cart latency", "cart", "", "SEV2"),
    "statuspage": ("Provider incident", "j2mfxwj97wnj", "", "SEV2"),
    "statuspage-component": ("Provider component API", "j2mfxwj97wnj", "", "SEV2"),
    "uptime-kuma": ("Shop front page", "frontend", "", "SEV3"),
    "wazuh": ("Multiple authentication failures", "db-1", "", "SEV2"),
}


def payloads(case: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((FOLDER / f"{case}.json").read_text(encoding="utf-8"))
    return found


def delivered(case: str, payload: object, **query: str) -> Delivery:
    source = case.removesuffix("-component")
    return Delivery("generic", {}, json.dumps(payload).encode(), RECEIVED, {"source": source, **query})


def the_alert(parsed: Parsed) -> Alert:
    (alert,) = parsed
    assert isinstance(alert, Alert)
    return alert


@pytest.mark.parametrize("case", sorted(EXPECTED))
def test_a_firing_payload_is_read(case: str) -> None:
    alert = the_alert(PLAIN.parse(delivered(case, payloads(case)["firing"])))
    assert (alert.name, alert.service, alert.environment, alert.severity.value) == EXPECTED[case]
    assert not alert.resolved
    assert alert.summary


@pytest.mark.parametrize("case", ROUND)
def test_the_resolved_payload_ends_the_very_instance_that_fired(case: str) -> None:
    firing, over = (the_alert(PLAIN.parse(delivered(case, payloads(case)[state]))) for state in ("firing", "resolved"))
    assert (firing.resolved, over.resolved) == (False, True)
    assert (fingerprint(firing), instance_key(firing)) == (fingerprint(over), instance_key(over))


@pytest.mark.parametrize("case", sorted(p.stem for p in FOLDER.glob("*.json")))
def test_what_is_no_state_of_a_check_is_ignored_with_its_reason(case: str) -> None:
    for payload in payloads(case)["ignored"]:
        (event,) = PLAIN.parse(delivered(case, payload))
        assert isinstance(event, Ignored)
        assert event.reason


def test_what_netbox_sends_is_a_change_of_infrastructure() -> None:
    (change,) = PLAIN.parse(delivered("netbox", payloads("netbox")["firing"]))
    assert isinstance(change, Change)
    assert (change.kind, change.services, change.author) == (ChangeKind.INFRASTRUCTURE, ("network",), "olivia")
    assert change.title == "NetBox: device sw-7 updated by olivia"


def test_the_url_may_say_which_service_a_provider_is() -> None:
    alert = the_alert(PLAIN.parse(delivered("statuspage", payloads("statuspage")["firing"], service="card-gateway")))
    assert (alert.service, alert.service_from) == ("card-gateway", "the webhook's URL")


def test_a_source_of_the_settings_wins_over_a_preset_of_its_name() -> None:
    mine = GenericSettings.model_validate({"sources": {"checkly": {"alert": {"name": "event"}}}})
    alert = the_alert(GenericWebhook(mine.sources).parse(delivered("checkly", payloads("checkly")["firing"])))
    assert alert.name == "Checkout has failed"


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_stands_in_the_setup_page_has_a_payload_and_refuses_what_proves_nothing(name: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert f"| `{name}` | {PRESETS[name].title} |" in page
    assert PRESETS[name].prove
    bare = delivered(name, payloads(name)["firing"])
    for odd in (bare, replace(bare, headers={"authorization": "Bearer no"}), delivered(name, {}, token="no", secret="no")):
        with pytest.raises(BadSignature):
            PLAIN.verify(odd, ["s3cret"])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_every_preset_accepts_the_proof_that_its_sender_gives(name: str) -> None:
    source, bare = PRESETS[name], delivered(name, payloads(name)["firing"])
    proofs = [replace(bare, headers={"authorization": "Bearer s3cret"})]
    if source.token_query:
        proofs.append(replace(bare, query={**bare.query, source.token_query: "s3cret"}))
    if source.hmac_header:
        digest = hmac.new(b"s3cret", bare.body, getattr(hashlib, source.hmac_algorithm)).digest()
        proof = digest.hex() if source.hmac_encoding == "hex" else base64.b64encode(digest).decode()
        proofs = [replace(bare, headers={source.hmac_header.lower(): proof})]
    for delivery in proofs:
        PLAIN.verify(delivery, ["new", "s3cret"])


@pytest.mark.parametrize("name", sorted(PRESETS))
def test_what_is_no_payload_of_the_sender_is_refused(name: str) -> None:
    for body in (b"{}", b"[]", b"null", b'"x"', b"{", b'{"fields": 7, "heartbeat": [], "data": "x", "component": []}'):
        with pytest.raises(BadPayload):
            PLAIN.parse(replace(delivered(name, None), body=body))
