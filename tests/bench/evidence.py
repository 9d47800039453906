"""Evidence gathered and ranked: a big incident's case, by a Prometheus and a Loki on loopback, and its diagnosis.

The real connectors ask wire-format fakes that answer from memory, in this process: their work is in the CPU time too.
"""

import asyncio
import json
import os
import random
import re
import statistics
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from aiohttp import web

from bot.commands.serve import collect_rarely
from bot.domain.alert import Alert, Severity
from bot.domain.change import Change, ChangeKind, ChangeStatus, Commit
from bot.domain.document import DocumentKind, Found, Inquiry
from bot.domain.incident import Incident, Status
from bot.domain.service import Catalogue, Service
from bot.domain.telemetry import Window
from bot.investigation.case import Case
from bot.investigation.diagnose import diagnose
from bot.investigation.gather import MOST_SERVICES, gather
from connectors.loki import Loki, LokiSettings
from connectors.prometheus.settings import PrometheusSettings
from connectors.prometheus.source import Prometheus
from tests.bench.room import say

SERVICES, CHANGES, LINES = 30, 500, 10_000
NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
ONSET = NOW - timedelta(minutes=6)
WINDOW = Window(NOW - timedelta(hours=2), NOW)
GUILTY = "svc3"  # its pool is halved; those that call it suffer
METRICS: Mapping[str, tuple[float, float]] = {  # healthy level, and what the guilty one's becomes
    "latency_p99_ms": (80.0, 900.0),
    "http_error_ratio": (0.004, 0.3),
    "http_requests_per_second": (120.0, 90.0),
    "cpu_utilization": (0.3, 0.35),
    "memory_rss_bytes": (4e8, 4.1e8),
    "db_pool_in_use": (12.0, 20.0),
    "db_pool_wait_seconds": (0.002, 0.8),
    "cache_hit_ratio": (0.92, 0.91),
}
SAID = (
    ("INFO", "GET /items/{n} 200 in {n} ms"),
    ("INFO", "cache warmed: {n} entries for tenant t{n}"),
    ("WARN", "slow query took {n} ms: SELECT * FROM orders WHERE id = {n}"),
    ("INFO", "consumed message {n} of partition {n}"),
    ("DEBUG", "token of user u{n} refreshed until 2026-05-04T12:{n}:00Z"),
)
BAD = ("ERROR", "could not acquire connection from pool within {n} ms (pool size 20, waiting {n})")


def _name(n: int) -> str:
    return f"svc{n}"


CATALOGUE = Catalogue(
    {
        _name(n): Service(
            _name(n),
            depends_on=tuple(_name(m) for m in (3 * n + 1, 3 * n + 2, 3 * n + 3) if m < SERVICES),
            repository="acme/shop",
            paths=(f"services/{_name(n)}",),
        )
        for n in range(SERVICES)
    }
)


@dataclass
class Vendors:
    """A Prometheus and a Loki that answer from memory: what was asked once is ready the second time."""

    ready: dict[tuple[str, ...], bytes] = field(default_factory=dict)

    async def series(self, request: web.Request) -> web.Response:
        """Nothing by convention: each service is asked for by its selector."""
        await request.post()
        return web.json_response({"status": "success", "data": []})

    async def numbers(self, request: web.Request) -> web.Response:
        """All metrics of the service that the selector names, at each step."""
        form = await request.post()
        query, start, end, step = (str(form[k]) for k in ("query", "start", "end", "step"))
        named = re.search(r'service="(svc\d+)"', query)
        key = ("numbers", named[1] if named else "", start, end, step)
        if key not in self.ready:
            self.ready[key] = _numbers(key[1], float(start), float(end), float(step))
        return web.Response(body=self.ready[key], content_type="application/json")

    async def lines(self, request: web.Request) -> web.Response:
        """The lines of the service that the selector names."""
        asked = request.query
        named = re.search(r'service="(svc\d+)"', asked["query"])
        key = ("lines", named[1] if named else "", asked["start"], asked["end"])
        if key not in self.ready:
            self.ready[key] = _lines(key[1], int(asked["start"]) / 1e9, int(asked["end"]) / 1e9)
        return web.Response(body=self.ready[key], content_type="application/json")


