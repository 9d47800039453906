"""Measure and print: starts, memory, alert to card, first word, intake. Figures go into docs/benchmarks.md by hand.

    python -m tests.bench [--only start,cards,memory,words] [--cards 50] [--database sqlite|postgres] [--driver PATH]
                          [--model NAME --model-url URL]
    python -m tests.bench --only ingest --driver PATH [--database sqlite|postgres] [--parts rates,flood,steady,curve] [--rounds 3]
    python -m tests.bench --only rules [--rounds 5]
    python -m tests.bench --only executor
    python -m tests.bench --only evidence [--rounds 20]
    python -m tests.bench --only knowledge [--corpus docs.jsonl] [--vectors 100000]

`--driver` is a load driver that speaks Alertmanager's webhook; without it the intake is not measured. PostgreSQL is a fresh
server with fsync on. The first word is measured with the model that is named, else with a stand-in that answers at once.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.commands.staging import clean_environment, staged
from bot.demo.standin.extract import extract
from bot.demo.standin.server import standin
from tests.bench.evidence import evidence
from tests.bench.executor import executor
from tests.bench.ingest import ingest
from tests.bench.knowledge import MANY, knowledge
from tests.bench.room import SECRET, Bench, bench, rss, say
from tests.bench.rules import rules
from tests.postgres import a_server

WHAT = ("start", "cards", "memory", "words")


async def warm_start() -> dict[str, float]:
    """Seconds from the command to the page, the bot connected; and the bot's resident memory in MiB 30 s later."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        async with staged(Path(folder), 0, 1, say, clean_environment()) as stage:
            up = time.perf_counter() - began
            await asyncio.sleep(30)
            return {"demo_up_s": round(up, 1), "bot_rss_mib": rss(stage.process.pid)}


async def alert_to_card(cards: int, driver: Path | None, database: str) -> dict[str, object]:
    """Alert's POST to the card in the channel, in seconds, incidents 3 s apart, with the real embedder; then the intake rate."""
    with contextlib.ExitStack() as stack:
        settings = {}
        if database == "postgres":
            settings["TOCSIN_DATABASE_URL"] = stack.enter_context(a_server(fsync=True)).url
        async with bench(cards, **settings) as here:
            seconds = [await _one(here, n) for n in range(cards)]
            result: dict[str, object] = {
                "database": database,
                "cards": len(seconds),
                "alert_to_card_p50_s": round(statistics.median(seconds), 2),
                "alert_to_card_p95_s": round(sorted(seconds)[int(0.95 * len(seconds))], 2),
                "bot_rss_mib": rss(here.pid),
            }
            if driver is not None:
                result["intake"] = [await _load(driver, here.door, batch, total) for batch, total in ((1, 5000), (100, 20000))]
            return result


async def memory() -> dict[str, object]:
    """Resident memory of the bot in MiB 30 s after it is up: words only (no torch), and with the embedding model."""
    found: dict[str, object] = {}
    for name, settings in (("words_only_rss_mib", {"TOCSIN_KNOWLEDGE_EMBEDDER": "none"}), ("embedder_rss_mib", {})):
        async with bench(5, **settings) as here:
            await asyncio.sleep(30)
            found[name] = rss(here.pid)
    return found


async def first_word(model: str, url: str, questions: int = 5) -> dict[str, object]:
    """Seconds from a person's question in a card's thread to the first streamed word, and to the whole answer."""
    async with contextlib.AsyncExitStack() as stack:
        if not url:
            model, url = "openai-compatible:stand-in", (await stack.enter_async_context(standin(extract))).url
        here = await stack.enter_async_context(bench(questions, TOCSIN_MODEL=model, TOCSIN_MODEL_URL=url))
        first, whole, size = [], [], []
        for n in range(questions):
            await _one(here, n)
            words, end, answer = await _asked(here, n)
            say(f"question {n + 1}: first word {words:.2f} s, answer {end:.2f} s")
            first.append(words)
            whole.append(end)
            size.append(len(answer))
        return {
            "model": model,
            "first_word_p50_s": round(statistics.median(first), 2),
            "answer_p50_s": round(statistics.median(whole), 2),
            "answer_characters": size,
            "bot_rss_mib": rss(here.pid),
        }


