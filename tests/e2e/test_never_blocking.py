"""Slack, the model and every vendor away at once: webhooks are taken as quickly as ever, and all catches up."""

import asyncio
import json
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.demo.reading import Seen, is_resolved
from tests.e2e.house import House, a_house, deployment, notification
from tests.e2e.outside import Outside, outside
from tests.e2e.test_slack_trouble import trouble
from tests.parcels import PARCELS

pytestmark = pytest.mark.slow
SERVICES = (*(f"svc{n}" for n in range(5)), "payments")  # five are in no catalogue, so each has an incident of its own
EVERY = 0.05  # seconds between two requests
VENDORS = """
[connectors.prometheus]
url = "{url}/prometheus"
[connectors.loki]
url = "{url}/loki"
[connectors.pagerduty]
routing_key = "a-key-of-a-test"
api_token = "a-token-of-a-test"
url = "{url}/pagerduty"
events_url = "{url}/pagerduty"
"""
ESCALATION = """
default: {channel: "#incidents", on_call: [U0ONCALL], escalation: standard}
overview: "#alerts"
routes:
  - {name: payments team, match: {owner: team-payments}, channel: "#payments", on_call_from: "pagerduty:PSCHED1"}
escalations: {standard: {SEV1: [{after: 0m, to: "pagerduty"}], SEV2: [{after: 0m, to: "pagerduty"}]}}
"""


def connect_everything(house: House, door: Outside) -> None:
    """The house's settings name the door for whatever they know an address of."""
    path = house.folder / "tocsin.toml"
    text = path.read_text()
    for section, lines in {
        "[connectors.alertmanager]": f'url = "{door.url}/alertmanager"',
        "[connectors.github]": f'token = "a-token-of-a-test"\napi_url = "{door.url}/github"',
    }.items():
        text = text.replace(f"{section}\n", f"{section}\n{lines}\n")

    path.write_text(f'model = "openai-compatible:away"\nmodel_url = "{door.url}/v1"\n{text}{VENDORS.format(url=door.url)}')
    (house.folder / "routing.yaml").write_text(ESCALATION)
    house.slack_api_url = f"{door.url}/slack/api/"


@dataclass
class Senders:
    """Monitoring, which goes on as if nothing were wrong: each problem is one that is not known yet."""

    house: House
    firing: list[tuple[str, str]] = field(default_factory=list)

    async def send(self, service: str, name: str, *, resolved: bool = False) -> float:
        """One delivery, acknowledged; the seconds that took."""
        self.house.sent += 1
        body = notification(service, self.house.began, resolved=resolved, name=name, mark=str(self.house.sent))
        began = time.perf_counter()
        answer = await self.house.alertmanager(body)
        took = time.perf_counter() - began
        assert answer.status_code == 202, answer.text
        return took

    async def fire_for(self, seconds: float) -> list[float]:
        """At a steady pace, of one service after the other; the seconds that each took."""
        took, end = [], time.monotonic() + seconds
        while time.monotonic() < end:
            self.firing.append((SERVICES[len(self.firing) % len(SERVICES)], f"Alert{len(self.firing)}"))
            took.append(await self.send(*self.firing[-1]))
            await asyncio.sleep(EVERY)
        return took

    async def resolve_all(self) -> None:
        """All of it clears."""
        for service, name in self.firing:
            await self.send(service, name, resolved=True)


def outstanding(house: House) -> Counter[str]:
    """Refreshes that are not done, by the message that they are of."""
    rows = house.rows("SELECT args FROM work WHERE name = 'refresh' AND state IN ('ready', 'running')")
    return Counter(json.loads(args)["key"] for (args,) in rows)


async def digested(house: House) -> bool:
    """Nothing waits in the inbox."""
    return house.rows(f"SELECT count(*) FROM {PARCELS} WHERE state = 'waiting'") == [(0,)]


async def test_with_everything_away_webhooks_are_taken_as_ever_and_afterwards_all_catches_up(tmp_path: Path) -> None:
    async with a_house(tmp_path / "house", started=False) as house, outside(house.workspace.config.base_url) as door:
        connect_everything(house, door)
        await house.start()
        await house.github("deployment_status", deployment("payments", "v43", house.began))
        senders = Senders(house)
        healthy = await senders.fire_for(4)
        away, worst = [], Counter[str]()
        door.slack_hangs = door.vendors_hang = True
        await house.workspace.do("sockets/refuse", seconds=10)
        await house.workspace.do("sockets/disconnect", abrupt=True)
        for second in range(10):
            if second == 4:
                door.slack_hangs = False
                await trouble(house, "error", "*", 10_000)
            if second == 7:
                await house.workspace.do("faults/clear")
                await trouble(house, "ratelimited", "*", 10_000, retry_after=2)
            away += await senders.fire_for(1)
            worst |= outstanding(house)
        told = f"healthy {[round(s, 3) for s in healthy]}, away {[round(s, 3) for s in away]}"
        assert statistics.median(away) <= max(0.1, 5 * statistics.median(healthy)), told
        assert max(away) <= max(2.0, 3 * max(healthy)), told
        await senders.resolve_all()
        await house.until(lambda: digested(house), "the inbox to be empty although all else is away")
        assert max((worst | outstanding(house)).values()) <= 2, "one refresh that is tried, one that waits"

        door.vendors_hang = False
        await house.workspace.do("faults/clear")
        known = (await house.workspace.see("transcript"))["entries"]

        async def over() -> list[Seen] | None:
            cards = await house.cards()
            assert len(cards) <= len(SERVICES), "one card for each incident"
            return cards if len(cards) == len(SERVICES) and all(is_resolved(c) for c in cards) else None

        cards = await house.until(over, "every card resolved", 60)
        assert sorted(s for s in SERVICES if any(f"*{s}*" in card.text for card in cards)) == sorted(SERVICES)
        assert house.rows("SELECT count(*) FROM alerts") == [(house.sent,)]
        assert house.rows("SELECT count(*) FROM inbox") == [(house.sent + 1,)]  # and GitHub's
        entries = (await house.workspace.see("transcript"))["entries"][len(known) :]
        edits = Counter(str(e["ts"]) for e in entries if e["kind"] == "edited")
        assert max(edits.values(), default=0) <= 4, "what happened meanwhile is shown at once, not one after the other"
        assert min(door.asked[who] for who in ("slack", "prometheus", "loki", "github", "pagerduty")) > 0, door.asked
