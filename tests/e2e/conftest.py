"""A whole house per test: bot, workspace, deployer."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.house import House, a_house


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """The bot runs, connected to a workspace, and is told to stop afterwards."""
    async with a_house(tmp_path) as it:
        yield it
