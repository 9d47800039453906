"""The generic connector reads by the settings' mapping, says what is wrong with one, and explains what it did."""

import hashlib
import hmac
import json
import tomllib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from bot.cli import main
from bot.domain.alert import Alert, Severity, fingerprint
from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.errors import BadPayload, BadSettings, BadSignature
from bot.ports import Delivery
from bot.settings import Settings
from bot.wiring import vendors
from connectors.generic import CONNECTOR, GenericSettings, GenericWebhook
from tests.connectors.cases import RECEIVED

PAGE = Path(__file__).parents[2] / "docs" / "connectors" / "generic.md"
CHECK: dict[str, Any] = {
    "check": {"id": 77, "title": "Latency", "host": "cart-1"},
    "state": "firing",
    "level": 5,
    "output": "p99 is 2 s",
    "since": "2026-11-22T11:58:00Z",
    "tags": {"service": "cart", "region": "eu-1"},
    "url": "https://checks.example/77",
}


def documented() -> Mapping[str, Any]:
    """The mapping that the setup page shows."""
    block = PAGE.read_text(encoding="utf-8").split("```toml")[1].split("```")[0]
    sources: Mapping[str, Any] = tomllib.loads("\n".join(line.strip() for line in block.splitlines()))["connectors"]["generic"]
    return sources


def the_webhook(**sources: Mapping[str, Any]) -> GenericWebhook:
    return GenericWebhook(GenericSettings.model_validate({"sources": sources} if sources else documented()).sources)


def sent(payload: object, source: str, **headers: str) -> Delivery:
    return Delivery("generic", headers, json.dumps(payload).encode(), RECEIVED, {"source": source})


def an_alert(webhook: GenericWebhook, payload: object, source: str) -> Alert:
    (alert,) = webhook.parse(sent(payload, source))
    assert isinstance(alert, Alert)
    return alert


def test_the_mapping_of_the_setup_page_reads_what_it_says() -> None:
    alert = an_alert(the_webhook(), {"data": {"checks": [CHECK, {**CHECK, "state": "unknown"}]}}, "checks")
    assert (alert.name, alert.service, alert.severity, alert.resolved) == ("Latency", "cart", Severity.SEV1, False)
    assert alert.summary == "Latency: p99 is 2 s"
    assert alert.labels == {"service": "cart", "region": "eu-1"}
    assert alert.started_at.isoformat() == "2026-11-22T11:58:00+00:00"
    assert alert.group == {"source": "checks", "fingerprint": "77"}


def test_the_problem_stays_the_same_when_it_is_over_and_another_fingerprint_is_another_problem() -> None:
    webhook = the_webhook()
    firing, over, other = (
        an_alert(webhook, {"data": {"checks": [check]}}, "checks")
        for check in (CHECK, {**CHECK, "state": "OK", "output": "fine"}, {**CHECK, "check": {"id": 78, "title": "Latency"}})
    )
    assert (firing.resolved, over.resolved, over.ended_at) == (False, True, RECEIVED)
    assert fingerprint(firing) == fingerprint(over) != fingerprint(other)


def test_a_source_of_changes_makes_changes_and_a_repeated_report_is_the_same_change() -> None:
    webhook = the_webhook()
    payload = {"app": {"name": "cart"}, "tag": "v7", "run_id": 12, "by": {"login": "olivia"}}
    (change,) = webhook.parse(sent(payload, "releases"))
    assert isinstance(change, Change)
    assert (change.id, change.services, change.version, change.author) == ("generic:releases:cart:12", ("cart",), "v7", "olivia")
    assert (change.kind, change.status, change.title) == (ChangeKind.DEPLOY, ChangeStatus.SUCCEEDED, "deploy cart v7")
    again = webhook.parse(replace(sent(payload, "releases"), received_at=RECEIVED.replace(hour=13)))
    assert isinstance(again[0], Change)
    assert again[0].id == change.id


def test_one_change_may_be_of_many_services_and_words_are_translated() -> None:
    webhook = the_webhook(
        flags={
            "change": {"service": "apps", "kind": "type", "status": "done"},
            "values": {"kind": {"toggle": "flag"}, "status": {"true": "succeeded", "false": "failed"}},
        }
    )
    (change,) = webhook.parse(sent({"apps": ["cart", "payments"], "type": "toggle", "done": False}, "flags"))
    assert isinstance(change, Change)
    assert (change.services, change.kind, change.status) == (("cart", "payments"), ChangeKind.FLAG, ChangeStatus.FAILED)
    with pytest.raises(BadPayload, match=r"\$\.kind: 'reboot' is none of deploy"):
        webhook.parse(sent({"apps": "cart", "type": "reboot"}, "flags"))


def test_an_unknown_source_is_refused_and_those_there_are_named() -> None:
    with pytest.raises(BadPayload, match=r"no source 'nagios'.*checks, releases"):
        the_webhook().parse(sent(CHECK, "nagios"))


