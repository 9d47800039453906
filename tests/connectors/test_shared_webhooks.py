"""Every sample of ../shared/data/webhooks becomes what its vendor means by it, and no spoiled sample does harm.

One line of SAMPLES per folder. What Keep has are templates: a payload, and values that its fields take.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from bot.domain.alert import Alert
from bot.domain.change import Change, ChangeKind
from bot.errors import BadPayload
from bot.ports import Delivery, Event, Ignored, Parsed
from connectors import CONNECTORS
from tests.connectors.cases import RECEIVED
from tests.connectors.fuzz import spoiled
from tests.connectors.test_fuzz import harmless

SHARED = Path(__file__).parents[3] / "shared" / "data" / "webhooks"
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/data/webhooks beside the project"),
]
Wanted = type[Alert] | type[Ignored] | ChangeKind


def by_alertmanager(name: str, template: dict[str, Any]) -> dict[str, Any]:
    """Keep's Prometheus templates are alerts without the delivery around them."""
    labels = {"alertname": name, **template.get("labels", {})}
    return {"version": "4", "status": "firing", "groupLabels": {}, "alerts": [{**template, "labels": labels, "status": "firing"}]}


@dataclass(frozen=True, slots=True)
class Sample:
    """The files of a folder that match; who reads them, as what, and what the request says besides its body."""

    files: str
    connector: str
    wanted: Wanted
    headers: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    around: Callable[[str, dict[str, Any]], dict[str, Any]] = lambda _, payload: payload
    or_ignored: bool = False  # some of the events are of no use, such as the push that deletes a branch


def github(event: str, wanted: Wanted = Ignored, *, or_ignored: bool = False) -> Sample:
    """The samples of one event of GitHub."""
    return Sample(f"github_{event}/*", "github", wanted, {"x-github-event": event}, or_ignored=or_ignored)


def preset(name: str, wanted: Wanted = Alert, *, or_ignored: bool = False) -> Sample:
    """The samples that a preset of the generic connector reads."""
    return Sample(f"keep_{name}/*", "generic", wanted, query={"source": name}, or_ignored=or_ignored)


SAMPLES = (
    Sample("flux/*", "flux", ChangeKind.DEPLOY),
    Sample("gitlab/build__*", "gitlab", Ignored),
    Sample("gitlab/deployment__*", "gitlab", ChangeKind.DEPLOY),
    Sample("gitlab/issue__*", "gitlab", Ignored),
    Sample("gitlab/merge_request__*", "gitlab", Ignored),
    Sample("gitlab/note__*", "gitlab", Ignored),
    Sample("gitlab/pipeline__*", "gitlab", ChangeKind.BUILD),
    Sample("gitlab/push__*", "gitlab", ChangeKind.COMMIT, or_ignored=True),
    Sample("gitlab/release__*", "gitlab", ChangeKind.RELEASE),
    Sample("gitlab/tag_push__*", "gitlab", ChangeKind.RELEASE),
    Sample("keep_cloudwatch/*", "cloudwatch", Alert),
    Sample("keep_datadog/*", "datadog", Alert),
    Sample("keep_gcpmonitoring/*", "gcpmonitoring", Alert),
    Sample("keep_grafana/*", "grafana", Alert),
    Sample("keep_prometheus/*", "alertmanager", Alert, around=by_alertmanager),
    Sample("keep_sentry/*", "sentry", Alert),
    preset("axiom"),
    preset("checkly"),
    preset("checkmk"),
    preset("coralogix"),
    preset("dash0"),
    preset("graylog"),
    preset("libre_nms"),
    preset("netbox", ChangeKind.INFRASTRUCTURE),
    preset("signalfx"),
    preset("wazuh"),
    github("check_run"),
    github("check_suite"),
    github("create"),
    github("dependabot_alert"),
    github("deployment", ChangeKind.DEPLOY),
    github("deployment_review"),
    github("deployment_status", ChangeKind.DEPLOY),
    github("issue_comment"),
    github("issues"),
    github("merge_group"),
    github("ping"),
    github("pull_request"),
    github("push", ChangeKind.COMMIT, or_ignored=True),
    github("release", ChangeKind.RELEASE),
    github("repository_dispatch"),
    github("security_advisory"),
    github("status"),
    github("workflow_job"),
    github("workflow_run", ChangeKind.BUILD),
)
by_sample = pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.files.removesuffix("/*"))


