"""Calls to another service over kept-alive connections, with a timeout and retries."""

import asyncio
import itertools
import json
import time
from typing import Any

from lib.log import Log
from lib.metrics import Metrics

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Unavailable(Exception):
    """A dependency did not answer usefully, however often it was asked."""

    def __init__(self, target: str, attempts: int, reason: str) -> None:
        super().__init__(f"{target} unavailable after {attempts} attempts: {reason}")


class Client:
    """One dependency, as one service sees it."""

    def __init__(
        self, target: str, peers: list[str], settings: dict[str, Any], metrics: Metrics, log: Log
    ) -> None:
        self._target = target
        self._peers = itertools.cycle([(host, int(port)) for host, port in (p.split(":") for p in peers)])
        self._idle: dict[tuple[str, int], list[Connection]] = {}
        self._timeout_ms = settings["timeout_ms"]
        self._retries = settings["retries"]
        self._backoff_ms = settings["backoff_ms"]
        self._metrics = metrics
        self._log = log

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer of the dependency; answers of 500 and above are tried again."""
        attempts = self._retries + 1
        reason = ""
        for attempt in range(1, attempts + 1):
            if attempt > 1:
                self._metrics.add("retries_total", target=self._target)
                await asyncio.sleep(self._backoff_ms * attempt / 1000)
            status, answer, reason = await self._attempt(method, path, body)
            if not reason:
                return {**answer, "status": status}
            self._log.warning("%s attempt %d of %d failed: %s", self._target, attempt, attempts, reason)
        raise Unavailable(self._target, attempts, reason)

    async def _attempt(
        self, method: str, path: str, body: dict[str, Any] | None
    ) -> tuple[int, dict[str, Any], str]:
        started = time.perf_counter()
        status, answer, reason, kind = 0, {}, "", ""
        try:
            async with asyncio.timeout(self._timeout_ms / 1000):
                status, answer = await self._send(method, path, body)
        except TimeoutError:
            reason, kind = f"timeout after {self._timeout_ms} ms", "timeout"
        except (OSError, asyncio.IncompleteReadError) as error:
            reason, kind = f"connection failed ({type(error).__name__})", "connection"
        else:
            if status >= 500:
                reason, kind = f"status {status} {answer.get('error', '')}".strip(), "status"
        self._metrics.add("outbound_calls_total", target=self._target)
        self._metrics.observe("outbound_duration_seconds", time.perf_counter() - started, target=self._target)
        if reason:
            self._metrics.add("outbound_failures_total", target=self._target, reason=kind)
        return status, answer, reason

    async def _send(self, method: str, path: str, body: dict[str, Any] | None) -> tuple[int, dict[str, Any]]:
        peer = next(self._peers)
        idle = self._idle.setdefault(peer, [])
        data = json.dumps(body).encode() if body is not None else b""
        head = f"{method} {path} HTTP/1.1\r\nHost: {self._target}\r\nContent-Length: {len(data)}\r\n\r\n"
        while True:
            reused = bool(idle)
            connection = idle.pop() if idle else await asyncio.open_connection(*peer)
            try:
                status, answer, keep = await _exchange(connection, head.encode() + data)
            except (OSError, asyncio.IncompleteReadError):
                connection[1].close()
                if not reused:
                    raise
            except asyncio.CancelledError:
                connection[1].close()
                raise
            else:
                if keep:
                    idle.append(connection)
                else:
                    connection[1].close()
                return status, answer


async def _exchange(connection: Connection, request: bytes) -> tuple[int, dict[str, Any], bool]:
    reader, writer = connection
    writer.write(request)
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].split("\r\n", 1)[0])
    answer = json.loads(await reader.readexactly(length))
    return int(head.split(" ", 2)[1]), answer, "connection: close" not in head
