"""The sample shop watched by the real Prometheus and Alertmanager, which tell the real bot; people read in a local workspace.

The rules are the demo's own (`bot.demo.prober.RULES`) in PromQL. The demo's imitation of both programs is kept still: its groups
wait for ever. Everything is on loopback and ends with its block.
"""

import asyncio
import contextlib
import json
import math
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from string import Template
from typing import Any

import aiohttp
from aiohttp import web

from bot.commands.loopback import free_port
from bot.commands.staging import clean_environment, start_bot, start_workspace
from bot.demo.alertmanager import GROUP_BY, RECEIVER, Timing
from bot.demo.estate import Estate, EstateConfig, start_estate
from bot.demo.prober import FEWEST_REQUESTS, RULES, Rule, dependency_error_ratio, down, error_ratio, latency_p95
from bot.demo.scene import Play
from bot.demo.setup import write_configuration
from bot.demo.shop import PROVIDER, Shop
from bot.demo.telemetry import Reading
from tests.parcels import beside

Say = Callable[[str], None]
PROGRAMS = ("prometheus", "promtool", "prometheus-alertmanager", "amtool")
TOKEN, SECRET = "a-token-of-alertmanager", "a-secret-of-github"
WINDOW = "5s"
KEEP_FIRING = "2s"
_FEW = f"sum by (service, instance) (increase(http_requests_total{{$ours}}[{WINDOW}])) >= {FEWEST_REQUESTS}"
EXPRESSIONS: Mapping[Callable[[Reading], float | None], str] = {  # of instances of $ours above $above
    error_ratio: f'sum by (service, instance) (rate(http_requests_total{{$ours,code=~"5.."}}[{WINDOW}]))'
    f" / sum by (service, instance) (rate(http_requests_total{{$ours}}[{WINDOW}])) > $above and {_FEW}",
    latency_p95: "histogram_quantile(0.95, sum by (service, instance, le)"
    f" (rate(http_request_duration_seconds_bucket{{$ours}}[{WINDOW}]))) > $above and {_FEW}",
    dependency_error_ratio: f"max by (service, instance) (rate(outbound_failures_total{{$ours}}[{WINDOW}])"
    f" / (rate(outbound_calls_total{{$ours}}[{WINDOW}]) > 0)) > $above and {_FEW}",
    down: "1 - up{$ours} > $above",
}
# What the demo's imitation records, so that the bot finds the same names.
RECORDED = {
    "http_requests_per_second": f"sum by (service) (rate(http_requests_total[{WINDOW}]))",
    "http_request_error_ratio": f'sum by (service) (rate(http_requests_total{{code=~"5.."}}[{WINDOW}]))'
    f" / sum by (service) (rate(http_requests_total[{WINDOW}]))",
    "http_request_latency_p95_seconds": "histogram_quantile(0.95, sum by (service, le)"
    f" (rate(http_request_duration_seconds_bucket[{WINDOW}])))",
    "outbound_calls_per_request": f"sum by (service, target) (rate(outbound_calls_total[{WINDOW}]))"
    f" / on (service) group_left sum by (service) (rate(http_requests_total[{WINDOW}]))",
    "retries_per_second": f"sum by (service, target) (rate(retries_total[{WINDOW}]))",
}


def missing() -> list[str]:
    """The programs that are not installed."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


@dataclass(frozen=True, slots=True)
class Intervals:
    """Alertmanager's, as it writes them; Prometheus scrapes and evaluates once a second."""

    group_wait: str = "1s"
    group_interval: str = "2s"
    repeat_interval: str = "1h"