async def _asked(here: Bench, n: int) -> tuple[float, float, str]:
    """Ask in the thread of card n; seconds to the first word and to the buttons that end an answer, and its text."""
    card = await _card(here, n)
    ask = {"as": "U0ONCALL", "channel": "C0INCIDENTS", "thread_ts": card["ts"], "text": f"@tocsin why does svc{n} fail?"}
    began, first = time.time(), 0.0
    async with here.session.post(f"{here.page}workspace/messages", json=ask) as answer:
        asked = (await answer.json())["ts"]
    while time.time() - began < 300:
        replies = [m for m in await _messages(here, thread=card["ts"]) if float(m["ts"]) > float(asked)]
        text = json.dumps([(m.get("text"), m.get("blocks")) for m in replies])
        if not first and any(m.get("text") for m in replies):
            first = time.time() - began
        if "answer_useful" in text:
            return first, time.time() - began, text
        await asyncio.sleep(0.05)
    raise TimeoutError(f"no answer within five minutes; see {here.log}")


async def _messages(here: Bench, thread: str = "") -> list[dict[str, Any]]:
    where = f"workspace/messages?as=U0ONCALL&channel=C0INCIDENTS{f'&thread_ts={thread}' if thread else ''}"
    async with here.session.get(here.page + where) as answer:
        found: list[dict[str, Any]] = (await answer.json())["messages"]
        return found


async def _card(here: Bench, n: int) -> dict[str, Any]:
    """The card of service n, as soon as it stands."""
    while True:
        found = [m for m in await _messages(here) if f"*svc{n}*" in json.dumps(m)]
        if found:
            return found[0]
        await asyncio.sleep(0.05)


async def _one(here: Bench, n: int) -> float:
    labels = {"alertname": "HighErrorRatio", "service": f"svc{n}", "severity": "critical", "environment": "production"}
    now = datetime.now(UTC).isoformat()
    alert = {"status": "firing", "labels": labels, "annotations": {"summary": f"svc{n} answers with errors"}, "startsAt": now}
    body = {"version": "4", "groupKey": f"g{n}", "status": "firing", "receiver": "tocsin", "groupLabels": {}, "alerts": [alert]}
    began = time.time()
    async with here.session.post(here.door, json=body, headers={"Authorization": f"Bearer {SECRET}"}) as answer:
        assert answer.status == 202, await answer.text()
    seconds = float((await _card(here, n))["ts"]) - began
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
    parser.add_argument("--only", default=",".join(WHAT), help=f"of {', '.join(WHAT)}, ingest, rules, knowledge, evidence")
    parser.add_argument("--cards", type=int, default=50)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--driver", type=Path)
    parser.add_argument("--model", default="")
    parser.add_argument("--model-url", default="")
    parser.add_argument("--parts", default="rates,flood,steady,curve")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--corpus", type=Path, help="documents as `tocsin eval retrieval` reads them")
    parser.add_argument("--vectors", type=int, default=MANY)
    args = parser.parse_args()
    if "ingest" in args.only and args.driver is None:
        parser.error("--only ingest needs a --driver")
    for what in args.only.split(","):
        measures: dict[str, Callable[[], Awaitable[object]]] = {
            "start": warm_start,
            "cards": lambda: alert_to_card(args.cards, args.driver, args.database),
            "memory": memory,
            "words": lambda: first_word(args.model, args.model_url),
            "knowledge": lambda: knowledge(args.corpus, args.vectors),
            "rules": lambda: rules(args.rounds),
            "executor": executor,
            "evidence": lambda: evidence(args.rounds),
            "ingest": lambda: ingest(args.driver, args.database, args.parts.split(","), args.rounds),
        }
        print(json.dumps(await measures[what]()), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
