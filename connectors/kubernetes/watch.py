"""Watches an API server with the official client: workloads and Warning events, resumed where a connection broke.

https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bot.domain.payload import Node
from bot.errors import BadPayload, BadSettings
from bot.ports import Delivery
from connectors.kubernetes.api import Gone, KubernetesSettings, ask, connect, read
from connectors.kubernetes.objects import WORKLOADS, Object, rollout, time_of, warning, why_it_ended

if TYPE_CHECKING:  # large: who asks no cluster does not load them
    import aiohttp
    from kubernetes.aio.client import ApiClient

log = logging.getLogger(__name__)
ID = "x-tocsin-sighting"
PAGE = 500  # objects of one answer
WATCH_SECONDS = 290  # then the server ends the watch and it is resumed
FIRST_PAUSE, LONGEST_PAUSE = 0.5, 60.0
LOOK = 15.0  # seconds between looks for warnings that stopped
OLD = timedelta(hours=24)  # a rollout that ended longer ago is no news when the watch begins
MOST_LINE = 8_000_000  # bytes of one object
Told = Callable[[Delivery], Awaitable[None]]


@dataclass(slots=True)
class KubernetesWatcher:
    """ports.Watcher. Two replicas see the same things and tell them under the same ids: they count once."""

    name: str
    settings: KubernetesSettings
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    first_pause: float = FIRST_PAUSE
    look: float = LOOK
    _told: dict[str, str] = field(default_factory=dict)  # uid of a workload -> the last that was told of it
    _labels: dict[tuple[str, str], Mapping[str, str]] = field(default_factory=dict)  # of workloads by (namespace, name)
    _active: dict[str, dict[str, Any]] = field(default_factory=dict)  # warnings that alert
    _away: dict[str, str] = field(default_factory=dict)  # what cannot be watched, and why

    async def watch(self, told: Told) -> None:
        """Tell of rollouts and warnings until cancelled; workloads first, since warnings are attributed by them."""
        async with AsyncExitStack() as end:
            api = await self._connected(end)
            streams = [
                (kind, f"/apis/apps/v1{place}/{plural}") for place in self.settings.places for kind, plural in WORKLOADS.items()
            ] + [("Event", f"/api/v1{place}/events") for place in self.settings.places]
            async with asyncio.TaskGroup() as group:
                for kind, path in streams:
                    group.create_task(self._follow(api, kind, path, told))
                group.create_task(self._clear(told))

    def trouble(self) -> str:
        """The first reason of those there are."""
        return next(iter(self._away.values()), "")

    async def _connected(self, end: AsyncExitStack) -> "ApiClient":
        """The official client, once its configuration can be read."""
        pause = self.first_pause
        while True:
            try:
                api = await connect(self.settings)
                break
            except BadSettings as error:
                self._lost("configuration", str(error))
                await asyncio.sleep(pause)
                pause = min(LONGEST_PAUSE, 2 * pause)
        self._found("configuration")
        return await end.enter_async_context(api)

    async def _follow(self, api: "ApiClient", kind: str, path: str, told: Told) -> None:
        """One kind in one place: list, then watch from there; resume after a break, list again after 410."""
        import aiohttp  # large, see above

        version, pause = "", self.first_pause
        while True:
            try:
                if not version:
                    version = await self._list(api, kind, path, told)
                async with self._changes(api, path, version, _selector(kind)) as changes:
                    self._found(path)
                    pause = self.first_pause
                    async for word, item in changes:
                        if word != "BOOKMARK":
                            await self._seen(api, kind, word, item, told)
                        version = Node(item)["metadata"]["resourceVersion"].text() or version
            except Gone:
                log.info("kubernetes: %s is listed anew, its resourceVersion is too old", path)
                version = ""
            except (aiohttp.ClientError, TimeoutError, OSError, BadPayload) as error:
                self._lost(path, str(error)[:200] or type(error).__name__)
            await asyncio.sleep(pause)  # also after an end in good order: a proxy may end every watch at once
            pause = min(LONGEST_PAUSE, 2 * pause)

    async def _list(self, api: "ApiClient", kind: str, path: str, told: Told) -> str:
        """Tell of everything that is there; the resourceVersion to watch from."""
        more = ""
        while True:
            query = {"limit": str(PAGE)} | _selector(kind) | ({"continue": more} if more else {})
            page = await read(api, path, query)
            for item in page["items"].optional_items():
                if isinstance(item.value, dict):
                    await self._seen(api, kind, "LISTED", item.value, told)
            more = page["metadata"]["continue"].text()
            if not more:
                return page["metadata"]["resourceVersion"].needed()

    @asynccontextmanager
    async def _changes(
        self, api: "ApiClient", path: str, version: str, selector: dict[str, str]
    ) -> AsyncIterator[AsyncIterator[tuple[str, Object]]]:
        """The lines of one watch, until the server ends it."""
        query = {"watch": "true", "resourceVersion": version, "allowWatchBookmarks": "true", "timeoutSeconds": str(WATCH_SECONDS)}
        answer = await ask(api, path, query | selector, WATCH_SECONDS + 30)
        try:
            yield _events(answer)
        finally:
            answer.close()

    async def _seen(self, api: "ApiClient", kind: str, word: str, item: Object, told: Told) -> None:
        if kind == "Event":
            if word != "DELETED" and Node(item)["type"].text() == "Warning":
                await self._warned(api, warning(item), Node(item)["metadata"]["resourceVersion"].text(), told)
            return
        found = rollout(kind, item)
        place = (str(found["namespace"]), str(found["name"]))
        if word == "DELETED":
            self._labels.pop(place, None)
            self._told.pop(str(found["uid"]), None)
            return
        self._labels[place] = {str(k): str(v) for k, v in Node(found["labels"]).texts().items()}
        news = f"{found['revision']}:{found['phase']}"
        if self._told.get(str(found["uid"])) == news:
            return
        at = time_of(str(found["ended_at"] or found["began_at"]))
        if word != "LISTED" or found["phase"] == "running" or (at and at > self.clock() - OLD):
            await self._tell("rollout", found, f"{found['uid']}:{news}", told)
        self._told[str(found["uid"])] = news

    async def _warned(self, api: "ApiClient", found: dict[str, Any], version: str, told: Told) -> None:
        """A warning that is new alerts; one that is repeated only stays alive; one that stopped before we looked clears."""
        if found["reason"] in self.settings.ignore_reasons:
            return
        key = f"{found['uid'] or found['name']}:{found['reason']}"
        known = self._active.get(key)
        if known:
            known["last_at"] = max(known["last_at"], found["last_at"])
            return
        await self._attribute(api, found)
        if self._stopped(found):
            await self._tell("warning", _cleared(found), f"{key}:{found['last_at']}:cleared", told)
            return
        await self._tell("warning", found, f"{found['event']}:{version}", told)
        self._active[key] = found

    async def _attribute(self, api: "ApiClient", found: dict[str, Any]) -> None:
        """Whose it is: by the pod's own labels, else by the workload whose name its name begins with."""
        import aiohttp  # large, see above

        namespace, name = found["namespace"], found["name"]
        owners = [n for place, n in self._labels if place == namespace and (name == n or name.startswith(f"{n}-"))]
        found["owner"] = max(owners, key=len, default=name)
        found["labels"] = dict(self._labels.get((namespace, found["owner"]), {}))
        if found["kind"] == "Pod" and Node(namespace).text() and "/" not in f"{namespace}{name}":
            try:
                pod = await read(api, f"/api/v1/namespaces/{namespace}/pods/{name}", {})
            except (aiohttp.ClientError, TimeoutError, OSError, BadPayload, Gone):
                return  # it is gone, or we may not look: its workload has to do
            found["labels"] |= pod["metadata"]["labels"].texts()
            if isinstance(pod.value, dict) and (why := why_it_ended(pod.value)):
                found["why"] = why

    async def _clear(self, told: Told) -> None:
        """Warnings that were not repeated for a while have stopped."""
        while True:
            await asyncio.sleep(self.look)
            for key, found in list(self._active.items()):
                if self._stopped(found):
                    await self._tell("warning", _cleared(found), f"{key}:{found['last_at']}:cleared", told)
                    self._active.pop(key, None)

    def _stopped(self, found: Mapping[str, Any]) -> bool:
        last = time_of(found["last_at"])
        return last is not None and last + timedelta(minutes=self.settings.quiet_minutes) < self.clock()

    async def _tell(self, what: str, found: Mapping[str, object], id: str, told: Told) -> None:
        body = json.dumps({what: found, "environment": self.settings.environment}).encode()
        await told(Delivery(self.name, {ID: id[:200]}, body, self.clock()))

    def _lost(self, path: str, why: str) -> None:
        """Said once for all that is lost at a time."""
        if not self._away:
            log.warning("kubernetes cannot be watched: %s", why)
        self._away[path] = why

    def _found(self, path: str) -> None:
        if path in self._away:
            del self._away[path]
            if not self._away:
                log.warning("kubernetes is watched again")