@dataclass(frozen=True, slots=True)
class Watched:
    """All that runs: `prometheus` and `alertmanager` are addresses; `play` is what people see and do."""

    estate: Estate
    play: Play
    prometheus: str
    alertmanager: str
    session: aiohttp.ClientSession
    folder: Path

    async def ask(self, url: str, **query: str) -> Any:
        """What an HTTP API answers."""
        async with self.session.get(url, params=query) as answer:
            answer.raise_for_status()
            return await answer.json()

    async def alerts(self) -> list[dict[str, Any]]:
        """Prometheus's own list: labels, activeAt, state (pending or firing)."""
        found: list[dict[str, Any]] = (await self.ask(f"{self.prometheus}/api/v1/alerts"))["data"]["alerts"]
        return found

    async def samples(self, query: str) -> list[dict[str, Any]]:
        """The last ten minutes of a query, second by second."""
        now = datetime.now(UTC).timestamp()
        where = {"query": query, "start": str(now - 600), "end": str(now), "step": "1"}
        found: list[dict[str, Any]] = (await self.ask(f"{self.prometheus}/api/v1/query_range", **where))["data"]["result"]
        return found

    def deliveries(self) -> list[tuple[datetime, dict[str, Any]]]:
        """What Alertmanager has delivered to the bot, by when it was kept."""
        with closing(beside(self.folder / "bot" / ".tocsin" / "tocsin.db")) as database:
            query = "SELECT received_at, body FROM inbox WHERE connector = 'alertmanager' ORDER BY id"
            rows = database.execute(query).fetchall()
        return [(datetime.fromisoformat(at).replace(tzinfo=UTC), json.loads(body)) for at, body in rows]

    def silence(self, *matchers: str) -> str:
        """Made with amtool, as on-call would; the id."""
        words = ["amtool", f"--alertmanager.url={self.alertmanager}", "silence", "add", "--duration=1h", "--comment=known"]
        return subprocess.run([*words, *matchers], check=True, capture_output=True, text=True, timeout=20).stdout.strip()


@contextlib.asynccontextmanager
async def watched_shop(folder: Path, say: Say, intervals: Intervals | None = None) -> AsyncIterator[Watched]:
    """The shop is healthy, scraped, and nothing fires."""
    async with contextlib.AsyncExitStack() as stack:
        bot_port = free_port()
        bot_url = f"http://127.0.0.1:{bot_port}"
        still = Timing(group_wait=math.inf)
        estate = await stack.enter_async_context(
            start_estate(EstateConfig(folder / "estate", bot_url, TOKEN, SECRET, alertmanager=still))
        )
        session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
        alertmanager = await _alertmanager(stack, folder, bot_url, intervals or Intervals())
        prometheus = await _prometheus(stack, folder, estate.grounds.shop, alertmanager)
        say(f"Prometheus {prometheus} and Alertmanager {alertmanager} watch the shop")
        environ = clean_environment()
        page, slack = await start_workspace(stack, free_port(), estate.url, folder / "workspace.log", environ)
        await write_configuration(folder / "bot", estate)
        own = {
            "TOCSIN_PORT": str(bot_port),
            "TOCSIN_ALERTMANAGER_SECRET": TOKEN,
            "TOCSIN_ALERTMANAGER_URL": alertmanager,
            "TOCSIN_GITHUB_SECRET": SECRET,
            "TOCSIN_PROMETHEUS_URL": prometheus,
            "TOCSIN_PROMETHEUS_GOLDEN": "true",
            "TOCSIN_PROMETHEUS_SCRAPE_SECONDS": "1",
            "TOCSIN_KNOWLEDGE_EMBEDDER": "none",
        }
        await start_bot(stack, folder / "bot", folder / "bot.log", {**environ, **slack, **own})
        watched = Watched(estate, Play(session, page, estate, say), prometheus, alertmanager, session, folder)
        await estate.grounds.warm.wait()
        await watched.play.until(lambda: _all_up(watched), 30, "Prometheus has not seen every instance")
        yield watched


async def _all_up(watched: Watched) -> bool | None:
    rates = await watched.ask(f"{watched.prometheus}/api/v1/query", query="count(rate(process_cpu_seconds_total[5s]) or up == 1)")
    alerts = await watched.alerts()
    seen = rates["data"]["result"]
    return True if seen and int(seen[0]["value"][1]) >= len(_scraped(watched.estate.grounds.shop)) and not alerts else None


def _scraped(shop: Shop) -> list[Any]:
    return [one for one in shop.instances if one.service != PROVIDER]


# --- the two programs ---------------------------------------------------------------------------------------------


