"""The API server asked, or ordered to change something, for a deployer: every failure says whether anything was begun."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bot.domain.payload import Node, read_json
from bot.errors import BadPayload, NotAllowed, NotFound, NotStarted, Unavailable
from connectors.kubernetes.api import MOST_BYTES, KubernetesSettings, connect
from connectors.kubernetes.rehearsal import refusal, warnings_of

if TYPE_CHECKING:  # large: who asks no cluster does not load it
    from kubernetes.aio.client import ApiClient

OWNER = {"fieldManager": "tocsin"}
MERGE = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


@dataclass(frozen=True, slots=True)
class _Told:
    """An answer: its HTTP status, the pause in seconds that it asks for, and its `Warning` headers."""

    status: int
    pause: float | None
    body: bytes
    warnings: tuple[str, ...]


class ApiServer:
    """The official client, open while anybody is within `async with`: to make one reads all certificates of the machine."""

    def __init__(self, settings: KubernetesSettings, seconds: float) -> None:
        self._settings, self._seconds = settings, seconds
        self._client: ApiClient | None = None
        self._within = 0
        self._proofs: tuple[str, ...] = ()

    async def __aenter__(self) -> "ApiServer":
        made = await connect(self._settings) if self._client is None else None
        if self._client is None:
            self._client = made
        elif made is not None:  # somebody else came in meanwhile
            await made.close()  # type: ignore[no-untyped-call]  # the client has no types here
        self._within += 1
        return self

    async def __aexit__(self, *_: object) -> None:
        self._within -= 1
        if not self._within and self._client is not None:
            client, self._client = self._client, None
            await client.close()  # type: ignore[no-untyped-call]  # as above

    async def get(self, path: str, **query: str) -> Node:
        """The object at a path. Raises Unavailable, NotAllowed, NotFound or BadPayload."""
        return await self._asked("GET", path, query)

    async def review(self, path: str, body: object) -> Node:
        """The answer to a POST that changes nothing. Raises as `get` does."""
        return await self._asked("POST", path, {}, body)

    async def patch(self, path: str, body: object, kind: str) -> Node:
        """The object after a change; any error but Unavailable means that nothing was changed. Raises NotStarted besides."""
        told = await self._sent("PATCH", path, OWNER, body, kind, begins=True)
        _judge(told, self._words(told.body), f"PATCH {path[:120]}", begins=True)
        try:
            return read_json(told.body).object()
        except BadPayload as error:  # it was accepted
            raise Unavailable(f"The API server answered in a way that cannot be read ({error}).") from None

    async def try_patch(self, path: str, body: object, kind: str, what: str) -> tuple[Node, tuple[str, ...]]:
        """The object as `patch` would leave it, and what the server warns of; nothing is changed (`dryRun=All`).

        `what` names the object for people. Raises as `refusal` says, Unavailable where no answer comes that can be read.
        """
        told = await self._sent("PATCH", path, {**OWNER, "dryRun": "All"}, body, kind, begins=False)
        if error := refusal(told.status, self._words(told.body), what):
            raise error
        try:
            return read_json(told.body).object(), tuple(filter(None, map(self._safe, warnings_of(told.warnings))))
        except BadPayload as error:
            raise Unavailable(f"The API server answered in a way that cannot be read ({error}).") from None

    async def _asked(self, method: str, path: str, query: Mapping[str, str], body: object = None) -> Node:
        told = await self._sent(method, path, query, body, "application/json", begins=False)
        _judge(told, self._words(told.body), f"{method} {path[:120]}", begins=False)
        return read_json(told.body).object()

    async def _sent(self, method: str, path: str, query: Mapping[str, str], body: object, kind: str, *, begins: bool) -> _Told:
        """Whatever was answered. Raises Unavailable; NotStarted for what `begins` something and was never sent."""
        import aiohttp  # large: who asks no cluster does not load it

        try:
            async with asyncio.timeout(self._seconds):
                return await self._exchange(method, path, query, body, kind)
        except aiohttp.ClientConnectorError as error:
            reason = f"The API server cannot be reached ({type(error).__name__})."
            raise (NotStarted(f"{reason} Nothing was sent.") if begins else Unavailable(reason)) from None
        except TimeoutError:
            raise Unavailable(f"The API server did not answer within {self._seconds:g} s.") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"The API server's connection broke ({type(error).__name__}).") from None

    async def _exchange(self, method: str, path: str, query: Mapping[str, str], body: object, kind: str) -> _Told:
        async with self:
            assert self._client is not None  # noqa: S101  it is while we are within
            request = await self._client.param_serialize(
                method,
                path,
                query_params=list(query.items()),
                header_params={"Accept": "application/json", "Content-Type": kind},
                body=body,
                auth_settings=["BearerToken"],
            )
            self._proofs = tuple(word for word in str(request[2].get("authorization", "")).split() if word != "Bearer")
            answer = (await self._client.call_api(*request)).response
            pause = answer.headers.get("retry-after", "")
            parts, size = [], 0
            async for part in answer.content.iter_any():
                size += len(part)
                if size > MOST_BYTES:
                    raise BadPayload(f"the API server's answer to {path} is larger than {MOST_BYTES} bytes")
                parts.append(part)
            warnings = tuple(answer.headers.getall("warning", ()))
            return _Told(answer.status, float(pause) if pause.isdecimal() else None, b"".join(parts), warnings)

    def _words(self, told: bytes) -> str:
        """The message of a Status object; "" where it holds our token, as the answers of careless proxies do."""
        try:
            said = " ".join(json.loads(told)["message"].split())[:200]
        except (ValueError, TypeError, KeyError, AttributeError):
            return ""
        return self._safe(said)

    def _safe(self, said: str) -> str:
        return "" if any(proof in said for proof in self._proofs) else said


def _judge(told: _Told, words: str, asked: str, *, begins: bool) -> None:
    status, pause = told.status, told.pause
    if status < 300:
        return
    said = f"The API server answered {status} to {asked}"
    if status == 429:
        later = "" if pause is None else f" It asks for a pause of {pause:.0f} s."
        raise (NotStarted if begins else Unavailable)(f"{said}.{later}", retry_after=pause)
    if status >= 500:
        raise Unavailable(f"{said}.")
    if status in (401, 403):
        raise NotAllowed(f"{said}: the service account may not do this; docs/connectors/kubernetes.md has the role.")
    if status in (404, 410):
        raise NotFound(f"{said}: there is no such thing.")
    raise BadPayload(f"{said}: {words}" if words else said)
