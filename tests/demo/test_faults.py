"""Every kind of fault shows in the telemetry under load, and is gone after going back to the version before."""

import asyncio

import pytest

from bot.demo.estate import Estate
from bot.demo.faults import CACHE_OFF, FAULTS, MISSING_GUARD, RETRY_STORM, SMALL_POOL, TIGHT_TIMEOUT
from bot.demo.play import is_healthy


async def until(estate: Estate, healthy: bool, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while is_healthy(estate) is not healthy or bool(estate.grounds.prober.firing) is healthy:
            await asyncio.sleep(0.2)


def newest(estate: Estate, metric: str, **labels: str) -> float:
    key = (metric, tuple(labels.items()))
    return estate.grounds.telemetry.series[key].values[-1]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "service", "sign"),
    [
        (RETRY_STORM, "payments", "acmepay attempt"),
        (TIGHT_TIMEOUT, "checkout", "payments attempt 1 of 1 failed: timeout after 180 ms"),
        (MISSING_GUARD, "payments", "KeyError: None"),
        (CACHE_OFF, "storefront", ""),
        (SMALL_POOL, "checkout", ""),
    ],
)
async def test_a_fault_shows_and_a_rollback_removes_it(estate: Estate, kind: str, service: str, sign: str) -> None:
    grounds = estate.grounds
    grounds.set_load("busy")
    await asyncio.sleep(5)
    assert is_healthy(estate)
    good = grounds.deploys.current(service)
    assert good is not None
    await grounds.ship(FAULTS[kind, service].change)
    await until(estate, healthy=False, seconds=45)
    if sign:
        await asyncio.sleep(1)
        assert any(line.service == service and sign in line.text for line in grounds.telemetry.logs)
    if kind == RETRY_STORM:
        assert newest(estate, "outbound_calls_per_request", service=service, target="acmepay") > 4
    if kind == CACHE_OFF:
        assert newest(estate, "cache_hit_ratio", service=service) == 0
    if kind == SMALL_POOL:
        assert newest(estate, "worker_pool_in_use_ratio", service=service) > 0.9
    await grounds.deploys.deploy(good, FAULTS[kind, service].change.author)
    await until(estate, healthy=True, seconds=45)


@pytest.mark.slow
async def test_a_failing_provider_shows_without_any_change_and_heals_by_itself(estate: Estate) -> None:
    await asyncio.sleep(4)
    await estate.grounds.set_provider("down")
    await until(estate, healthy=False, seconds=30)
    await asyncio.sleep(4)  # requests that began before it went down have ended
    assert newest(estate, "outbound_error_ratio", service="payments", target="acmepay") > 0.5
    assert newest(estate, "outbound_calls_per_request", service="payments", target="acmepay") < 4.5
    await estate.grounds.set_provider("ok")
    await until(estate, healthy=True, seconds=30)
