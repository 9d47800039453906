"""A vendor's JSON API, asked politely: bounded in time and size, every failure an error of ours that holds no secret."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import certifi
import httpx

from bot.domain.payload import Node, read_json
from bot.errors import BadPayload, NotAllowed, NotFound, NotStarted, Unavailable

MOST_BYTES = 20 * 1024 * 1024
MOST_PATIENCE = 60.0  # seconds
LONGEST_PAUSE = 3600.0  # seconds; a vendor that asks for more is asked again after this
MOST_WORDS = 200  # characters of a vendor's own words
SHORTEST_SECRET = 8  # "Bearer", "Basic" and media types are none
BUSY = frozenset({408, 425, 429, 500, 502, 503, 504})


@cache
def _trusted() -> ssl.SSLContext:
    """Whom we trust, read once: it takes longer than most answers."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.load_default_certs()  # and whom this machine trusts: a company's own authority
    return context


@dataclass(frozen=True, slots=True)
class Answer:
    """What a vendor said: its JSON, a Node of None where there is none, and its headers in lower case."""

    said: Node
    headers: Mapping[str, str]


class Rest:
    """One vendor's API below `base`. `title` names the vendor in errors, `headers` prove who asks.

    With `quotes` the errors for what a vendor refuses (400, 409, 422) hold its own words, which say what is wrong with a query.
    """

    def __init__(
        self,
        title: str,
        base: str,
        headers: Mapping[str, str],
        *,
        auth: tuple[str, str] | None = None,
        timeout: float = 10.0,
        most_bytes: int = MOST_BYTES,
        quotes: bool = False,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._title = title
        self._base = base.rstrip("/")
        self._headers = {"accept": "application/json", **headers}
        self._auth = auth
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._quotes = quotes
        self._transport = transport

    async def get(self, path: str, **params: str) -> Node:
        """The JSON at this path."""
        return await self.send("GET", path, params=params)

    async def send(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str | Sequence[str]] | None = None,
        content: bytes | None = None,
    ) -> Node:
        """The JSON of the answer; a Node of None where there is none.

        The body is an object for JSON, a form, or the very bytes in `content`; one of them at most.

        Raises Unavailable (with `retry_after` where told) if asking again can help, NotFound for 404, 410 and an address that
        is none, NotAllowed for 401 and 403, BadPayload for every other refusal.
        """
        told = await self.raw(method, path, body, params=params, headers=headers, form=form, content=content)
        try:
            return read_json(told) if told.strip() else Node(None)
        except BadPayload:
            what = f"{self._title} answered {method} {path[:80]} with what is not JSON"
            raise BadPayload(f"{what}; does something else live at its address?") from None

    async def raw(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str | Sequence[str]] | None = None,
        content: bytes | None = None,
    ) -> bytes:
        """The bytes of the answer, for what is no JSON; raises as `send` does."""
        try:
            answer, told = await self._exchange(method, path, body, params, headers, form, content)
        except (httpx.UnsupportedProtocol, httpx.InvalidURL):
            raise NotFound(f"{self._title} has no address that can be asked; a good url: https://host.example:8443/api") from None
        except httpx.HTTPError as error:
            raise Unavailable(self._silence(error)) from None
        self._judge(answer, method, path, told)
        return told

    async def told(self, path: str) -> Answer:
        """GET, with the headers of the answer; raises as `send` does."""
        try:
            answer, told = await self._exchange("GET", path, None, None, None, None, None)
        except httpx.HTTPError as error:
            raise Unavailable(self._silence(error)) from None
        self._judge(answer, "GET", path, told)
        return _answer(answer, told)

    async def order(
        self,
        path: str,
        body: object = None,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str | Sequence[str]] | None = None,
    ) -> Answer:
        """POST of what must not be done twice. Any error but Unavailable means that it was not done.

        Raises Unavailable where nobody knows whether it was done: no answer, one that cannot be read, an error of the vendor's
        own; NotStarted if it was never sent or is turned away for now (429); otherwise as `send` does.
        """
        try:
            answer, told = await self._exchange("POST", path, body, None, headers, form, None)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise NotStarted(f"{self._silence(error)} Nothing was sent.") from None
        except httpx.HTTPError as error:
            raise Unavailable(self._silence(error)) from None
        except BadPayload as error:
            raise Unavailable(f"{self._title} answered in a way that cannot be read ({error}).") from None
        try:
            self._judge(answer, "POST", path, told)
        except Unavailable as error:
            if _rationed(answer):
                later = "" if error.retry_after is None else f" It asks for a pause of {error.retry_after:.0f} s."
                raise NotStarted(f"{error}{later}", retry_after=error.retry_after) from None
            raise
        try:
            return _answer(answer, told)
        except BadPayload as error:
            raise Unavailable(f"{self._title} answered in a way that cannot be read ({error}).") from None

    async def _exchange(
        self,
        method: str,
        path: str,
        body: object,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        form: Mapping[str, str | Sequence[str]] | None,
        content: bytes | None,
    ) -> tuple[httpx.Response, bytes]:
        async with httpx.AsyncClient(
            headers={"accept-encoding": "gzip", **self._headers, **(headers or {})},
            auth=self._auth,
            timeout=self._timeout,
            transport=self._transport,
            verify=_trusted(),
            trust_env=False,
        ) as client:
            sent = client.stream(method, self._base + path, params=params, json=body, data=form, content=content)
            async with sent as answer:
                return answer, await self._read(answer)

    def _silence(self, error: httpx.HTTPError) -> str:
        if isinstance(error, httpx.TimeoutException):
            return f"{self._title} did not answer within {self._timeout:g} s."
        if fault := _distrust(error):
            return f"{self._title} shows a certificate that this machine does not trust ({fault})."
        return f"{self._title} cannot be reached ({type(error).__name__})."

    async def _read(self, answer: httpx.Response) -> bytes:
        packed = str(answer.headers.get("content-encoding", "identity")).strip().lower()
        if packed not in ("", "identity", "gzip", "deflate"):  # what is packed twice or better may be gigabytes at once
            raise BadPayload(f"the answer of {self._title} is packed as {packed[:40]!r}, for which nobody asked")
        chunks, size = [], 0
        async for chunk in answer.aiter_bytes():
            size += len(chunk)
            if size > self._most_bytes:
                raise BadPayload(f"the answer of {self._title} is larger than {self._most_bytes} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    def _judge(self, answer: httpx.Response, method: str, path: str, told: bytes) -> None:
        status, asked = answer.status_code, f"{method} {path[:80]}"
        if status < 300:
            return
        if status in BUSY or _rationed(answer):
            raise Unavailable(f"{self._title} answered {status} to {asked}.", retry_after=_wanted(answer.headers))
        if status in (401, 403):
            raise NotAllowed(
                f"{self._title} refuses us ({status} to {asked}): the token in the settings is wrong or may do too little."
            )
        if status in (404, 410):
            raise NotFound(f"{self._title} has nothing at {asked} ({status}).")
        raise BadPayload(f"{self._title} answered {status} to {asked}{self._own_words(status, told)}")

    def _own_words(self, status: int, told: bytes) -> str:
        """What the vendor says is wrong, in a line; "" unless words are wanted, or where they hold a secret of ours."""
        if not self._quotes or status not in (400, 409, 422):
            return ""
        text = " ".join(_message(told).split())[:MOST_WORDS]
        proofs = [word for value in self._headers.values() for word in value.split() if len(word) >= SHORTEST_SECRET]
        proofs += [word for word in self._auth or () if word]
        return f": {text}" if text and not any(proof in text for proof in proofs) else ""


def _answer(answer: httpx.Response, told: bytes) -> Answer:
    return Answer(read_json(told) if told.strip() else Node(None), {k.lower(): v for k, v in answer.headers.items()})


def _distrust(error: BaseException) -> str:
    """What is wrong with the certificate that was shown, in OpenSSL's words; "" where that is not what failed."""
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    return cause.verify_message[:100] if cause is not None else ""


def _rationed(answer: httpx.Response) -> bool:
    """Turned away for having asked too often; GitHub says 403 for it."""
    headers = answer.headers
    spent = "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0"
    return answer.status_code == 429 or (answer.status_code == 403 and spent)


def _message(told: bytes) -> str:
    """The sentence of an error, where it is in one of the usual places; else the text itself."""
    try:
        said = read_json(told)
    except BadPayload:
        return told[:MOST_WORDS].decode("utf-8", "replace")
    named = (said[key] for key in ("error", "message", "Message", "errors"))
    return next((text for node in named if (text := node.text() or " ".join(n.text() for n in node.optional_items()))), "")


async def patient(
    api: Rest,
    path: str,
    params: Mapping[str, str] | None = None,
    *,
    tries: int = 6,
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> Node:
    """The JSON at this path of a vendor that may be busy: asked again after as long as it wants, a minute at most each time.

    For reading much at once, where nobody waits. Raises what the last try raises.
    """
    for number in range(tries - 1):
        try:
            return await api.send("GET", path, params=params)
        except Unavailable as error:
            wanted = 2.0**number if error.retry_after is None else error.retry_after
            await pause(min(wanted, MOST_PATIENCE))
    return await api.send("GET", path, params=params)


def _wanted(headers: Mapping[str, str]) -> float | None:
    """The pause that a vendor asks for; GitHub and GitLab tell when their ration begins anew, in seconds since 1970."""
    if "retry-after" in headers:
        return _pause(headers["retry-after"])
    spent = "0" in (headers.get("x-ratelimit-remaining"), headers.get("ratelimit-remaining"))
    anew = headers.get("x-ratelimit-reset", headers.get("ratelimit-reset", "")) if spent else ""
    return min(max(int(anew) - datetime.now(UTC).timestamp(), 0.0), LONGEST_PAUSE) if anew.isdecimal() else None


def _pause(told: str) -> float | None:
    """Retry-After in seconds, whether it is written as seconds or as a date; None where it is neither."""
    if told.strip().isdecimal():
        return min(float(told), LONGEST_PAUSE)
    try:
        at = parsedate_to_datetime(told)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return min(max((at - datetime.now(UTC)).total_seconds(), 0.0), LONGEST_PAUSE)