def _numbers(service: str, start: float, end: float, step: float) -> bytes:
    dice, rows = random.Random(f"{service}{start}"), []
    for metric, (healthy, broken) in METRICS.items() if service else ():
        hurt = service == GUILTY or (metric.startswith(("latency", "http_error")) and service in ("svc0", "svc1"))
        values = []
        for n in range(int((end - start) / step) + 1):
            at = start + n * step
            level = broken if hurt and at >= ONSET.timestamp() else healthy
            values.append([at, f"{level * dice.uniform(0.93, 1.07):.6g}"])
        rows.append({"metric": {"__name__": metric, "service": service}, "values": values})
    return json.dumps({"status": "success", "data": {"resultType": "matrix", "result": rows}}).encode()


def _lines(service: str, start: float, end: float) -> bytes:
    dice, streams = random.Random(f"{service}{start}"), dict[str, list[list[str]]]()
    count = (
        round(LINES / MOST_SERVICES * (0.6 if start >= (ONSET - timedelta(minutes=30)).timestamp() else 0.4)) if service else 0
    )
    for n in range(count):
        at = start + (end - start) * n / count
        bad = service == GUILTY and at >= ONSET.timestamp() and n % 2
        level, text = BAD if bad else dice.choice(SAID)
        streams.setdefault(level, []).append([str(int(at * 1e9)), text.replace("{n}", str(dice.randrange(9999)))])
    rows = [{"stream": {"service": service, "level": level.lower()}, "values": values} for level, values in streams.items()]
    return json.dumps({"status": "success", "data": {"resultType": "streams", "result": rows}}).encode()


@dataclass(frozen=True)
class Repository:
    """Knows every commit, with a diff of three files."""

    commits: Mapping[str, Commit]

    async def commit(self, repository: str, sha: str) -> Commit | None:
        """One commit of acme/shop."""
        return self.commits.get(sha) if repository == "acme/shop" else None

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        """Each deployment brings one commit."""
        found = await self.commit(repository, head)
        return (found,) if found and base else ()


@dataclass(frozen=True)
class Nothing:
    """An empty shelf."""

    found: tuple[Found, ...] = ()

    async def find(self, inquiry: Inquiry, kind: DocumentKind, limit: int = 3) -> "Nothing":
        """Search is measured elsewhere."""
        return self


def _history() -> tuple[list[Change], Repository]:
    """Deployments and pushes of a week, the newest a few minutes old; one halves a pool before the onset."""
    dice, changes, commits = random.Random(5), list[Change](), dict[str, Commit]()
    for n in range(CHANGES):
        service, sha = _name(n % SERVICES), f"{n:040x}"
        at = NOW - timedelta(minutes=7) if n == GUILTY_CHANGE else NOW - timedelta(minutes=4 + n * 20)
        files = tuple(f"services/{service}/{dice.choice(('app', 'store', 'api', 'jobs'))}{i}.py" for i in range(3))
        diff = "\n".join(_diff(file, dice) for file in files)
        if n == GUILTY_CHANGE:
            edit = "@@ -1 +1 @@\n-POOL_SIZE = 40\n+POOL_SIZE = 20\n"
            diff = f"diff --git a/{files[0]} b/{files[0]}\n--- a/{files[0]}\n+++ b/{files[0]}\n{edit}"
        commits[sha] = Commit(sha, "ada", at, f"{dice.choice(('Tidy', 'Rework', 'Speed up'))} {service}", files, diff)
        kind = ChangeKind.COMMIT if n % 3 == 2 and n != GUILTY_CHANGE else ChangeKind.DEPLOY
        title, version = f"deploy {service} v{n}", f"v{n}"
        done = ChangeStatus.SUCCEEDED
        changes.append(
            Change(f"c{n}", "github", kind, done, at, title, (service,), "production", version, sha, "acme/shop")
        )  # fmt: skip
    return changes, Repository(commits)


