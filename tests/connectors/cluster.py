"""A small API server over real HTTP: lists, watches as lines of JSON, forgets old versions, breaks connections."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

Object = dict[str, Any]
PLURALS = ("deployments", "statefulsets", "daemonsets", "events")


class Cluster:
    """What is in it, and what happened in which order. `requests` are the queries of lists and watches by plural."""

    def __init__(self) -> None:
        self.objects: dict[str, dict[str, Object]] = {plural: {} for plural in PLURALS}
        self.pods: dict[str, Object] = {}
        self.history: list[tuple[int, str, str, Object]] = []
        self.version = 100
        self.oldest = 0  # versions before this one are gone
        self.down = False
        self.requests: list[tuple[str, Mapping[str, str]]] = []
        self.watching = 0
        self._open: set[asyncio.Event] = set()
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> "Cluster":
        app = web.Application()
        app.router.add_get("/apis/apps/v1/{plural}", self._serve)
        app.router.add_get("/api/v1/{plural:events}", self._serve)
        app.router.add_get("/api/v1/namespaces/{namespace}/pods/{pod}", self._pod)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        assert site._server is not None
        self.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]  # a real server has them
        return self

    async def __aexit__(self, *_: object) -> None:
        self.cut()
        assert self._runner is not None
        await self._runner.cleanup()

    async def put(self, plural: str, item: Object) -> None:
        """Add or change an object, and tell who watches."""
        self.version += 1
        item = json.loads(json.dumps(item))
        item["metadata"]["resourceVersion"] = str(self.version)
        word = "MODIFIED" if item["metadata"]["uid"] in self.objects[plural] else "ADDED"
        self.objects[plural][item["metadata"]["uid"]] = item
        self.history.append((self.version, plural, word, item))
        async with self._news:
            self._news.notify_all()

    def cut(self) -> None:
        """Break every watch."""
        for one in self._open:
            one.set()

    def compact(self) -> None:
        """Forget what happened until now: to resume from before is 410."""
        self.oldest = self.version + 1
        self.version += 1

    async def _pod(self, request: web.Request) -> web.StreamResponse:
        pod = self.pods.get(request.match_info["pod"])
        return web.json_response(pod) if pod else web.json_response({"kind": "Status", "code": 404}, status=404)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        plural, query = request.match_info["plural"], dict(request.query)
        self.requests.append((plural, query))
        if self.down:
            return web.json_response({"kind": "Status", "code": 503}, status=503)
        if request.headers.get("authorization") != "Bearer cluster-token":
            return web.json_response({"kind": "Status", "code": 401}, status=401)
        if "watch" in query:
            return await self._watch(request, plural, int(query["resourceVersion"]))
        items = list(self.objects[plural].values())
        start, size = int(query.get("continue", "0")), 2  # small pages, so that they are followed
        more = str(start + size) if len(items) > start + size else ""
        return web.json_response(
            {
                "kind": "List",
                "metadata": {"resourceVersion": str(self.version), "continue": more},
                "items": items[start : start + size],
            }
        )

    async def _watch(self, request: web.Request, plural: str, since: int) -> web.StreamResponse:
        response = web.StreamResponse(headers={"content-type": "application/json"})
        await response.prepare(request)
        if since < self.oldest:
            gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old resource version"}}
            await response.write(json.dumps(gone).encode() + b"\n")
            return response
        broken = asyncio.Event()
        self._open.add(broken)
        self.watching += 1
        try:
            while not broken.is_set():
                for version, what, word, item in self.history:
                    if version > since and what == plural:
                        line = json.dumps({"type": word, "object": item}).encode() + b"\n"
                        await response.write(line[:20])  # an object may come in pieces
                        await response.write(line[20:])
                        since = version
                async with self._news:
                    waits = [asyncio.ensure_future(broken.wait()), asyncio.ensure_future(self._news.wait())]
                    await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED, timeout=0.02)
                    for one in waits:
                        one.cancel()
                    await asyncio.gather(*waits, return_exceptions=True)
        finally:
            self.watching -= 1
            self._open.discard(broken)
        if request.transport is not None:
            request.transport.abort()  # as a broken network does, not as a server that says good-bye
        return response
