"""From a fault to its card, with the real Prometheus and Alertmanager in between (Debian's packages), leg by leg.

Scrapes and rules run once a second, `group_wait` is one second. Times are the programs' own: Prometheus's `activeAt` and
`startsAt`, Alertmanager's `updatedAt`, the row in the inbox, the card's time stamp.
"""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from bot.demo.faults import FAULTS, RETRY_STORM
from bot.demo.reading import Seen, is_resolved
from tests.bench.room import say
from tests.monitoring import Watched, missing, watched_shop

GUILTY = FAULTS[RETRY_STORM, "payments"].change  # story 1's
LEGS = (
    "fault_to_pending",
    "pending_to_firing",
    "firing_to_alertmanager",
    "alertmanager_to_post",
    "post_to_card",
    "fault_to_card",
)
WAY_BACK = ("mended_to_inactive", "inactive_to_post", "post_to_resolved_card", "mended_to_resolved_card")
PATIENCE = 90.0
LEAST_REST = 8.0  # seconds of healthy shop between rounds: no rule's window holds the round before


async def rules(rounds: int) -> dict[str, object]:
    """Seconds of each leg, medians; and how many cards and notifications each round took."""
    if lacking := missing():
        raise SystemExit(f"not installed: {', '.join(lacking)}: apt-get install prometheus prometheus-alertmanager")
    seen: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        async with watched_shop(Path(folder), say) as watched:
            load = os.getloadavg()[0]
            for number in range(rounds):
                seen.append(await one_round(watched))
                say(f"round {number + 1}: " + ", ".join(f"{leg} {seconds:.2f}" for leg, seconds in seen[-1].items()))
                await asyncio.sleep(LEAST_REST)
    return {
        "rounds": rounds,
        "load1": [round(load, 1), round(os.getloadavg()[0], 1)],
        "p50_s": {leg: round(statistics.median(one[leg] for one in seen), 2) for leg in (*LEGS, *WAY_BACK)},
        "max_s": {
            leg: round(max(one[leg] for one in seen), 2) for leg in ("fault_to_card", "post_to_card", "mended_to_resolved_card")
        },
        "cards": [int(one["cards"]) for one in seen],
        "deliveries": [int(one["deliveries"]) for one in seen],
    }


async def one_round(watched: Watched) -> dict[str, float]:
    """The guilty deploy, the card, the way back, the card resolved."""
    grounds, play = watched.estate.grounds, watched.play
    good = grounds.deploys.current("payments")
    assert good is not None
    play.known = {(seen.channel, seen.ts) for seen in await play.on_call.read_all()}
    before = len(watched.deliveries())
    grounds.set_load("busy")
    await asyncio.sleep(3)
    await grounds.ship(GUILTY)
    injected, active = time.time(), dict[str, float]()

    async def card() -> Seen | None:
        active.update(_active(await watched.alerts()))
        return next(iter(await play.cards()), None)

    shown = await play.until(card, PATIENCE, "no card")
    posted, body = watched.deliveries()[before]
    label = _name(body["alerts"][0]["labels"])
    first = min(body["alerts"], key=lambda alert: active[_name(alert["labels"])])
    firing = min(_seconds(alert["startsAt"]) for alert in body["alerts"])
    reached = {_name(a["labels"]): _seconds(a["updatedAt"]) for a in await watched.ask(f"{watched.alertmanager}/api/v2/alerts")}
    legs = _between(
        LEGS[:5], injected, active[_name(first["labels"])], firing, reached[label], posted.timestamp(), float(shown.ts)
    )
    legs["fault_to_card"] = float(shown.ts) - injected
    legs |= await _mended(watched, good, before)
    legs["cards"], legs["deliveries"] = len(await play.cards()), len(watched.deliveries()) - before
    return legs


async def _mended(watched: Watched, good: Any, before: int) -> dict[str, float]:
    grounds, play = watched.estate.grounds, watched.play
    await grounds.deploys.deploy(good, GUILTY.author)
    grounds.set_load("quiet")
    mended = time.time()

    async def over() -> float | None:
        cards = await play.cards()
        return time.time() if cards and all(is_resolved(card) for card in cards) else None

    resolved = await play.until(over, PATIENCE, "the card is not resolved")
    last, body = watched.deliveries()[-1]
    inactive = max(_seconds(alert["endsAt"]) for alert in body["alerts"])
    await grounds.restore_source()
    legs = _between(WAY_BACK[:3], mended, inactive, last.timestamp(), resolved)
    return {**legs, "mended_to_resolved_card": resolved - mended}


def _active(alerts: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    return {_name(alert["labels"]): _seconds(alert["activeAt"]) for alert in alerts}


def _name(labels: Mapping[str, str]) -> str:
    return f"{labels['alertname']} {labels['instance']}"


def _seconds(stamp: str) -> float:
    """Go writes nanoseconds, Python reads microseconds."""
    whole, _, rest = stamp.partition(".")
    digits = "".join(c for c in rest[:9] if c.isdigit()).ljust(6, "0")[:6] if rest else "000000"
    zone = "+00:00" if stamp.endswith("Z") else stamp[-6:]
    return datetime.fromisoformat(f"{whole.removesuffix('Z')[:19]}.{digits}{zone}").timestamp()


def _between(names: Sequence[str], *times: float) -> dict[str, float]:
    return {name: later - earlier for name, (earlier, later) in zip(names, pairwise(times), strict=True)}
