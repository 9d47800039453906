"""Silences against Alertmanager's own program (Debian's prometheus-alertmanager), where it is installed."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from bot.commands.loopback import free_port
from bot.domain.handling import Deed
from connectors.alertmanager.silences import Silences
from tests.fakes import an_alert

PROGRAM = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager") or ""
LABELS = {"alertname": "HighErrorRate", "service": "payments"}
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not PROGRAM, reason="Alertmanager is not installed: scripts/real_parts.sh")]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """An Alertmanager of this test."""
    (tmp_path / "alertmanager.yml").write_text("route: {receiver: nobody}\nreceivers: [{name: nobody}]\n")
    address = f"127.0.0.1:{free_port()}"
    command = [PROGRAM, f"--config.file={tmp_path}/alertmanager.yml", f"--storage.path={tmp_path}/data"]
    command += [f"--web.listen-address={address}", "--cluster.listen-address="]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(600):
            with suppress(httpx.HTTPError):
                if httpx.get(f"http://{address}/-/ready", trust_env=False).status_code == 200:
                    break
            time.sleep(0.1)
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(60)


def alerts(url: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = httpx.get(f"{url}/api/v2/alerts", trust_env=False).json()
    return found


def fire(url: str, *pods: str) -> None:
    body = [{"labels": {**LABELS, "pod": pod}, "annotations": {}} for pod in pods]
    assert httpx.post(f"{url}/api/v2/alerts", json=body, trust_env=False).status_code == 200


def states(url: str) -> set[str]:
    return {str(a["status"]["state"]) for a in alerts(url)}  # type: ignore[index]  # JSON


def settled(url: str, wanted: set[str]) -> bool:
    """Alertmanager marks alerts a moment later."""
    for _ in range(100):
        if states(url) == wanted:
            return True
        time.sleep(0.1)
    return False


async def test_a_silence_is_made_prolonged_and_ended_and_one_made_there_is_seen(url: str) -> None:
    fire(url, "payments-1", "payments-2")
    assert settled(url, {"active"}) or settled(url, {"unprocessed"})
    silences, alert = Silences(url), an_alert(labels=LABELS)
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    made = await silences.carry(alert, Deed.SILENCED, "U0ONCALL", "INC-42", end)
    assert made == await silences.carry(alert, Deed.SILENCED, "U0ONCALL", "INC-42", end)
    assert settled(url, {"suppressed"})
    assert await silences.silenced() == ()  # ours are no news
    await silences.carry(alert, Deed.SILENCED, "U0ONCALL", "INC-42", end + timedelta(hours=1))
    active = [s for s in httpx.get(f"{url}/api/v2/silences", trust_env=False).json() if s["status"]["state"] == "active"]
    assert [datetime.fromisoformat(s["endsAt"]) for s in active] == [end + timedelta(hours=1)]
    for _ in range(2):
        await silences.carry(alert, Deed.UNSILENCED, "U0ONCALL", "")
    assert settled(url, {"active"}) or settled(url, {"unprocessed"})
    theirs = {
        "matchers": [{"name": "service", "value": "pay.*", "isRegex": True, "isEqual": True}],
        "startsAt": datetime.now(UTC).isoformat(),
        "endsAt": end.isoformat(),
        "createdBy": "Olivia Ops",
        "comment": "upgrade",
    }
    assert httpx.post(f"{url}/api/v2/silences", json=theirs, trust_env=False).status_code == 200
    assert settled(url, {"suppressed"})
    seen = await silences.silenced()
    assert {s.ref for s in seen} == {str(a["fingerprint"]) for a in alerts(url)}
    assert {(s.until, s.by, s.note) for s in seen} == {(end, "Olivia Ops", "upgrade")}


async def test_what_fires_is_known_silenced_or_not_and_nothing_is_known_right_after_the_start(url: str) -> None:
    silences, alert = Silences(url, learns=timedelta(0)), an_alert(labels=LABELS)
    fire(url, "payments-1", "payments-2")
    await silences.carry(alert, Deed.SILENCED, "U0ONCALL", "INC-42", datetime.now(UTC) + timedelta(hours=1))
    assert settled(url, {"suppressed"})
    assert await silences.firing() == {str(a["fingerprint"]) for a in alerts(url)}
    now = datetime.now(UTC).isoformat()
    over = [{"labels": {**LABELS, "pod": "payments-1"}, "annotations": {}, "endsAt": now}]
    assert httpx.post(f"{url}/api/v2/alerts", json=over, trust_env=False).status_code == 200
    firing = await silences.firing()
    assert firing is not None
    assert len(firing) == 1
    assert await Silences(url).firing() is None
