"""The way from the door's process to the bot's: a request goes on as it came, the answer comes back as it was."""

import contextlib

import httpx
import msgspec
from starlette.types import Receive, Scope, Send

from bot.intake.web import say
from bot.ports import Reply

PATIENCE = 10.0  # seconds for an answer; Slack asks again after three
MOST = 64  # requests on their way at a time
# What belongs to one connection only (RFC 9110, 7.6.1), and what is said anew.
_OF_THE_WAY = frozenset(
    {b"connection", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding", b"upgrade", b"content-length"}
)

_SAID_HERE = frozenset({b"date", b"server"})  # by the web server at the door


class Forwarding:
    """An ASGI app that is another one, behind a Unix socket; it says so if that one keeps silent."""

    def __init__(self, socket: str, most_bytes: int) -> None:
        limits = httpx.Limits(max_connections=MOST, max_keepalive_connections=4)
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=socket, limits=limits, retries=1),
            base_url="http://house",
            timeout=PATIENCE,
            trust_env=False,
        )
        self._most = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Ask and answer; 502 without the other one, 504 if it takes too long."""
        body = await self._body(receive)
        if body is None:
            await say(send, _wrong(413, f"The body is larger than {self._most} bytes."))
            return
        path = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        if not path.startswith(b"/"):  # OPTIONS * asks of the server itself
            await say(send, _wrong(400, "Name a path."))
            return
        headers = [(name, value) for name, value in scope["headers"] if name not in _OF_THE_WAY]
        request = self._http.build_request(
            scope["method"], httpx.URL("http://house", raw_path=path), content=body, headers=headers
        )
        try:
            answer = await self._http.send(request)
        except httpx.TimeoutException:
            await say(send, _wrong(504, "The bot does not answer at the moment. Webhooks are still taken in."))
            return
        except httpx.HTTPError:
            await say(send, _wrong(502, "The bot is not there at the moment. Webhooks are still taken in."))
            return
        kept = [(name.lower(), value) for name, value in answer.headers.raw if name.lower() not in _OF_THE_WAY | _SAID_HERE]
        kept.append((b"content-length", str(len(answer.content)).encode()))
        await send({"type": "http.response.start", "status": answer.status_code, "headers": kept})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.content})

    async def close(self) -> None:
        """Let go of the connections."""
        with contextlib.suppress(httpx.HTTPError):
            await self._http.aclose()

    async def _body(self, receive: Receive) -> bytes | None:
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if size > self._most:
                return None
            chunks.append(chunk)
        return b"".join(chunks)


def _wrong(status: int, reason: str) -> Reply:
    return Reply(status, msgspec.json.encode({"error": reason}))
