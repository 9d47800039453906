"""The whole estate, really running: doors, deployments, telemetry, webhooks."""

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.demo import deployctl
from bot.demo.decoys import DECOYS
from bot.demo.estate import Estate, EstateConfig, FolderInUse, start_estate
from bot.demo.shop import SERVICES
from tests.demo.conftest import TOKEN
from tests.demo.receiver import Receiver


async def ask(estate: Estate, path: str, method: str = "GET", **given: Any) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as session, session.request(method, estate.url + path, **given) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if text.startswith(("{", "[")) else text


async def ctl(estate: Estate, *words: str) -> tuple[int, Any, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", deployctl.__file__, "--config", str(estate.control_file), *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, error = await process.communicate()
    return process.returncode or 0, json.loads(out) if out else None, error.decode()


async def test_it_starts_serves_customers_and_announces_what_runs(estate: Estate, receiver: Receiver) -> None:
    async with asyncio.timeout(60):
        while len(estate.grounds.load.results) < 30:
            await asyncio.sleep(0.1)
    assert sum(estate.grounds.load.results) == len(estate.grounds.load.results)
    assert len(receiver.of("push")) == 1
    await receiver.until(1 + 2 * len(SERVICES))
    states = [one.body["deployment_status"]["state"] for one in receiver.of("deployment_status")]
    assert states.count("success") == states.count("in_progress") == len(SERVICES)


async def test_a_deployment_switches_the_running_version_without_losing_a_request(estate: Estate, receiver: Receiver) -> None:
    await asyncio.sleep(1.0)
    commit, release = await estate.grounds.ship(DECOYS["checkout-declined"])
    assert release is not None
    current = estate.grounds.deploys.current("checkout")
    assert current is not None
    assert current.commit.sha == commit.sha
    running = [one.running for one in estate.grounds.shop.of("checkout")]
    assert all(one is not None and one.version == release.version for one in running)
    await asyncio.sleep(2.0)
    assert all(estate.grounds.load.results)
    async with asyncio.timeout(30):
        while not any(told.body["deployment"]["sha"] == commit.sha for told in receiver.of("deployment_status")):
            await asyncio.sleep(0.05)
    pushed = receiver.of("push")[-1].body
    assert pushed["after"] == commit.sha
    assert pushed["commits"][0]["modified"] == ["services/checkout/app.py"]
    assert receiver.of("deployment_status")[-1].body["deployment"]["sha"] == commit.sha


async def test_deployctl_deploys_once_per_key_and_answers_in_json(estate: Estate) -> None:
    _, before, _ = await ctl(estate, "current", "--service", "payments", "--environment", "production")
    assert before["version"] == "v42"
    assert len(before["commit"]) == 40
    words = ["deploy", "--service", "payments", "--version", "v41", "--environment", "production"]
    code, run, progress = await ctl(estate, *words, "--idempotency-key", "k1")
    assert (code, run["status"], run["version"]) == (0, "succeeded", "v41")
    assert "deploying payments v41" in progress
    code, again, _ = await ctl(estate, *words, "--idempotency-key", "k1")
    assert code == 0
    assert again["run"] == run["run"]
    assert estate.grounds.deploys.vendor_runs == 1
    _, status, _ = await ctl(estate, "status", "--idempotency-key", "k1")
    assert status["status"] == "succeeded"
    async with aiohttp.ClientSession(trust_env=False) as session, session.get(status["link"]) as page:
        assert (await page.text()).startswith(f"{run['run']}: payments v41 to production\nstatus: succeeded\n")
    _, unknown, _ = await ctl(estate, "status", "--idempotency-key", "never seen")
    assert unknown == {"run": None, "status": "unknown"}
    _, versions, _ = await ctl(estate, "versions", "--service", "payments")
    assert [one["version"] for one in versions] == ["v41", "v42"]
    assert all(one["healthy"] for one in versions)
    _, now, _ = await ctl(estate, "current", "--service", "payments", "--environment", "production")
    assert now["version"] == "v41"


async def test_two_requests_with_one_key_at_once_are_one_run(estate: Estate) -> None:
    words = ["deploy", "--service", "store", "--version", "v11", "--environment", "production", "--idempotency-key", "k"]
    first, second = await asyncio.gather(ctl(estate, *words), ctl(estate, *words))
    assert first[1]["run"] == second[1]["run"]
    assert estate.grounds.deploys.vendor_runs == 1


async def test_what_does_not_exist_is_refused_and_nothing_runs(estate: Estate) -> None:
    for service, version, environment in (
        ("payments", "v99", "production"),
        ("nobody", "v1", "production"),
        ("payments", "v41", "staging"),
    ):
        words = ("--service", service, "--version", version, "--environment", environment, "--idempotency-key", "k")
        code, answer, error = await ctl(estate, "deploy", *words)
        assert (code, answer) == (1, None)
        assert "refused" in error
    assert estate.grounds.deploys.vendor_runs == 0


async def test_a_version_that_does_not_start_leaves_the_old_one_serving(estate: Estate) -> None:
    release = estate.grounds.repository.released["inventory"][-2]
    folder = await estate.grounds.repository.export(release)
    (folder / "services/inventory/app.py").write_text("raise SystemExit('no such luck')\n")
    words = ("--service", "inventory", "--version", release.version, "--environment", "production")
    code, run, _ = await ctl(estate, "deploy", *words, "--idempotency-key", "k")
    assert (code, run["status"]) == (1, "failed")
    assert "no such luck" in run["error"]
    current = estate.grounds.deploys.current("inventory")
    assert current is not None
    assert current.version == "v28"
    status, _ = await ask(estate, "/")
    assert status == 200


async def test_the_control_api_wants_its_token_and_keeps_the_file_private(estate: Estate) -> None:
    status, answer = await ask(estate, "/control/versions?service=store")
    assert status == 401
    assert "token" in answer["error"]
    assert estate.control_file.stat().st_mode & 0o077 == 0
    assert estate.config.deploy_token not in repr(estate.config)
    headers = {"Authorization": f"Bearer {estate.config.deploy_token}"}
    status, answer = await ask(estate, "/control/deploy", "POST", headers=headers, json={"service": "store"})
    assert status == 400
    assert "version" in answer["error"]


async def test_deployctl_says_that_it_could_not_ask(tmp_path: Path) -> None:
    missing = str(tmp_path / "none.json")
    assert deployctl.main(["--config", missing, "versions", "--service", "store"]) == 2
    (tmp_path / "dead.json").write_text('{"url": "http://127.0.0.1:9", "token": "t"}')
    assert deployctl.main(["--config", str(tmp_path / "dead.json"), "versions", "--service", "store"]) == 2


async def test_prometheus_and_loki_answer_in_their_formats(estate: Estate) -> None:
    wanted = {"http_requests_per_second", "http_request_error_ratio", "outbound_calls_per_second"}

    def told() -> bool:
        """The shop is asked every second; a busy machine may need more."""
        telemetry = estate.grounds.telemetry
        lines = any(line.service == "payments" and line.level == "info" for line in telemetry.logs)
        return lines and wanted <= {metric for metric, labels in telemetry.series if ("service", "payments") in labels}

    async with asyncio.timeout(60):
        while not told():
            await asyncio.sleep(0.1)
    now = time.time()
    asked = {"query": '{service="payments"}', "start": now - 3, "end": now, "step": 1}
    status, answer = await ask(estate, "/api/v1/query_range", params=asked)
    assert status == 200
    assert answer["status"] == "success"
    assert answer["data"]["resultType"] == "matrix"
    names = {series["metric"]["__name__"] for series in answer["data"]["result"]}
    assert wanted <= names
    assert all(series["metric"]["service"] == "payments" for series in answer["data"]["result"])
    at, value = answer["data"]["result"][0]["values"][-1]
    assert isinstance(at, float)
    assert isinstance(value, str)
    assert float(value) >= 0
    _, instant = await ask(estate, "/api/v1/query", params={"query": 'up{service="store"}'})
    assert instant["data"]["resultType"] == "vector"
    assert instant["data"]["result"][0]["value"][1] == "1"
    _, listed = await ask(estate, "/api/v1/label/__name__/values")
    assert "cache_hit_ratio" in listed["data"]
    _, series = await ask(estate, "/api/v1/series", params={"match[]": 'up{service="store"}'})
    assert series["data"] == [{"__name__": "up", "service": "store", "instance": "store-1"}]
    status, refusal = await ask(estate, "/api/v1/query", params={"query": "rate(up[1m])"})
    assert status == 400
    assert refusal["errorType"] == "bad_data"
    logs = {"query": '{service="payments",level="info"}', "start": str(int((now - 60) * 1e9)), "limit": "5"}
    status, answer = await ask(estate, "/loki/api/v1/query_range", params=logs)
    assert status == 200
    assert answer["data"]["resultType"] == "streams"
    (stream, *_) = answer["data"]["result"]
    assert stream["stream"]["service"] == "payments"
    assert stream["stream"]["level"] == "info"
    assert stream["values"][0][0].isdigit()
    assert len(stream["values"][0][0]) == 19


async def test_nothing_is_served_from_before_the_estate_began(estate: Estate) -> None:
    await asyncio.sleep(1.5)
    began = estate.grounds.started_at.timestamp()
    asked = {"query": '{service=~".+"}', "start": began - 600, "end": began - 1, "step": 5}
    _, answer = await ask(estate, "/api/v1/query_range", params=asked)
    assert answer["data"]["result"] == []
    assert min(line.at for line in estate.grounds.telemetry.logs) >= began * 1e9


async def test_the_panel_works_on_its_own_page_only(estate: Estate) -> None:
    async with aiohttp.ClientSession() as session, session.get(estate.url) as answer:
        page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
    assert "frame-ancestors http://127.0.0.1:*" in policy
    assert "default-src 'none'" in policy
    token = page.split("token&quot;: &quot;")[1].split("&quot;")[0]
    good = {"Origin": estate.url, "X-Panel-Token": token}
    for headers in ({}, {**good, "Origin": "http://evil.example"}, {**good, "X-Panel-Token": "no"}):
        status, _ = await ask(estate, "/panel/reset", "POST", headers=headers, json={})
        assert status == 403
    status, _ = await ask(estate, "/panel/reset", "POST", headers=good, json={})
    assert status == 200
    status, answer = await ask(estate, "/panel/play", "POST", headers=good, json={"kind": "x", "service": "y"})
    assert status == 400
    assert "error" in answer
    status, shown = await ask(estate, "/panel/state")
    assert status == 200
    assert [one["name"] for one in shown["services"]] == list(SERVICES)
    status, _ = await ask(estate, "/panel/state", headers={"Host": "rebound.example"})
    assert status == 421


@pytest.mark.slow
async def test_a_story_from_the_panel_begins_and_a_reset_ends_it(estate: Estate) -> None:
    headers = {"Authorization": f"Bearer {estate.config.deploy_token}"}
    status, begun = await ask(estate, "/control/story", "POST", headers=headers, json={"seed": 3})
    assert status == 200
    assert begun["story"] == "seed-3"
    async with asyncio.timeout(60):
        while not estate.director.performance or not estate.director.performance.shipped:
            await asyncio.sleep(0.1)
    await estate.director.reset()
    shipped = len(estate.director.performance.shipped)
    await asyncio.sleep(2.5)
    assert len(estate.director.performance.shipped) == shipped


async def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("precious")
    config = EstateConfig(tmp_path, "http://127.0.0.1:9", TOKEN, "s")
    with pytest.raises(FolderInUse):
        async with start_estate(config):
            pass
    assert (tmp_path / "mine.txt").read_text() == "precious"


def test_versions_are_lines_too_the_newest_last() -> None:
    versions = [{"version": "v2", "commit": "c2", "deployed_at": "2026-11-22T12:00:00+00:00"}, {"version": "v1", "commit": "c1"}]
    assert deployctl.lined(versions) == "v1 c1\nv2 c2 2026-11-22T12:00:00+00:00"
    assert deployctl.lined({"version": "v2", "commit": "c2"}) == "v2 c2"
