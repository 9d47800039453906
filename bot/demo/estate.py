"""The sample estate, started and stopped as one thing: grounds, director, and one web address for all its doors."""

import contextlib
import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from bot.demo.director import Director
from bot.demo.grounds import EstateConfig, FolderInUse, Grounds
from bot.demo.web import doors

__all__ = ["Estate", "EstateConfig", "FolderInUse", "start_estate"]


@dataclass(frozen=True, slots=True)
class Estate:
    """The running estate.

    `url` is its address: the panel at /, Prometheus under /api/v1, Loki under /loki. `control_file` is what
    `deployctl --config` reads. `repository` is the local clone of `demo/shop`.
    """

    config: EstateConfig
    grounds: Grounds
    director: Director
    url: str
    control_file: Path

    @property
    def repository(self) -> Path:
        return self.grounds.repository.folder


@contextlib.asynccontextmanager
async def start_estate(config: EstateConfig) -> AsyncIterator[Estate]:
    """A running estate; when the block is left, nothing of it runs any more.

    Raises FolderInUse if the folder holds something else.
    """
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, trust_env=False) as session:
        grounds = Grounds(config, session)
        director = Director(grounds)
        runner = web.AppRunner(doors(grounds, director), access_log=None)
        try:
            await grounds.start()
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=1.0)
            await site.start()
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield Estate(config, grounds, director, url, _control_file(config, url))
        finally:
            await director.stop()
            await runner.cleanup()
            await grounds.stop()


def _control_file(config: EstateConfig, url: str) -> Path:
    """The file with address and token of the control API, readable by its owner alone."""
    path = config.folder / "deployctl.json"
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump({"url": url, "token": config.deploy_token}, file)
    return path
