"""Socket Mode: the sockets that an app keeps open, and the envelopes that travel over them."""

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from bot.workspace.errors import SlackError
from bot.workspace.state import JsonObject, Workspace

MOST_SOCKETS = 10
GRACE_SECONDS = 1.0


@dataclass(slots=True)
class Ack:
    """How the app took an envelope. `reason` is empty when it acknowledged."""

    reason: str = ""
    payload: Any = None

    @property
    def ok(self) -> bool:
        return not self.reason


@dataclass(slots=True, eq=False)
class Socket:
    """One open connection of the app. A retired one gets no more envelopes."""

    websocket: WebSocket
    number: int
    retired: bool = False
    awaiting: set[str] = field(default_factory=set)


class Sockets:
    """All sockets of the app. Each envelope goes to one of them, in turn."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._open: list[Socket] = []
        self._tickets: set[str] = set()
        self._acks: dict[str, asyncio.Future[Ack]] = {}
        self._arrival = asyncio.Event()
        self._refuse_until: datetime | None = None
        self._count = 0

    @property
    def connected(self) -> int:
        return sum(1 for s in self._open if not s.retired)

    def ticket(self) -> str:
        """The address for one new socket."""
        if self._refusing():
            raise SlackError("internal_error", ["The workspace was told not to accept sockets now."])
        ticket = secrets.token_urlsafe(18)
        self._tickets.add(ticket)
        base = self._workspace.config.base_url.replace("http", "ws", 1)
        return f"{base}/link/?ticket={ticket}&app_id={self._workspace.config.bot.app_id}"

    def refuse(self, seconds: float) -> None:
        """No new socket is accepted for so many seconds; the open ones stay."""
        self._refuse_until = self._workspace.clock() + timedelta(seconds=seconds)

    def _refusing(self) -> bool:
        return self._refuse_until is not None and self._workspace.clock() < self._refuse_until

    async def serve(self, websocket: WebSocket) -> None:
        """Runs one socket from its handshake to its end."""
        ticket = websocket.query_params.get("ticket", "")
        if ticket not in self._tickets or self._refusing():
            await websocket.close(1008)
            return
        self._tickets.discard(ticket)
        await websocket.accept()
        self._count += 1
        socket = Socket(websocket, self._count)
        if self.connected >= MOST_SOCKETS:
            await self._say_goodbye(socket, "too_many_websockets")
            await websocket.close(1000)
            return
        await websocket.send_text(json.dumps(self._hello()))
        self._open.append(socket)
        self._arrival.set()
        self._workspace.record("socket_opened", socket=socket.number)
        self._workspace.publish({"kind": "sockets", "connected": self.connected})
        try:
            await self._listen(socket)
        finally:
            self._gone(socket)

    def _hello(self) -> JsonObject:
        return {
            "type": "hello",
            "num_connections": self.connected + 1,
            "debug_info": {"host": "workspace", "build_number": 1, "approximate_connection_time": 18060},
            "connection_info": {"app_id": self._workspace.config.bot.app_id},
        }

    async def _listen(self, socket: Socket) -> None:
        while True:
            try:
                text = await socket.websocket.receive_text()
            except (WebSocketDisconnect, RuntimeError):
                # Starlette raises RuntimeError when our own side closed the socket while we were listening.
                return
            except KeyError:
                continue  # a binary frame: Slack's apps never send one
            try:
                answer = json.loads(text)
            except ValueError:
                continue
            if isinstance(answer, dict) and isinstance(answer.get("envelope_id"), str):
                self._acknowledged(answer["envelope_id"], answer.get("payload"))

    def _acknowledged(self, envelope_id: str, payload: Any) -> None:
        waiting = self._acks.get(envelope_id)
        if waiting and not waiting.done():
            waiting.set_result(Ack(payload=payload))

    def _gone(self, socket: Socket) -> None:
        if socket in self._open:
            self._open.remove(socket)
        if not self.connected:
            self._arrival.clear()
        for envelope_id in socket.awaiting:
            waiting = self._acks.get(envelope_id)
            if waiting and not waiting.done():
                waiting.set_result(Ack("connection_closed"))
        self._workspace.record("socket_closed", socket=socket.number)
        self._workspace.publish({"kind": "sockets", "connected": self.connected})

    async def send(self, kind: str, payload: JsonObject, seconds: float, again: JsonObject | None = None) -> Ack:
        """Sends one envelope and waits so many seconds for a socket and the acknowledgement together.

        A closed connection ends the wait at once for an event (it is delivered again) but not for an interaction: the
        app may still acknowledge over its next socket.
        """
        envelope: JsonObject = {
            "envelope_id": secrets.token_hex(16),
            "type": kind,
            "payload": payload,
            "accepts_response_payload": kind != "events_api",
        }
        if kind == "events_api":
            envelope.update(again or {"retry_attempt": 0, "retry_reason": ""})
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        waiting: asyncio.Future[Ack] = loop.create_future()
        self._acks[envelope["envelope_id"]] = waiting
        try:
            async with asyncio.timeout_at(deadline):
                socket = await self._hand_over(json.dumps(envelope))
                if kind == "events_api":
                    socket.awaiting.add(envelope["envelope_id"])
                try:
                    return await waiting
                finally:
                    socket.awaiting.discard(envelope["envelope_id"])
        except TimeoutError:
            return Ack("timeout" if self.connected else "no_connection")
        finally:
            del self._acks[envelope["envelope_id"]]

    async def _hand_over(self, text: str) -> Socket:
        while True:
            await self._arrival.wait()
            usable = [s for s in self._open if not s.retired]
            if not usable:
                self._arrival.clear()
                continue
            socket = usable[0]
            self._open.remove(socket)
            self._open.append(socket)
            try:
                await socket.websocket.send_text(text)
            except (RuntimeError, WebSocketDisconnect):
                self._gone(socket)
                continue
            return socket

    async def disconnect(self, reason: str = "refresh_requested", abrupt: bool = False) -> int:
        """Ends every socket: with Slack's `disconnect` message and a second of grace, or without a word."""
        sockets = [s for s in self._open if not s.retired]
        for socket in sockets:
            socket.retired = True
        self._arrival.clear()
        if not abrupt:
            for socket in sockets:
                await self._say_goodbye(socket, reason)
            await asyncio.sleep(GRACE_SECONDS)
        for socket in sockets:
            if socket.websocket.client_state is WebSocketState.CONNECTED and socket in self._open:
                await _close(socket.websocket, 1011 if abrupt else 1000)
        return len(sockets)

    async def _say_goodbye(self, socket: Socket, reason: str) -> None:
        words = {"type": "disconnect", "reason": reason, "debug_info": {"host": "workspace"}}
        try:
            await socket.websocket.send_text(json.dumps(words))
        except (RuntimeError, WebSocketDisconnect):
            return  # it is gone already, which is what we want


async def _close(websocket: WebSocket, code: int) -> None:
    try:
        await websocket.close(code)
    except RuntimeError:
        return  # the other side was faster