GUILTY_CHANGE = 3  # of svc3


def _diff(file: str, dice: random.Random) -> str:
    words = ("order", "item", "price", "tenant", "cache", "retry", "limit", "batch", "token", "rate", "queue", "worker")
    body = []
    for n in range(20):
        a, b, c = dice.sample(words, 3)
        body += [
            f"     {a}_{b} = self.{c}({n})",
            f"-    {a}_{c} = {b}.get('{a}', {n})",
            f"+    {a}_{c} = {b}.find('{a}', {n + 1})",
        ]
    return "\n".join([f"diff --git a/{file} b/{file}", f"--- a/{file}", f"+++ b/{file}", "@@ -1,40 +1,40 @@", *body])


@asynccontextmanager
async def _vendors() -> AsyncIterator[str]:
    vendors, app = Vendors(), web.Application()
    app.router.add_post("/api/v1/series", vendors.series)
    app.router.add_post("/api/v1/query_range", vendors.numbers)
    app.router.add_get("/loki/api/v1/query_range", vendors.lines)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def _one(url: str, changes: Sequence[Change], repository: Repository) -> tuple[Case, dict[str, float]]:
    prometheus = Prometheus(PrometheusSettings(url=url, timeout_seconds=30))
    loki = Loki(LokiSettings(url=url, timeout_seconds=30))
    alert = Alert(
        "alertmanager",
        "HighLatency",
        "svc0",
        "production",
        Severity.SEV1,
        False,
        ONSET + timedelta(minutes=2),
        summary="svc0 is slow",
    )
    incident = Incident(
        "i", 1, "svc0 is slow", "svc0", "production", Severity.SEV1, Status.OPEN, alert.started_at, alert.started_at
    )
    wall, cpu = time.perf_counter(), time.process_time()
    case = await gather(
        incident=incident,
        alerts=(alert,),
        changes=changes,
        catalogue=CATALOGUE,
        sources=(prometheus, loki),
        change_sources=(repository,),
        library=Nothing(),
        window=WINDOW,
        now=NOW,
        deadline=timedelta(seconds=60),
    )
    gathered, gathered_cpu = time.perf_counter(), time.process_time()
    found = diagnose(case)
    ranked, ranked_cpu = time.perf_counter(), time.process_time()
    if found.cause is None or found.cause.change_id != f"c{GUILTY_CHANGE}":
        say(f"the cause was not convicted: {found.summary}")
    return case, {
        "gather": gathered - wall,
        "rank": ranked - gathered,
        "both": ranked - wall,
        "gather_cpu": gathered_cpu - cpu,
        "rank_cpu": ranked_cpu - gathered_cpu,
        "both_cpu": ranked_cpu - cpu,
    }


async def evidence(rounds: int) -> dict[str, object]:
    """Seconds to gather and to rank, wall and processor time, over so many rounds after one that warms up."""
    collect_rarely()  # as the bot does
    changes, repository = _history()
    async with _vendors() as url:
        case, _ = await _one(url, changes, repository)
        seen = []
        for number in range(rounds):
            seen.append((await _one(url, changes, repository))[1])
            say(f"round {number + 1}: {seen[-1]['both']:.2f} s, processor {seen[-1]['both_cpu']:.2f} s")
    return {
        "rounds": rounds,
        "load1": round(os.getloadavg()[0], 1),
        "services": len({s.service for s in case.series}),
        "series": len(case.series),
        "points": sum(len(s.points) for s in case.series),
        "lines": len(case.logs),
        "changes": len(case.changes),
        "commits": len(case.commits),
        "p50_s": {leg: round(statistics.median(one[leg] for one in seen), 2) for leg in seen[0]},
        "p95_s": {leg: round(sorted(one[leg] for one in seen)[max(0, int(0.95 * len(seen)) - 1)], 2) for leg in seen[0]},
    }


if __name__ == "__main__":
    print(json.dumps(asyncio.run(evidence(5))))