def _selector(kind: str) -> dict[str, str]:
    return {"fieldSelector": "type=Warning"} if kind == "Event" else {}


def _cleared(found: Mapping[str, Any]) -> dict[str, Any]:
    return {**found, "resolved": True, "ended_at": found["last_at"]}


async def _events(answer: "aiohttp.ClientResponse") -> AsyncIterator[tuple[str, Object]]:
    waiting = b""
    async for chunk in answer.content.iter_any():
        *whole, waiting = (waiting + chunk).split(b"\n")
        for text in whole:
            if text.strip():
                yield _event(text)
        if len(waiting) > MOST_LINE:
            raise BadPayload("the API server sent an object that is larger than 8 MB")


def _event(text: bytes) -> tuple[str, Object]:
    """One line of a watch. Raises Gone for an error that says so, BadPayload for what is no line of a watch."""
    try:
        event = Node(json.loads(text)).object()
    except (ValueError, RecursionError):
        raise BadPayload("the API server's line is not JSON") from None
    word, item = event["type"].needed(), event["object"].object().value
    if word == "ERROR":
        if Node(item)["code"].value == 410:
            raise Gone
        raise BadPayload(f"the API server says: {Node(item)['message'].text()[:200]}")
    assert isinstance(item, dict)  # noqa: S101  object() saw to it
    return word, item
