"""The doctor's lines about deployers."""

import asyncio
from dataclasses import replace

import pytest

from bot.commands import deployers
from bot.commands.examination import Finding
from bot.domain.service import Catalogue, Service
from bot.errors import Unavailable
from tests.actions.estate import CATALOGUE, FakeDeployer


class Lacking(FakeDeployer):
    """It lacks two things."""

    async def check(self) -> tuple[str, ...]:
        return "The token may only read.", "The workflow is disabled."


class Slow(FakeDeployer):
    """It never answers."""

    async def check(self) -> tuple[str, ...]:
        await asyncio.sleep(60)
        return ()


class Gone(FakeDeployer):
    """It cannot be asked."""

    async def check(self) -> tuple[str, ...]:
        raise Unavailable("GitHub answered 503.")


async def test_each_deployer_says_what_it_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployers, "PATIENCE", 0.01)
    able = {"shop": FakeDeployer(), "reads": Lacking(), "slow": Slow(), "gone": Gone(), "stuck": FakeDeployer(cancels=False)}
    assert await deployers.findings(CATALOGUE, able) == (
        Finding("deployer", True, "shop lacks nothing that can be seen without deploying; a run can be stopped from here"),
        Finding("deployer", False, "reads: The token may only read. The workflow is disabled."),
        Finding("deployer", False, "slow did not answer within 0.01 s"),
        Finding("deployer", False, "gone cannot be asked: GitHub answered 503."),
        Finding("deployer", True, "stuck lacks nothing that can be seen without deploying; a run cannot be stopped from here"),
    )
    assert able["shop"].asked == ["check"]


async def test_a_service_whose_deployer_there_is_not_is_named() -> None:
    catalogue = replace(CATALOGUE, services={"blog": Service("blog", deployer="gone")})
    assert isinstance(catalogue, Catalogue)
    (found,) = await deployers.findings(catalogue, {})
    assert found == Finding("deployer", False, "services.yaml names deployers that tocsin.toml does not have: blog (gone)")
