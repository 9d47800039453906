"""The shop watched by the real Prometheus and Alertmanager: a rule that fires becomes one card, resolved once it calms down."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.demo.faults import FAULTS, RETRY_STORM
from bot.demo.reading import Seen, is_resolved
from bot.domain.telemetry import SourceStatus, Window
from connectors.prometheus import Prometheus, PrometheusSettings
from tests.monitoring import Intervals, Watched, missing, watched_shop

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=f"not installed: {', '.join(missing())}: scripts/real_parts.sh"),
]
PATIENCE = 60.0
GUILTY = FAULTS[RETRY_STORM, "payments"].change  # story 1's


async def notified(shop: Watched) -> tuple[int, int]:
    """How many webhooks Alertmanager has sent, and how many of these it could not deliver."""
    async with shop.session.get(f"{shop.alertmanager}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    sent, failed = (
        sum(float(line.split()[-1]) for line in lines if line.startswith(f'alertmanager_{name}{{integration="webhook"'))
        for name in ("notifications_total", "notifications_failed_total")
    )
    return int(sent), int(failed)


async def golden_signals(shop: Watched) -> None:
    """The signals of the shop are found by convention, and asked for without a failure."""
    now = datetime.now(UTC)
    source = Prometheus(PrometheusSettings(url=shop.prometheus, scrape_seconds=1, timeout_seconds=20))
    readings = await source.read(["payments", "checkout"], Window(now - timedelta(minutes=2), now))
    assert {r.reason for r in readings if r.status is SourceStatus.FAILED} == set()
    found = {(s.service, s.metric) for r in readings for s in r.series}
    rate = {"http_requests_per_second", "http_request_error_ratio", "http_request_latency_p99_seconds"}
    for service in ("payments", "checkout"):
        assert {(service, metric) for metric in (*rate, "process_memory_bytes")} <= found
    assert any(s.points[-1][1] > 0 for r in readings for s in r.series if s.metric == "http_requests_per_second")


async def test_a_rule_that_fires_becomes_one_card_whatever_is_repeated_and_it_is_resolved_when_the_rule_calms_down(
    tmp_path: Path,
) -> None:
    async with watched_shop(tmp_path, print, Intervals(repeat_interval="4s")) as shop:
        grounds, play = shop.estate.grounds, shop.play
        good = grounds.deploys.current("payments")
        assert good is not None
        grounds.set_load("busy")
        await asyncio.sleep(2)
        await grounds.ship(GUILTY)

        async def card() -> Seen | None:
            cards = await play.cards()
            assert len(cards) < 2, [c.text for c in cards]
            return cards[0] if cards else None

        await play.until(card, PATIENCE, "no card")
        _, body = shop.deliveries()[0]
        told = body["alerts"][0]
        assert told["labels"]["alertname"] in {"HighErrorRatio", "HighLatencyP95", "DependencyCallsFailing"}
        assert "/graph?g0.expr=" in told["generatorURL"], "Prometheus itself wrote it"
        await golden_signals(shop)
        seen, _ = await notified(shop)

        async def repeated() -> bool | None:
            sent, _ = await notified(shop)
            return True if sent > seen and sent > len(shop.deliveries()) else None

        await play.until(repeated, PATIENCE, "Alertmanager has not repeated itself")
        assert await card()
        await grounds.deploys.deploy(good, GUILTY.author)
        grounds.set_load("quiet")

        async def over() -> Seen | None:
            found = await card()
            return found if found and is_resolved(found) else None

        resolved = await play.until(over, PATIENCE, "the card is not resolved")
        assert "alerts cleared" in resolved.text
        assert await shop.alerts() == []
        assert (await notified(shop))[1] == 0, "every webhook was taken"
