"""The webhooks are what GitHub and Alertmanager really send."""

import asyncio
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest

from bot.demo.alertmanager import Alertmanager, Timing, payload
from bot.demo.changes import INES
from bot.demo.github import FULL_NAME, GitHub
from bot.demo.prober import Alert
from bot.demo.repository import Repository
from bot.demo.sender import Delivery, Sender
from tests.demo.receiver import Receiver

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def alert(instance: str, ended: bool = False) -> Alert:
    labels = {"alertname": "HighErrorRatio", "service": "checkout", "instance": instance, "severity": "critical"}
    return Alert(labels, {"summary": f"{instance} fails"}, NOW, NOW + timedelta(seconds=5) if ended else None)


def body(delivery: Delivery) -> dict[str, object]:
    return dict(json.loads(delivery.body))


@pytest.fixture
async def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop", tmp_path / "releases")
    await made.create(NOW)
    return made


async def test_a_push_is_signed_and_lists_its_commits(repository: Repository) -> None:
    delivery = GitHub("http://127.0.0.1:1", "s3cret").push(repository.commits)
    wanted = hmac.new(b"s3cret", delivery.body, hashlib.sha256).hexdigest()
    assert delivery.headers["X-Hub-Signature-256"] == f"sha256={wanted}"
    assert delivery.headers["X-GitHub-Event"] == "push"
    told = json.loads(delivery.body)
    assert told["ref"] == "refs/heads/main"
    assert told["repository"]["full_name"] == FULL_NAME
    assert [c["id"] for c in told["commits"]] == [c.sha for c in repository.commits]
    assert told["commits"][0]["timestamp"].endswith("Z")
    assert told["commits"][-1]["modified"] == ["docs/operations.md"]
    assert told["created"]
    assert not told["deleted"]
    assert told["head_commit"]["id"] == told["after"]


async def test_a_deployment_status_names_service_version_and_commit(repository: Repository) -> None:
    release = repository.released["payments"][-1]
    github = GitHub("http://127.0.0.1:1", "s3cret")
    first = github.deployment_status(release, "run-1", "production", "in_progress", INES, NOW, NOW)
    second = github.deployment_status(release, "run-1", "production", "success", INES, NOW, NOW)
    told = json.loads(second.body)
    assert told["deployment"]["payload"] == {"service": "payments", "version": "v42"}
    assert told["deployment"]["sha"] == release.commit.sha
    assert told["deployment_status"]["state"] == "success"
    assert json.loads(first.body)["deployment"]["id"] == told["deployment"]["id"]
    assert first.headers["X-GitHub-Delivery"] != second.headers["X-GitHub-Delivery"]


def test_a_notification_has_the_documented_fields() -> None:
    told = payload({"alertname": "HighErrorRatio", "service": "checkout"}, [alert("checkout-1"), alert("checkout-2", True)])
    assert told["version"] == "4"
    assert told["status"] == "firing"
    assert told["truncatedAlerts"] == 0
    assert told["groupKey"] == '{}:{alertname="HighErrorRatio", service="checkout"}'
    assert "instance" not in told["commonLabels"]
    assert told["commonLabels"]["severity"] == "critical"
    first, second = told["alerts"]
    assert first["endsAt"] == "0001-01-01T00:00:00Z"
    assert second["status"] == "resolved"
    assert second["endsAt"] == "2026-11-22T12:00:05.000Z"
    assert len(first["fingerprint"]) == 16
    assert first["fingerprint"] != second["fingerprint"]


def test_a_group_waits_repeats_and_ends() -> None:
    manager = Alertmanager("http://127.0.0.1:1", "token", Timing(group_wait=1, group_interval=5, repeat_interval=20))
    firing = alert("checkout-1")
    manager.take_in([firing], 100.0)
    assert manager.due(100.5) == []
    (first,) = manager.due(101.0)
    assert first.headers["Authorization"] == "Bearer token"
    assert body(first)["status"] == "firing"
    assert manager.due(110.0) == []
    assert len(manager.due(122.0)) == 1
    manager.take_in([alert("checkout-1", ended=True)], 123.0)
    (last,) = manager.due(127.5)
    assert body(last)["status"] == "resolved"
    assert manager.due(200.0) == []
    assert manager.events == 3


def test_a_second_instance_joins_the_group_at_its_interval() -> None:
    manager = Alertmanager("http://127.0.0.1:1", "token", Timing(group_wait=1, group_interval=5, repeat_interval=20))
    manager.take_in([alert("checkout-1")], 100.0)
    manager.due(101.0)
    manager.take_in([alert("checkout-2")], 102.0)
    assert manager.due(103.0) == []
    (delivery,) = manager.due(106.0)
    assert len(json.loads(delivery.body)["alerts"]) == 2


async def test_a_busy_receiver_gets_everything_later_and_in_order(receiver: Receiver) -> None:
    receiver.busy = 2
    async with aiohttp.ClientSession() as session:
        sender = Sender(session)
        task = asyncio.create_task(sender.run())
        for number in range(3):
            sender.send(Delivery(f"{receiver.url}/webhooks/github", {}, str(number).encode()))
        await asyncio.wait_for(sender.drained(), 20)
        task.cancel()
    assert [one.raw for one in receiver.got] == [b"0", b"1", b"2"]
    assert sender.statuses[503] == 2
    assert sender.statuses[202] == 3


def test_secrets_stay_out_of_a_delivery_when_it_is_printed() -> None:
    manager = Alertmanager("http://127.0.0.1:1", "very-secret", Timing(group_wait=0))
    manager.take_in([alert("checkout-1")], 1.0)
    assert "very-secret" not in repr(manager.due(2.0))