def deliveries(sample: Sample) -> Iterator[tuple[str, Delivery]]:
    """Every payload of the sample's files, and its name."""
    for file in sorted(SHARED.glob(f"{sample.files}.json")):
        found = json.loads(file.read_text(encoding="utf-8"))
        for name, payload in _filled(found) if file.parent.name.startswith("keep_") else (("", found),):
            body = json.dumps(sample.around(name, payload)).encode()
            yield (
                f"{file.parent.name}/{file.name} {name}",
                Delivery(sample.connector, sample.headers, body, RECEIVED, sample.query),
            )


def _filled(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    templates = {n: t for n, t in found.items() if isinstance(t, dict) and isinstance(t.get("payload"), dict)}
    if not templates:
        yield "", found
    for name, template in templates.items():
        yield name, template["payload"]
        parameters = template.get("parameters", {})
        for values in zip_longest(*parameters.values()):
            filled = json.loads(json.dumps(template["payload"]))
            for path, value in zip(parameters, values, strict=True):
                if value is not None:
                    _put(filled, path, value)
            yield name, filled


def _put(payload: dict[str, Any], path: str, value: object) -> None:
    *above, last = path.split(".")
    for key in above:
        payload = payload.setdefault(key, {})
    payload[last] = value


@cache
def _readers() -> dict[str, Callable[[Delivery], Parsed]]:
    return {c.name: c.webhook.parse for c in CONNECTORS if c.webhook is not None}


def _kind(event: Event) -> Wanted | None:
    if isinstance(event, Change):
        return event.kind
    return (
        Alert if isinstance(event, Alert) and event.readable else Ignored if isinstance(event, Ignored) and event.reason else None
    )


def test_every_folder_has_a_line() -> None:
    read = {sample.files.partition("/")[0] for sample in SAMPLES}
    assert {folder.name for folder in SHARED.iterdir() if folder.is_dir()} <= read


@by_sample
def test_every_sample_becomes_the_right_kind(sample: Sample) -> None:
    found = list(deliveries(sample))
    assert found, f"nothing in {sample.files}"
    kinds: set[Wanted | None] = set()
    for name, delivery in found:
        events = _readers()[sample.connector](delivery)
        assert events, name
        told = {_kind(event) for event in events}
        assert told <= ({sample.wanted, Ignored} if sample.or_ignored else {sample.wanted}), name
        kinds |= told
    assert sample.wanted in kinds


@by_sample
def test_samples_cut_short_are_refused(sample: Sample) -> None:
    for name, delivery in list(deliveries(sample))[:3]:
        body = delivery.body
        for cut in (0, 1, len(body) // 3, len(body) // 2, len(body) - 1):
            short = Delivery(delivery.connector, delivery.headers, body[:cut], RECEIVED, delivery.query)
            try:
                events = _readers()[sample.connector](short)
            except BadPayload:
                continue
            assert all(isinstance(event, Ignored) for event in events), f"{name} cut at {cut}"
            assert sample.wanted is Ignored


@by_sample
def test_spoiled_samples_do_no_harm(sample: Sample) -> None:
    _spoil(sample, range(3))


@pytest.mark.slow
@by_sample
def test_samples_spoiled_in_many_ways_do_no_harm(sample: Sample) -> None:
    _spoil(sample, range(100, 130))


def _spoil(sample: Sample, numbers: range) -> None:
    webhook = next(c.webhook for c in CONNECTORS if c.name == sample.connector)
    assert webhook is not None
    for place, (_, delivery) in enumerate(deliveries(sample)):
        for number in numbers:
            body = spoiled(delivery.body, 1000 * place + number)
            harmless(webhook, Delivery(delivery.connector, delivery.headers, body, RECEIVED, delivery.query))
