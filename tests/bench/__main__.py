"""Measure and print: starts, memory, alert to card, intake. Figures go into docs/benchmarks.md by hand, with the date.

    python -m tests.bench [--cards 50] [--driver PATH]

`--driver` is a load driver that speaks Alertmanager's webhook; without it the intake is not measured.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from bot.commands.staging import clean_environment, free_port, staged, start_bot, start_workspace

SERVICE = "  - {{name: svc{n}, owner: team}}\n"
TOML = """
[incidents]
settle_seconds = 3600
[connectors.alertmanager]
"""
SECRET = "bench-secret"


def say(line: str) -> None:
    """Progress, on stderr."""
    print(f"  {line}", file=sys.stderr, flush=True)


async def warm_start() -> dict[str, float]:
    """Seconds from the command to the page, the bot connected; and the bot's resident memory in MiB 30 s later."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        async with staged(Path(folder), 0, 1, say, clean_environment()) as stage:
            up = time.perf_counter() - began
            await asyncio.sleep(30)
            return {"demo_up_s": round(up, 1), "bot_rss_mib": _rss(stage.process.pid)}


def _rss(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return round(int(status.split("VmRSS:")[1].split()[0]) / 1024, 1)


async def alert_to_card(cards: int, driver: Path | None) -> dict[str, object]:
    """Alert's POST to the card in the channel, in seconds, incidents 3 s apart, with the real embedder; then the intake rate."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        config = folder / "bot"
        config.mkdir()
        (config / "services.yaml").write_text("services:\n" + "".join(SERVICE.format(n=n) for n in range(cards)))
        (config / "routing.yaml").write_text('default: {channel: "#incidents"}\n')
        (config / "policies.yaml").write_text("groups: {}\nrules: []\n")
        runbooks = json.dumps([str(Path(__file__).parents[2] / "runbooks")])
        (config / "tocsin.toml").write_text(f"[knowledge]\nrunbooks = {runbooks}\n{TOML}")
        async with contextlib.AsyncExitStack() as stack:
            page, slack = await start_workspace(stack, free_port(), "", folder / "workspace.log", clean_environment())
            own = {**clean_environment(), **slack, "TOCSIN_PORT": str(port), "TOCSIN_ALERTMANAGER_SECRET": SECRET}
            bot = await start_bot(stack, config, folder / "bot.log", own)
            session = await stack.enter_async_context(aiohttp.ClientSession(trust_env=False))
            say("waiting for the vectors")
            await _until_vectors(folder / "bot.log")
            door = f"http://127.0.0.1:{port}/webhooks/alertmanager"
            seconds = [await _one(session, door, page, n) for n in range(cards)]
            result: dict[str, object] = {
                "cards": len(seconds),
                "alert_to_card_p50_s": round(statistics.median(seconds), 2),
                "alert_to_card_p95_s": round(sorted(seconds)[int(0.95 * len(seconds))], 2),
                "bot_rss_mib": _rss(bot.pid),
            }
            if driver is not None:
                result["intake"] = [await _load(driver, door, batch, total) for batch, total in ((1, 5000), (100, 20000))]
            return result


async def _until_vectors(log: Path) -> None:
    for _ in range(600):
        if "incident:" in log.read_text():
            return
        await asyncio.sleep(0.5)


async def _one(session: aiohttp.ClientSession, door: str, page: str, n: int) -> float:
    labels = {"alertname": "HighErrorRatio", "service": f"svc{n}", "severity": "critical", "environment": "production"}
    now = datetime.now(UTC).isoformat()
    alert = {"status": "firing", "labels": labels, "annotations": {"summary": f"svc{n} answers with errors"}, "startsAt": now}
    body = {"version": "4", "groupKey": f"g{n}", "status": "firing", "receiver": "tocsin", "groupLabels": {}, "alerts": [alert]}
    began = time.time()
    async with session.post(door, json=body, headers={"Authorization": f"Bearer {SECRET}"}) as answer:
        assert answer.status == 202, await answer.text()
    while True:
        async with session.get(f"{page}workspace/messages?as=U0ONCALL&channel=C0INCIDENTS") as answer:
            found = [m for m in (await answer.json())["messages"] if f"*svc{n}*" in json.dumps(m)]
        if found:
            break
        await asyncio.sleep(0.05)
    seconds = float(found[0]["ts"]) - began
    say(f"card {n + 1}: {seconds:.2f} s")
    await asyncio.sleep(max(0.0, 3 - (time.time() - began)))
    return seconds


async def _load(driver: Path, door: str, batch: int, total: int) -> object:
    say(f"load: {total} alerts, {batch} a request")
    words = ["--url", door, "--batch", str(batch), "-n", str(total), "-c", "16", "-H", f"Authorization: Bearer {SECRET}"]
    process = await asyncio.create_subprocess_exec(sys.executable, str(driver), *words, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    whole = json.loads(out)
    return {k: whole[k] for k in ("batch", "accepted_alerts", "accepted_per_s", "requests_per_s", "p50_ms", "p99_ms", "errors")}


async def main() -> None:
    """Print one JSON object per measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cards", type=int, default=50)
    parser.add_argument("--driver", type=Path)
    args = parser.parse_args()
    print(json.dumps(await warm_start()), flush=True)
    print(json.dumps(await alert_to_card(args.cards, args.driver)), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