def test_an_expression_that_cannot_be_applied_names_its_field() -> None:
    webhook = the_webhook(odd={"alert": {"name": "join(', ', names)"}})
    with pytest.raises(BadPayload, match=r"\$\.name: \"join"):
        webhook.parse(sent({"names": 7}, "odd"))


def test_more_entries_than_are_read_are_refused() -> None:
    with pytest.raises(BadPayload, match="501 entries"):
        the_webhook().parse(sent({"alerts": [{"name": "x"}] * 501}, ""))


def test_a_source_with_an_hmac_header_wants_the_hmac_of_the_body() -> None:
    webhook = the_webhook()
    plain = sent({"data": {"checks": [CHECK]}}, "checks")
    digest = hmac.new(b"s3cret", plain.body, hashlib.sha256).hexdigest()
    for proof in (digest, "sha256=" + digest):
        webhook.verify(replace(plain, headers={"x-checks-signature": proof}), ["new", "s3cret"])
    forged: list[dict[str, str]] = [{}, {"x-checks-signature": "sha256=" + "0" * 64}, {"authorization": "Bearer s3cret"}]
    for headers in forged:
        with pytest.raises(BadSignature, match="X-Checks-Signature"):
            webhook.verify(replace(plain, headers=headers), ["s3cret"])
    with pytest.raises(BadSignature):
        webhook.verify(replace(plain, headers={"x-checks-signature": digest}, body=plain.body + b" "), ["s3cret"])


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ({"alert": {"name": "a..b"}}, "'a..b' is no JMESPath expression"),
        ({"alert": {"name": "a", "titel": "b"}}, "alert.titel"),
        ({"alert": {"service": "a"}}, "alert.name"),
        ({}, "either a table `alert` or a table `change`"),
        ({"alert": {"name": "a"}, "change": {"service": "b"}}, "either a table `alert` or a table `change`"),
        (
            {"alert": {"name": "a"}, "values": {"severity": {"5": "SEV1"}}},
            "values.severity translates a field that is not mapped",
        ),
        ({"each": "[", "alert": {"name": "a"}}, "each"),
    ],
)
def test_a_mapping_that_cannot_work_is_an_error_at_start_that_names_it(source: Mapping[str, Any], said: str) -> None:
    with pytest.raises(BadSettings) as refused:
        vendors(Settings(connectors={"generic": {"sources": {"checks": source}}}))
    assert "[connectors.generic] sources.checks" in str(refused.value)
    assert said in str(refused.value)


def test_the_settings_reach_the_webhook_that_the_bot_uses() -> None:
    door = vendors(Settings(connectors={"generic": dict(documented())})).doors["generic"]
    assert door.connector.webhook is not None
    (alert,) = door.connector.webhook.parse(sent({"data": {"checks": [CHECK]}}, "checks"))
    assert isinstance(alert, Alert)
    assert CONNECTOR.webhook == GenericWebhook({})  # the one in the registry knows no source


def test_settings_of_the_wrong_shape_are_refused() -> None:
    with pytest.raises(ValidationError):
        GenericSettings.model_validate({"sources": ["checks"]})


def test_explain_shows_each_field_its_expression_and_what_it_gave(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    block = PAGE.read_text(encoding="utf-8").split("```toml")[1].split("```")[0]
    (tmp_path / "tocsin.toml").write_text("\n".join(line.strip() for line in block.splitlines()), encoding="utf-8")
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps({"data": {"checks": [{**CHECK, "output": "password=" + "hunter2hunter2"}]}}), encoding="utf-8")
    assert main(["--config", str(tmp_path), "inbox", "explain", "--source", "checks", str(payload)]) == 0
    said = capsys.readouterr().out
    for line in (
        "entry 0, found by each = data.checks[?state != 'unknown']",
        '  service      tags.service || check.host       "cart"',
        "  severity     level                            5, by values: SEV1",
        "  name         Latency",
        "  severity     SEV1",
    ):
        assert line in said
    assert "hunter2hunter2" not in said
    payload.write_text("[]", encoding="utf-8")
    assert main(["--config", str(tmp_path), "inbox", "explain", "--source", "checks", str(payload)]) == 1
    assert "This cannot be read: $: " in capsys.readouterr().out


def test_explain_works_for_connectors_without_a_mapping(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    payload = tmp_path / "payload.json"
    payload.write_text(json.dumps({"alerts": [{"labels": {"alertname": "HighLatency", "service": "cart"}}]}), encoding="utf-8")
    assert main(["--config", str(tmp_path), "inbox", "explain", "--connector", "alertmanager", str(payload)]) == 0
    assert "an alert of the problem" in capsys.readouterr().out


def test_of_labels_without_an_end_a_hundred_are_kept_and_long_ones_are_cut() -> None:
    payload = {"name": "Latency", "labels": {f"k{n}": "v" * 1000 for n in range(900)}}
    alert = an_alert(GenericWebhook({}), payload, "")
    assert (len(alert.labels), max(map(len, alert.labels.values()))) == (100, 500)