async def _alertmanager(stack: contextlib.AsyncExitStack, folder: Path, bot_url: str, intervals: Intervals) -> str:
    receiver = {
        "name": RECEIVER,
        "webhook_configs": [
            {
                "url": f"{bot_url}/webhooks/alertmanager",
                "send_resolved": True,
                "http_config": {"authorization": {"credentials": TOKEN}},
            }
        ],
    }
    route = {
        "receiver": RECEIVER,
        "group_by": list(GROUP_BY),
        "group_wait": intervals.group_wait,
        "group_interval": intervals.group_interval,
        "repeat_interval": intervals.repeat_interval,
    }
    config = _written(folder / "alertmanager.yml", {"route": route, "receivers": [receiver]})
    port = free_port()
    words = ["prometheus-alertmanager", f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}"]
    words += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    return await _running(stack, words, port, folder / "alertmanager.log")


async def _prometheus(stack: contextlib.AsyncExitStack, folder: Path, shop: Shop, alertmanager: str) -> str:
    doors = await _metrics_doors(stack, shop)
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(_written(folder / "rules.yml", rules()))],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager.removeprefix("http://")]}]}]},
        "scrape_configs": [
            {
                "job_name": "shop",
                "static_configs": [
                    {
                        "targets": [doors],
                        "labels": {"service": one.service, "instance": one.name, "__metrics_path__": f"/{one.name}/metrics"},
                    }
                    for one in _scraped(shop)
                ],
            }
        ],
    }
    path = _written(folder / "prometheus.yml", config)
    checked = await asyncio.to_thread(subprocess.run, ["promtool", "check", "config", str(path)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    port = free_port()
    words = ["prometheus", f"--config.file={path}", f"--storage.tsdb.path={folder / 'prometheus'}"]
    words += [f"--web.listen-address=127.0.0.1:{port}"]
    return await _running(stack, words, port, folder / "prometheus.log")


async def _metrics_doors(stack: contextlib.AsyncExitStack, shop: Shop) -> str:
    """One fixed address that hands each instance's /metrics on, byte by byte: a new version's process has a new port."""
    session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
    instances = {one.name: one for one in _scraped(shop)}

    async def hand_on(request: web.Request) -> web.Response:
        running = instances[request.match_info["name"]].running
        if running is None:
            return web.Response(status=502)
        try:
            async with session.get(f"{running.admin}/metrics") as answer:
                return web.Response(body=await answer.read(), headers={"content-type": "text/plain; version=0.0.4"})
        except aiohttp.ClientError:
            return web.Response(status=502)

    app = web.Application()
    app.router.add_get("/{name}/metrics", hand_on)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=1.0).start()
    return f"127.0.0.1:{runner.addresses[0][1]}"


def rules() -> dict[str, Any]:
    """The demo's rules as a rule file, each per instance, and the recorded series."""
    recorded = [{"record": name, "expr": expr} for name, expr in RECORDED.items()]
    return {
        "groups": [
            {"name": "recorded", "rules": recorded},
            {"name": "shop", "rules": [_alerting(rule) for rule in RULES]},
        ]
    }


def _alerting(rule: Rule) -> dict[str, Any]:
    ours = f'service=~"{"|".join(rule.services)}"'
    return {
        "alert": rule.name,
        "expr": Template(EXPRESSIONS[rule.measure]).substitute(ours=ours, above=rule.above),
        "for": f"{int(rule.seconds * 1000)}ms",
        "keep_firing_for": KEEP_FIRING,
        "labels": {"severity": rule.severity, "environment": "production", "job": "shop"},
        "annotations": {
            "summary": f"{rule.name} on {{{{ $labels.instance }}}}: {{{{ $value | humanize }}}} (limit {rule.above:g})"
        },
    }


def _written(path: Path, content: Mapping[str, Any]) -> Path:
    """JSON is YAML."""
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")
    return path


async def _running(stack: contextlib.AsyncExitStack, words: list[str], port: int, log: Path) -> str:
    """The program is ready at its address; it is told to stop, by its own pid, when the stack unwinds."""
    with log.open("wb") as out:
        process = await asyncio.create_subprocess_exec(*words, stdout=out, stderr=out)

    async def end() -> None:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), 10)
            except TimeoutError:
                process.kill()
                await process.wait()

    stack.push_async_callback(end)
    async with aiohttp.ClientSession(trust_env=False) as session:
        for _ in range(600):
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"http://127.0.0.1:{port}/-/ready") as answer:
                    if answer.status == 200:
                        return f"http://127.0.0.1:{port}"
            await asyncio.sleep(0.1)
    raise RuntimeError(f"{words[0]} did not start: {log.read_text(errors='replace')[-1000:]}")
