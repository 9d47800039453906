"""The port that everybody reaches the bot at, and the web server behind it."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bot.errors import BadSettings

PATIENCE = 2.0  # seconds in which the door of a bot that was killed has let go of the port
BACKLOG = 1024  # connections that queue while nobody accepts them


class Server(uvicorn.Server):
    """uvicorn without its signal handlers; whoever runs it has its own. On a Unix socket, if one is named."""

    def __init__(self, app: ASGIApp, uds: str | None = None, protocol: type[asyncio.Protocol] = HttpToolsProtocol) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                uds=uds,
                log_level="warning",
                access_log=False,
                lifespan="off",
                ws="none",
                http=protocol,
                proxy_headers=False,  # nothing here asks where a request came from
                timeout_graceful_shutdown=3,
            )
        )

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


@contextlib.contextmanager
def listen(host: str, port: int, setting: str = "TOCSIN_PORT") -> Iterator[socket.socket]:
    """A socket that listens there. Raises BadSettings if somebody else does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:  # named, so that asyncio sets TCP_NODELAY
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            _bind(listener, host, port)
        except OSError as error:
            raise BadSettings(
                f"Port {port} of {host} cannot be had ({error.strerror}). Set another: {setting}={port + 1}"
            ) from None
        listener.setblocking(False)
        yield listener


def _bind(listener: socket.socket, host: str, port: int) -> None:
    end = time.monotonic() + PATIENCE
    while True:
        try:
            listener.bind((host, port))
            listener.listen(BACKLOG)
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
        else:
            return
