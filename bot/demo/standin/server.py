"""The stand-in's server: real HTTP on loopback, in this process; a brain decides each reply."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bot.demo.standin import wire
from bot.demo.standin.refusals import Offers, Refused, check, error_body
from bot.demo.standin.scripted import Asked, Brain, Scripted

HOST = "127.0.0.1"


@dataclass(slots=True)
class Server:
    """A running stand-in. `url` is the base that clients are given; `asked` every request for a completion, oldest first."""

    brain: Brain
    offers: Offers = field(default_factory=Offers)
    url: str = ""
    down: bool = False  # every request is answered with 503
    asked: list[Asked] = field(default_factory=list)

    def app(self) -> Starlette:
        """Its doors, for loopback names only."""
        routes = [
            Route("/v1/models", self._models, methods=["GET"]),
            Route("/v1/models/{name:path}", self._model, methods=["GET"]),
            Route("/v1/chat/completions", self._complete, methods=["POST"]),
            Route("/standin", self._state, methods=["GET", "POST"]),
        ]
        guard = Middleware(TrustedHostMiddleware, allowed_hosts=[HOST, "localhost"])
        return Starlette(routes=routes, middleware=[guard])

    async def _state(self, request: Request) -> Response:
        """Whether it is down, and how often it was asked; POST {"down": true} takes it down."""
        if (refused := self._refused(request)) is not None:
            return refused
        if request.method == "POST":
            self.down = bool((await request.json())["down"])
        return JSONResponse({"down": self.down, "asked": len(self.asked)})

    async def _models(self, request: Request) -> Response:
        if (refused := self._refused(request) or self._outage()) is not None:
            return refused
        return JSONResponse(wire.models(self.offers))

    async def _model(self, request: Request) -> Response:
        if (refused := self._refused(request) or self._outage()) is not None:
            return refused
        listed = [m for m in wire.models(self.offers)["data"] if m["id"] == request.path_params["name"]]
        missing = f"The model '{request.path_params['name']}' does not exist"
        return JSONResponse(listed[0]) if listed else JSONResponse(error_body(404, missing), 404)

    async def _complete(self, request: Request) -> Response:
        try:
            body = json.loads(await request.body())
        except ValueError:
            return JSONResponse(error_body(400, "We could not parse the JSON body of your request."), 400)
        asked = Asked(dict(request.headers), body if isinstance(body, dict) else {})
        self.asked.append(asked)
        if (outage := self._outage()) is not None:
            return outage
        try:
            check(asked, self.offers)
        except Refused as refused:
            return JSONResponse(refused.body, refused.status)
        reply = self.brain(asked)
        await asyncio.sleep(reply.before)
        if reply.status != 200:
            after = {} if reply.retry_after is None else {"Retry-After": f"{reply.retry_after:g}"}
            words = reply.words or f"The stand-in answers {reply.status}."
            return JSONResponse(error_body(reply.status, words), reply.status, headers=after)
        return _Streamed(asked, reply, len(self.asked)) if asked.stream else _Whole(asked, reply, len(self.asked))

    def _outage(self) -> Response | None:
        words = "The engine is currently overloaded, please try again later."
        return JSONResponse(error_body(503, words), 503) if self.down else None

    def _refused(self, request: Request) -> Response | None:
        if not self.offers.key or request.headers.get("authorization") == f"Bearer {self.offers.key}":
            return None
        return JSONResponse(error_body(401, "Incorrect API key provided."), 401)


class _Whole(Response):
    """The answer in one piece, or half of it."""

    media_type = "application/json"

    def __init__(self, asked: Asked, reply: Scripted, number: int) -> None:
        super().__init__(reply.garbage or json.dumps(wire.whole(asked, reply, number)))
        self._cut = reply.cut_after is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._cut:
            return await super().__call__(scope, receive, send)
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body)[: len(self.body) // 2], "more_body": True})
        return None  # the server closes a connection whose response is not complete


class _Streamed(Response):
    """The answer as server-sent events."""

    media_type = "text/event-stream"

    def __init__(self, asked: Asked, reply: Scripted, number: int) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._asked, self._reply, self._number = asked, reply, number

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        telling = asyncio.ensure_future(self._tell(send))
        leaving = asyncio.ensure_future(_gone(receive))
        await asyncio.wait([telling, leaving], return_when=asyncio.FIRST_COMPLETED)
        for task in (telling, leaving):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await telling

    async def _tell(self, send: Send) -> None:
        reply = self._reply
        for sent, each in enumerate(wire.chunks(self._asked, reply, self._number)):
            if reply.cut_after is not None and sent >= reply.cut_after:
                return
            body = wire.event(reply.garbage if reply.garbage and sent == 0 else each)
            await send({"type": "http.response.body", "body": body, "more_body": True})
            await asyncio.sleep(reply.between if sent else 0)
        await send({"type": "http.response.body", "body": wire.event("[DONE]"), "more_body": False})


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


class _Uvicorn(uvicorn.Server):
    """uvicorn without its signal handlers, which says when it listens."""

    def __init__(self, app: Starlette) -> None:
        quiet: Mapping[str, Any] = {"log_level": "critical", "access_log": False, "lifespan": "off"}
        super().__init__(uvicorn.Config(app, timeout_graceful_shutdown=1, **quiet))
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


@contextlib.asynccontextmanager
async def standin(brain: Brain, offers: Offers | None = None, port: int = 0) -> AsyncIterator[Server]:
    """A server whose replies this brain decides; it listens when this is entered. Raises OSError if the port is taken."""
    server = Server(brain, offers or Offers())
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
        listener.setblocking(False)
        server.url = f"http://{HOST}:{listener.getsockname()[1]}/v1"
        doors = _Uvicorn(server.app())
        serving = asyncio.create_task(doors.serve(sockets=[listener]))
        await doors.listening.wait()
        try:
            yield server
        finally:
            doors.should_exit = True
            await serving
