"""Breaking a connection on purpose: the caller must not learn whether its call was carried out."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

Ends = tuple[Any, Any]
_transports: MutableMapping[Ends, asyncio.Transport] = {}


class DroppableProtocol(H11Protocol):
    """uvicorn's HTTP protocol, with its open connections findable by the caller's address."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # narrower, as uvicorn does
        super().connection_made(transport)
        self._ends = _ends(transport.get_extra_info("peername"), transport.get_extra_info("sockname"))
        _transports[self._ends] = transport

    def connection_lost(self, exc: Exception | None) -> None:
        _transports.pop(self._ends, None)
        super().connection_lost(exc)


class DroppedConnection(Response):
    """No answer at all: the connection is reset. Under another server the answer breaks off after its head."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        transport = _transports.get(_ends(scope.get("client"), scope.get("server")))
        if transport is not None:
            transport.abort()
            while (await receive())["type"] != "http.disconnect":
                continue
            return
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1000")]})


def _ends(client: Any, server: Any) -> Ends:
    return (tuple(client[:2]) if client else None, tuple(server[:2]) if server else None)
