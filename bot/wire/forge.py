"""A code forge asked for commits by REST: read-only, capped, remembered, and left alone for as long as it says it wants to be.

Commits do not change, so an answer is used again for a while, and after that only confirmed (ETag), which forges do not count.
"""

import asyncio
import json
import logging
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime

import httpx

from bot.domain.payload import Node
from bot.errors import BadPayload, Unavailable

log = logging.getLogger(__name__)

MOST_BYTES = 4_000_000  # of one answer
MOST_DIFF = 120_000  # characters of one commit's diff
MOST_COMMITS = 100
MOST_DIFFS = 20  # of a comparison's commits; the older ones come without
MOST_FILES = 300
MOST_KEPT = 200  # answers
MOST_AT_ONCE = 6
FRESH = 300.0  # seconds in which an answer is used again without asking
LONGEST_PAUSE = 3600.0
_SHA = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
_REPOSITORY = re.compile(r"(?!.*\.\.)[\w.-]+(?:/[\w.-]+){1,8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Answer:
    node: Node
    etag: str
    at: float


class Forge:
    """GET requests of one forge's API. `name` is how people call it; `headers` hold the token."""

    def __init__(
        self,
        name: str,
        url: str,
        headers: Mapping[str, str],
        *,
        timeout: float = 4.0,
        transport: httpx.AsyncBaseTransport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._url = url.rstrip("/")
        self._headers = dict(headers)
        self._timeout = timeout
        self._transport = transport
        self._clock = clock
        self._kept: OrderedDict[str, _Answer] = OrderedDict()
        self._not_before = float("-inf")
        self._gone = False
        self._slots = asyncio.Semaphore(MOST_AT_ONCE)

    async def get(self, path: str) -> Node | None:
        """The JSON at a path; None if there is no such thing, or the forge cannot be asked (which is logged once)."""
        try:
            found = await self._ask(path)
        except (Unavailable, BadPayload) as error:
            if not self._gone:
                log.warning("%s", error)
            self._gone = True
            return None
        if self._gone:
            log.warning("%s answers again", self._name)
        self._gone = False
        return found

    async def _ask(self, path: str) -> Node | None:
        kept = self._kept.get(path)
        if kept and self._clock() - kept.at < FRESH:
            return kept.node
        async with self._slots:
            if self._clock() < self._not_before:
                raise Unavailable(f"{self._name} asked for a pause; it is not asked for another {self._pause:.0f} s.")
            headers = self._headers | ({"if-none-match": kept.etag} if kept and kept.etag else {})
            try:
                async with (
                    httpx.AsyncClient(timeout=self._timeout, transport=self._transport, trust_env=False) as client,
                    client.stream("GET", self._url + path, headers=headers) as response,
                ):
                    return self._keep(path, response, await self._body(response), kept)
            except httpx.TimeoutException:
                raise Unavailable(f"{self._name} did not answer within {self._timeout:g} s.") from None
            except (httpx.HTTPError, httpx.InvalidURL) as error:
                raise Unavailable(f"{self._name} cannot be reached: {type(error).__name__}.") from None

    def _keep(self, path: str, response: httpx.Response, body: bytes, kept: _Answer | None) -> Node | None:
        if response.status_code == 304 and kept:
            answer = replace(kept, at=self._clock())
        elif response.status_code in (404, 422):  # GitHub says 422 for a commit that it does not know
            return None
        elif response.status_code != 200:
            raise self._refused(response)
        else:
            try:
                answer = _Answer(Node(json.loads(body)), response.headers.get("etag", ""), self._clock())
            except (ValueError, RecursionError):
                raise BadPayload(f"the answer of {self._name} is not JSON") from None
        self._kept[path] = answer
        self._kept.move_to_end(path)
        while len(self._kept) > MOST_KEPT:
            self._kept.popitem(last=False)
        return answer.node

    def _refused(self, response: httpx.Response) -> Unavailable:
        headers = response.headers
        left = headers.get("x-ratelimit-remaining", headers.get("ratelimit-remaining", ""))
        if response.status_code == 429 or "retry-after" in headers or (response.status_code == 403 and left == "0"):
            reset = headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", ""))
            pause = min(LONGEST_PAUSE, _seconds(headers.get("retry-after", ""), reset, headers.get("date", "")))
            self._not_before = self._clock() + pause
            return Unavailable(f"{self._name} asks for a pause of {pause:.0f} s ({response.status_code}).", retry_after=pause)
        hint = "; its token is wrong or may not read this repository" if response.status_code in (401, 403) else ""
        return Unavailable(f"{self._name} answered {response.status_code}{hint}.")

    @property
    def _pause(self) -> float:
        return max(0.0, self._not_before - self._clock())

    async def _body(self, response: httpx.Response) -> bytes:
        parts, size = [], 0
        async for part in response.aiter_bytes():
            size += len(part)
            if size > MOST_BYTES:
                raise BadPayload(f"the answer of {self._name} is larger than {MOST_BYTES:,} bytes")
            parts.append(part)
        return b"".join(parts)


def known(repository: str, *shas: str) -> bool:
    """The repository and the commits look like some, so that they may stand in a URL."""
    return bool(_REPOSITORY.fullmatch(repository)) and all(_SHA.fullmatch(sha) for sha in shas)


def patch(files: Iterable[tuple[str, str, str]]) -> tuple[tuple[str, ...], str, bool]:
    """The file names, one unified diff and whether it was cut, of (old path, new path, hunks) per file."""
    names, parts, cut = [], [], False
    for old, new, hunks in files:
        names.append(new)
        cut = cut or not hunks  # binary, or too large for the forge
        parts.append(f"diff --git a/{old} b/{new}\n--- a/{old}\n+++ b/{new}\n{hunks.rstrip()}\n" if hunks else "")
    diff = "".join(parts)
    return tuple(names[:MOST_FILES]), diff[:MOST_DIFF], cut or len(diff) > MOST_DIFF or len(names) > MOST_FILES


def _seconds(retry_after: str, reset: str, date: str) -> float:
    """How long to wait: Retry-After in seconds, else the time of the reset less the time of the answer, else a minute."""
    if retry_after.isdecimal():
        return float(retry_after[:9])
    try:
        return max(1.0, float(reset[:15]) - parsedate_to_datetime(date).timestamp())
    except (ValueError, OverflowError):
        return 60.0
