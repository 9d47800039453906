"""Who may talk to the workspace: programs on this machine and its own page, no other web page."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


class Guard:
    """Refuses a Host that is not loopback (DNS rebinding) and an Origin that is not ours (other pages).

    It also sets the headers that keep the page to its own script, style and pictures.
    """

    def __init__(self, app: ASGIApp, host: str, panel_url: str | None) -> None:
        self._app = app
        self._hosts = LOOPBACK | {host}
        self._headers = _security_headers(panel_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        problem = self._problem(scope["headers"])
        if problem is None:
            await self._app(scope, receive, self._with_headers(send))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(problem, 403)(scope, receive, send)

    def _problem(self, headers: Iterable[tuple[bytes, bytes]]) -> str | None:
        values = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in headers}
        host = values.get("host", "")
        if _hostname(f"http://{host}") not in self._hosts:
            return f"The workspace answers only on loopback addresses, not as {host[:200]!r}.\n"
        origin = values.get("origin")
        if origin is not None and origin != f"http://{host}":
            return f"Requests from the page {origin[:200]!r} are refused; the workspace serves its own page only.\n"
        if values.get("sec-fetch-site", "none") not in ("none", "same-origin") and not _is_visit(values):
            return "Requests from other pages are refused.\n"
        return None

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), *self._headers]
            await send(message)

        return sending


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _is_visit(values: dict[str, str]) -> bool:
    """Following a link from another page to ours is allowed: it only reads."""
    return values.get("sec-fetch-mode") == "navigate" and values.get("sec-fetch-dest") == "document"


def _security_headers(panel_url: str | None) -> list[tuple[bytes, bytes]]:
    panel = urlsplit(panel_url) if panel_url else None
    frames = f"{panel.scheme}://{panel.netloc}" if panel and panel.scheme in ("http", "https") else "'none'"
    policy = (
        "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; connect-src 'self'; "
        "img-src 'self' data: http://127.0.0.1:* http://localhost:*; "
        f"frame-src {frames}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    headers = {
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
