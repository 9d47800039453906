"""A small HTTP service: routes, a pool of workers, metrics, health, and a graceful hand-over between versions."""

import asyncio
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from lib.cache import Cache
from lib.client import Client, Unavailable
from lib.log import Log
from lib.metrics import Metrics


class Refused(Exception):
    """An answer that is not 200, with the reason that the caller reads."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class Request:
    def __init__(self, method: str, target: str, data: bytes) -> None:
        parts = urlsplit(target)
        self.method = method
        self.path = parts.path
        self.query = dict(parse_qsl(parts.query))
        self.body: dict[str, Any] = json.loads(data) if data else {}


Handler = Callable[[Request], Awaitable[dict[str, Any]]]


class Service:
    """One service of the shop, as one process runs it."""

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        self.version = os.environ.get("SHOP_VERSION", "dev")
        self.settings: dict[str, Any] = json.loads((Path(folder) / "settings.json").read_text())
        self.metrics = Metrics()
        self.log = Log(name, os.environ.get("SHOP_INSTANCE", name))
        self._routes: dict[tuple[str, str], Handler] = {}
        self._unpooled: set[str] = set()
        self._workers = asyncio.Semaphore(self.settings["workers"])
        self._waiting = 0
        self._active = 0
        self._front: asyncio.Server | None = None
        self._draining = False
        self._idle: set[asyncio.StreamWriter] = set()

    def client(self, target: str) -> Client:
        peers = json.loads(os.environ["SHOP_PEERS"])[target]
        return Client(target, peers, self.settings[target], self.metrics, self.log)

    def cache(self, name: str, seconds: float) -> Cache:
        return Cache(name, seconds, self.metrics)

    def route(self, method: str, path: str, pooled: bool = True) -> Callable[[Handler], Handler]:
        """Answer `path` with the decorated function; without `pooled` it needs no free worker."""

        def register(handler: Handler) -> Handler:
            self._routes[method, path] = handler
            if not pooled:
                self._unpooled.add(path)
            return handler

        return register

    def run(self) -> None:
        """Serve until the supervisor closes our standard input."""
        threading.Thread(target=_end_with_the_supervisor, daemon=True).start()
        try:
            asyncio.run(self._serve())
        except KeyboardInterrupt:
            sys.exit(0)

    async def _serve(self) -> None:
        admin = socket.socket(fileno=int(os.environ["SHOP_ADMIN_FD"]))
        await asyncio.start_server(lambda r, w: self._converse(r, w, self._administer), sock=admin)
        self.metrics.set("build_info", 1, version=self.version)
        self.metrics.set("pool_size", self.settings["workers"])
        self.log.info("%s %s started with %d workers", self.name, self.version, self.settings["workers"])
        await asyncio.Event().wait()

    async def _administer(self, request: Request) -> tuple[int, bytes]:
        if request.path == "/metrics":
            self.metrics.set("pool_waiting", self._waiting)
            return 200, self.metrics.text().encode()
        if request.path == "/serve" and self._front is None:
            front = socket.socket(fileno=int(os.environ["SHOP_LISTEN_FD"]))
            self._front = await asyncio.start_server(
                lambda r, w: self._converse(r, w, self._answer), sock=front, backlog=128
            )
        if request.path == "/drain" and self._front is not None:
            self._draining = True
            self._front.close()
            for writer in self._idle:
                writer.close()
            await self._finish_requests()
        return 200, b'{"ok": true}'

    async def _finish_requests(self) -> None:
        for _ in range(100):
            if not self._active:
                return
            await asyncio.sleep(0.05)

    async def _converse(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        answer: Callable[[Request], Awaitable[tuple[int, bytes]]],
    ) -> None:
        try:
            while not self._draining or answer == self._administer:
                self._idle.add(writer)
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self._idle.discard(writer)
                length = int(head.lower().partition("content-length:")[2].split("\r\n", 1)[0] or 0)
                method, target, _ = head.split(" ", 2)
                status, data = await answer(Request(method, target, await reader.readexactly(length)))
                close = "Connection: close\r\n" if self._draining else ""
                writer.write(f"HTTP/1.1 {status} -\r\nContent-Length: {len(data)}\r\n{close}\r\n".encode() + data)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, ValueError):
            pass  # the other side hung up
        finally:
            self._idle.discard(writer)
            writer.close()

    async def _answer(self, request: Request) -> tuple[int, bytes]:
        started = time.perf_counter()
        status, body = 200, b""
        self._active += 1
        try:
            body = json.dumps(await self._with_worker(request)).encode()
        except Refused as refused:
            status, body = refused.status, json.dumps({"error": str(refused)}).encode()
            if status >= 500:
                self.log.error("%s %s refused: %s", request.method, request.path, refused)
        except Unavailable as error:
            status, body = 502, json.dumps({"error": str(error)}).encode()
            self.log.error("%s %s failed: %s", request.method, request.path, error)
        except Exception:  # the edge of a request: its traceback is logged, the customer gets a 500
            status, body = 500, b'{"error": "internal error"}'
            self.log.exception("%s %s crashed", request.method, request.path)
        self._active -= 1
        self.metrics.add("http_requests_total", code=status)
        self.metrics.observe("http_request_duration_seconds", time.perf_counter() - started)
        return status, body

    async def _with_worker(self, request: Request) -> dict[str, Any]:
        handler = self._routes.get((request.method, request.path))
        if handler is None:
            raise Refused(404, "no such page")
        if request.path in self._unpooled:
            return await handler(request)
        waited = time.perf_counter()
        if self._waiting >= self.settings["queue_limit"]:
            raise Refused(503, f"queue full: {self._waiting} requests wait for {self.settings['workers']} workers")
        self._waiting += 1
        try:
            await self._workers.acquire()
        finally:
            self._waiting -= 1
        self.metrics.observe("pool_wait_seconds", time.perf_counter() - waited)
        started = time.perf_counter()
        try:
            return await handler(request)
        finally:
            self.metrics.add("pool_busy_seconds_total", time.perf_counter() - started)
            self._workers.release()


def _end_with_the_supervisor() -> None:
    """A process without a supervisor would never be stopped by anyone."""
    while os.read(0, 1024):
        pass
    os._exit(0)
