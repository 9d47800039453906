"""The short way of a plain webhook through the web server: from its last byte to the inbox, and from the commit to its answer.

Half of what a request costs would otherwise go into what ASGI needs for the general case: a scope, a cycle, a task, an event.
All that is not plain goes uvicorn's way: another address or method, a handshake, a chunked body, one that is too large,
`Expect`, an older HTTP, a request before the one before it is answered.
"""

import asyncio
from functools import partial
from typing import TYPE_CHECKING, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from bot.intake.web import Porter, headers_of
from bot.ports import Reply

if TYPE_CHECKING:
    from typing import Any

    from uvicorn.config import Config
    from uvicorn.server import ServerState


class Ticket:
    """A plain request between its headers and its answer; as much of uvicorn's cycle as its protocol asks for."""

    __slots__ = ("chunks", "disconnected", "headers", "keep_alive", "message_event", "name", "response_complete")

    def __init__(self, name: str, headers: dict[str, str], event: asyncio.Event) -> None:
        self.name = name
        self.headers = headers
        self.chunks: list[bytes] = []
        self.keep_alive = True  # until the server shuts down
        self.response_complete = False
        self.disconnected = False
        self.message_event = event  # nobody waits for it


class Lane(HttpToolsProtocol):
    """uvicorn's protocol, with the short way for those whom the porter takes directly. Its app is a Porter."""

    def __init__(
        self,
        config: "Config",
        server_state: "ServerState",
        app_state: "dict[str, Any]",
        _loop: asyncio.AbstractEventLoop | None = None,  # uvicorn's name
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._porter = cast(Porter, self.app)
        self._event = asyncio.Event()
        self._whole: Ticket | None = None  # all of it is there

    def data_received(self, data: bytes) -> None:
        """Handed over outside of the parser, which would take an error for one of the sender's."""
        super().data_received(data)
        if (ticket := self._whole) is not None:
            self._whole = None
            body = ticket.chunks[0] if len(ticket.chunks) == 1 else b"".join(ticket.chunks)
            self._porter.take(ticket.name, ticket.headers, body, partial(self._answer, ticket))

    def on_message_begin(self) -> None:
        """What the general case needs besides is made when it is one."""
        self.url, self.headers, self.expect_100_continue = b"", [], False

    def on_headers_complete(self) -> None:
        """Which way it goes."""
        if (ticket := self._ticket()) is not None:
            self.cycle = cast(RequestResponseCycle, ticket)
            return
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers += headers
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece; there are no more bytes than the headers said."""
        if isinstance(self.cycle, Ticket):
            self.cycle.chunks.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """All is there."""
        if isinstance(self.cycle, Ticket):
            self._whole = self.cycle
        else:
            super().on_message_complete()

    def _ticket(self) -> Ticket | None:
        """If it is plain."""
        name = self._porter.direct.get(self.url)
        if name is None or self.expect_100_continue or (self.cycle is not None and not self.cycle.response_complete):
            return None
        parser = self.parser
        if parser.get_method() != b"POST" or parser.get_http_version() != "1.1":
            return None
        if parser.should_upgrade() or not parser.should_keep_alive():
            return None
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in self.headers}
        length = headers.get("content-length", "")
        if not length.isdecimal() or len(length) > 15 or int(length) > self._porter.most_bytes:
            return None
        if headers.get("content-encoding", "identity") != "identity":
            return None
        return Ticket(name, headers, self._event)

    def _answer(self, ticket: Ticket, reply: Reply) -> None:
        ticket.response_complete = True
        if self.transport.is_closing():
            self.server_state.total_requests += 1
            return
        self.transport.write(self._bytes_of(reply, last=not ticket.keep_alive))
        if not ticket.keep_alive:
            self.transport.close()
        self.on_response_complete()

    def _bytes_of(self, reply: Reply, *, last: bool) -> bytes:
        headers = [*self.server_state.default_headers, *headers_of(reply), *((b"connection", b"close"),) * last]
        lines = b"".join(b"%b: %b\r\n" % header for header in headers)
        return STATUS_LINE[reply.status] + lines + b"\r\n" + reply.body
