"""A running estate for tests that need one, and the receiver of its webhooks."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.demo.estate import Estate, EstateConfig, start_estate
from tests.demo.receiver import Receiver, receiving

TOKEN, SECRET = "alertmanager-token", "github-secret"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@pytest.fixture
async def estate(tmp_path: Path, receiver: Receiver) -> AsyncIterator[Estate]:
    config = EstateConfig(tmp_path / "estate", receiver.url, TOKEN, SECRET)
    async with start_estate(config) as estate:
        yield estate
