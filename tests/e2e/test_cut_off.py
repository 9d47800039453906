"""The network between the bot and PostgreSQL falls silent while alerts come in: 503, then everything goes on, nothing lost."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url

from bot.commands.loopback import free_port
from tests.e2e.house import House, a_house, notification
from tests.postgres import Postgres

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


class Cable:
    """Carries bytes to a server; `cut`, it drops them without a word, as a network that fails does."""

    def __init__(self, host: str, port: int) -> None:
        self.here, self._there = free_port(), (host, port)
        self._whole = asyncio.Event()
        self._whole.set()
        self._lines: set[asyncio.Task[None]] = set()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        """New connections get through; what was open before stays dead."""
        for line in self._lines:
            line.cancel()
        self._whole.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(65536):
                await self._whole.wait()
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        there, back = await asyncio.open_connection(*self._there)
        for one in (self._carry(reader, back), self._carry(there, writer)):
            task = asyncio.create_task(one)
            self._lines.add(task)
            task.add_done_callback(self._lines.discard)

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator["Cable"]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", self.here)
        try:
            yield self
        finally:
            self._whole.set()
            server.close()
            for line in self._lines:
                line.cancel()


async def send(house: House, number: int) -> int:
    """The status of one delivery, and how it never takes for ever."""
    began = time.monotonic()
    body = notification("payments", house.began, resolved=False, name=f"Alert{number}", mark=str(number))
    status = (await house.alertmanager(body)).status_code
    assert time.monotonic() - began < 19
    return status


async def test_the_database_is_cut_off_while_alerts_come_in(tmp_path: Path, postgres: Postgres) -> None:
    with postgres.a_database() as url:
        parts = make_url(url)
        assert parts.host
        assert parts.port
        async with Cable(parts.host, parts.port).laid() as cable:
            through = parts.set(host="127.0.0.1", port=cable.here).render_as_string(hide_password=False)
            async with a_house(tmp_path, database_url=through) as house:
                kept = [n for n in range(5) if await send(house, n) == 202]
                assert kept == list(range(5))
                cable.cut()
                statuses = await asyncio.gather(*(send(house, n) for n in range(5, 12)))
                assert set(statuses) == {503}
                cable.mend()

                async def let_in() -> bool:
                    return await send(house, 12) == 202

                await house.until(let_in, "a delivery that is let in again", 60)
                for n in range(5, 12):  # who was told 503 sends again
                    assert await send(house, n) == 202

                beside = replace(house, database_url=url)  # a look of ours that waits for the cable would hold it up

                async def all_there() -> bool:
                    names = {name for (name,) in beside.rows("SELECT DISTINCT name FROM alerts WHERE name LIKE 'Alert%'")}
                    return names == {f"Alert{n}" for n in range(13)}

                await house.until(all_there, "every alert that was accepted, as a row", 60)
                await house.card("13 alerts folded into this card", 60)
