"""The workspace as a program: one Starlette application, served on loopback."""

import asyncio
import contextlib
import errno
import functools
import inspect
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import replace

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.routing import Route, WebSocketRoute

from bot.workspace import (
    page,
    persona_api,
    readings,
    responses,
    webapi_assistant,
    webapi_chat,
    webapi_conversations,
    webapi_files,
    webapi_marks,
    webapi_people,
    webapi_streams,
    webapi_views,
)
from bot.workspace.config import (
    BotUser,
    ChannelSpec,
    Persona,
    Shortcut,
    SlashCommand,
    UserGroup,
    WorkspaceConfig,
    settings_lines,
)
from bot.workspace.dropping import DroppableProtocol
from bot.workspace.errors import PortBusy
from bot.workspace.guard import Guard
from bot.workspace.site import Site, build_site
from bot.workspace.state import Clock, utc_now
from bot.workspace.webapi import Handler, WebApi

__all__ = [
    "BotUser",
    "ChannelSpec",
    "Persona",
    "PortBusy",
    "Shortcut",
    "SlashCommand",
    "UserGroup",
    "WorkspaceConfig",
    "create_app",
    "serve",
    "settings_lines",
]

METHODS: dict[str, Handler] = {
    **webapi_chat.METHODS,
    **webapi_streams.METHODS,
    **webapi_assistant.METHODS,
    **webapi_conversations.METHODS,
    **webapi_people.METHODS,
    **webapi_views.METHODS,
    **webapi_marks.METHODS,
    **webapi_files.METHODS,
}
OnReady = Callable[[WorkspaceConfig], Awaitable[None] | None]


def create_app(config: WorkspaceConfig, clock: Clock = utc_now) -> Starlette:
    """The application of a new, empty workspace. `config.port` must be the port it will be served on."""
    site = build_site(config, clock)

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        await site.delivery.close()

    app = Starlette(
        routes=[
            *page.routes(site),
            *persona_api.routes(site),
            *readings.routes(site),
            Route("/api/{method}", WebApi(site, METHODS).__call__, methods=["GET", "POST"]),
            Route("/response/{team}/{token}", functools.partial(responses.respond, site), methods=["POST"]),
            Route("/upload/{id}/{secret}", functools.partial(webapi_files.upload, site), methods=["POST"]),
            Route("/files/{id}/{secret}", functools.partial(webapi_files.download, site)),
            WebSocketRoute("/link/", site.sockets.serve),
        ],
        middleware=[Middleware(Guard, host=config.host, panel_url=config.panel_url)],
        lifespan=lifespan,
    )
    app.state.site = site
    return app


async def serve(config: WorkspaceConfig, on_ready: OnReady | None = None, clock: Clock = utc_now) -> None:
    """Serves a new workspace until the task is cancelled.

    Port 0 takes any free port. `on_ready` is called once the port listens, with the configuration that has the real
    port. Raises PortBusy if another program has the port. Signals are left to the caller.
    """
    with _listen(config) as listener:
        real = replace(config, port=listener.getsockname()[1])
        app = create_app(real, clock)
        server = _Server(
            app.state.site,
            uvicorn.Config(
                app,
                http=DroppableProtocol,
                ws="websockets-sansio",
                log_level="warning",
                access_log=False,
                lifespan="on",
                timeout_graceful_shutdown=1,
                timeout_keep_alive=30,
            ),
        )
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            listening = asyncio.create_task(server.listening.wait())
            await asyncio.wait([running, listening], return_when=asyncio.FIRST_COMPLETED)
            listening.cancel()
            if on_ready is not None and server.started:
                told = on_ready(real)
                if inspect.isawaitable(told):
                    await told
            await asyncio.shield(running)
        finally:
            server.should_exit = True
            await running


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers, which ends pages and sockets before it waits for them."""

    def __init__(self, site: Site, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._site = site
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._site.workspace.close()
        await self._site.sockets.disconnect("link_disabled", abrupt=True)
        await super().shutdown(sockets)


@contextlib.contextmanager
def _listen(config: WorkspaceConfig) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)  # named, so that asyncio sets TCP_NODELAY
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, config.port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortBusy(config.host, config.port) from None
            raise
        listener.listen(100)
        listener.setblocking(False)
        yield listener
    finally:
        listener.close()
