"""The web door: webhooks are checked, kept durably and answered with 202; nothing is parsed here.

Plain ASGI: half of a request's time would go into a framework's wrappers otherwise. What is no webhook is for others.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from bot.errors import BadPayload, BadSignature, Unavailable
from bot.intake.grouping import Full, Grouping
from bot.intake.meters import DoorMeters
from bot.intake.screen import fault
from bot.ports import Clock, Connector, Delivery, Greets, Reply, Webhook, WebhookSettings

log = logging.getLogger(__name__)
MOST_BYTES = 1024 * 1024
MOST_WAITING = 50_000
WEBHOOKS = "/webhooks/"
_FROM = len(WEBHOOKS)
# Proofs and credentials served their purpose when the delivery was verified; they are never kept.
_NOT_KEPT = re.compile(r"authori[sz]ation|cookie|signature|token|secret|api-?key|password", re.IGNORECASE)

NEW = Reply(202, b'{"accepted":1}')
KNOWN = Reply(202, b'{"accepted":0}')
Answer = Callable[[Reply], None]


@dataclass(frozen=True, slots=True)
class Door:
    """A connector whose webhooks are let in, and the secrets that prove them."""

    connector: Connector
    settings: WebhookSettings


class Refusal(Exception):
    """A request that is not let in: the status, the word that is counted, the sentence for the sender."""

    def __init__(self, status: int, outcome: str, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reply = Reply(status, msgspec.json.encode({"error": reason}), headers or {})


class Greeted(Exception):
    """A request that was a handshake: there is a reply and nothing to keep."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


class Porter:
    """Who stands at the door: POST and OPTIONS /webhooks/{connector}, and the way to all other pages.

    /metrics of the others gets what is counted here added to it.
    """

    def __init__(
        self, doors: Mapping[str, Door], grouping: Grouping, clock: Clock, others: ASGIApp, meters: DoorMeters, most_bytes: int
    ) -> None:
        self._webhooks = _Webhooks(doors, grouping, clock, meters, most_bytes)
        self._others = others
        self._meters = meters
        self.most_bytes = most_bytes
        self.take = self._webhooks.take
        # By the whole address: whose plain requests `take` takes; the rest, handshakes too, comes by ASGI.
        self.direct = {(WEBHOOKS + name).encode(): name for name in doors if name not in self._webhooks.greeters}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Webhooks go straight to their door; there a path with more in it than a name is no connector's."""
        if scope["path"].startswith(WEBHOOKS):
            if scope["method"] == "POST":
                await self._webhooks.post(scope, receive, send)
            elif scope["method"] == "OPTIONS":
                await self._webhooks.options(scope, send)
            else:
                await say(send, Reply(405, b"POST it here.", {"allow": "POST"}))
        elif scope["path"] == "/metrics":
            await self._others(scope, receive, self._adding(send))
        else:
            await self._others(scope, receive, send)

    def _adding(self, send: Send) -> Send:
        """The same, with our counters at the end of a page that is one."""
        good = False

        async def add(message: Message) -> None:
            nonlocal good
            if message["type"] == "http.response.start":
                good = message["status"] == 200
                if good:
                    kept = [(name, value) for name, value in message["headers"] if name.lower() != b"content-length"]
                    message = {**message, "headers": kept}
            elif good and not message.get("more_body", False):
                message = {**message, "body": message.get("body", b"") + self._meters.page()}
            await send(message)

        return add


class _Webhooks:
    def __init__(self, doors: Mapping[str, Door], grouping: Grouping, clock: Clock, meters: DoorMeters, most_bytes: int) -> None:
        self._clock = clock
        self._doors = doors
        self._secrets = {name: door.settings.secrets for name, door in doors.items()}
        self._refused = meters.deliveries
        self._accepted = {name: meters.deliveries.labels(name, "accepted") for name in doors}
        self._duplicate = {name: meters.deliveries.labels(name, "duplicate") for name in doors}
        self.greeters: dict[str, Greets] = {}
        for name, door in doors.items():
            if isinstance(door.connector.webhook, Greets):
                self.greeters[name] = door.connector.webhook
        self._most_bytes = most_bytes
        self._grouping = grouping

    async def post(self, scope: Scope, receive: Receive, send: Send) -> None:
        """202 once the delivery is on disk; else what is wrong with it."""
        name: str = scope["path"][_FROM:]
        try:
            new = await self._accept(name, scope, receive)
        except Refusal as refusal:
            known = name if name in self._doors else "unknown"  # a stranger's word must not become a label
            self._refused.labels(known, refusal.outcome).inc()
            await say(send, refusal.reply)
            return
        except Greeted as greeted:
            await say(send, greeted.reply)
            return
        await say(send, self._reply(name, new))

    async def _accept(self, name: str, scope: Scope, receive: Receive) -> bool:
        webhook = self._webhook(name)
        headers = _headers(scope)
        if headers.get("content-encoding", "identity") != "identity":
            raise Refusal(415, "compressed", f"Send the body as it is, not as {headers['content-encoding'][:20]!r}.")
        query = _query(scope)
        body = await self._body(receive, headers.get("content-length", "0"))
        delivery = Delivery(name, headers, body, self._clock(), query)
        if name in self.greeters and (reply := await self._greet(name, "POST", delivery)) is not None:
            raise Greeted(reply)
        try:
            return await self._keep(webhook, delivery)
        except (Full, Unavailable) as error:
            raise _turned_away(error) from None

    def _keep(self, webhook: Webhook, delivery: Delivery) -> "asyncio.Future[bool]":
        """It is on its way to the disk. Raises Refusal or Full."""
        if secrets := self._secrets[delivery.connector]:
            try:
                webhook.verify(delivery, secrets)
            except BadSignature:
                raise Refusal(401, "bad signature", "The request does not prove who sent it.") from None
        if reason := fault(delivery.body):
            raise Refusal(400, "malformed", reason)
        headers, query = _harmless(delivery.headers), _harmless(delivery.query)
        kept = Delivery(delivery.connector, headers, delivery.body, delivery.received_at, query)
        return self._grouping.put(kept, webhook.delivery_id(delivery))

    def take(self, name: str, headers: Mapping[str, str], body: bytes, answer: Answer) -> None:
        """What `post` does for a plain request of one that is never greeted, without a task of its own."""
        try:
            keeping = self._keep(self._webhook(name), Delivery(name, headers, body, self._clock()))
        except (Refusal, Full) as error:
            answer(self._reply(name, error))
            return
        keeping.add_done_callback(lambda kept: answer(self._reply(name, _came_of(kept))))

    def _reply(self, name: str, came_of: bool | Exception) -> Reply:
        if isinstance(came_of, bool):
            (self._accepted if came_of else self._duplicate)[name].inc()
            return NEW if came_of else KNOWN
        refusal = came_of if isinstance(came_of, Refusal) else _turned_away(came_of)
        self._refused.labels(name, refusal.outcome).inc()
        return refusal.reply

    async def options(self, scope: Scope, send: Send) -> None:
        """What a vendor asks before it delivers anything, where its connector knows the question; nothing is kept."""
        name: str = scope["path"][_FROM:]
        delivery = Delivery(name, _headers(scope), b"", self._clock(), _query(scope))
        try:
            self._webhook(name)
            reply = await self._greet(name, "OPTIONS", delivery) if name in self.greeters else None
        except Refusal as refusal:
            reply = refusal.reply
        await say(send, reply or Reply(405, headers={"allow": "POST"}))

    async def _greet(self, name: str, method: str, delivery: Delivery) -> Reply | None:
        try:
            return await self.greeters[name].greet(method, delivery, self._secrets[name])
        except BadSignature:
            raise Refusal(401, "bad signature", "The request does not prove who sent it.") from None
        except BadPayload as error:
            raise Refusal(400, "malformed", str(error)) from None
        except Unavailable as error:
            raise _again("vendor away", f"{error} Please send it again.") from None

    def _webhook(self, name: str) -> Webhook:
        door = self._doors.get(name)
        if door is None or door.connector.webhook is None:
            there = ", ".join(sorted(n for n, d in self._doors.items() if d.connector.webhook)) or "none"
            raise Refusal(404, "unknown connector", f"There is no such connector; these take webhooks: {there}.")
        if not self._secrets[name] and not door.settings.allow_unsigned:
            raise Refusal(
                403,
                "no secret",
                f"No secret is configured for {name}. Set TOCSIN_{name.upper()}_SECRET, "
                f"or allow_unsigned = true under [connectors.{name}]. {door.connector.help}",
            )
        return door.connector.webhook

    async def _body(self, receive: Receive, length: str) -> bytes:
        if length.isdecimal() and (len(length) > 15 or int(length) > self._most_bytes):
            raise self._too_large()
        chunks: list[bytes] = []
        size = 0
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "cut off", "The connection ended before the body did.")
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > self._most_bytes:
                raise self._too_large()
            if not message.get("more_body", False):
                return b"".join([*chunks, chunk]) if chunks else chunk
            chunks.append(chunk)

    def _too_large(self) -> Refusal:
        return Refusal(413, "too large", f"The body is larger than {self._most_bytes} bytes.")


def _came_of(keeping: "asyncio.Future[bool]") -> bool | Exception:
    if keeping.cancelled():
        return Unavailable("The door closes.")
    error = keeping.exception()
    if error is None:
        return keeping.result()
    if isinstance(error, Exception):
        return error
    raise error


def _turned_away(error: Exception) -> Refusal:
    """What the sender of something that was not kept is told."""
    if isinstance(error, Full):
        return _again("inbox full", "The inbox is full. Nothing of this was kept; please send it again.")
    if isinstance(error, Unavailable):
        return _again("database away", "The database does not answer. Please send it again.")
    log.error("a delivery could not be kept", exc_info=error)
    return Refusal(500, "failed", "This could not be kept.")


def _again(outcome: str, reason: str) -> Refusal:
    return Refusal(503, outcome, reason, {"retry-after": "5"})


@lru_cache(maxsize=1024)
def _kept(name: str) -> bool:
    return not _NOT_KEPT.search(name)


def _harmless(pairs: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in pairs.items() if _kept(name)}


def _headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


def _query(scope: Scope) -> dict[str, str]:
    raw = scope["query_string"]
    return dict(parse_qsl(raw.decode("latin-1"))) if raw else {}


async def say(send: Send, reply: Reply) -> None:
    """Answer a request."""
    await send({"type": "http.response.start", "status": reply.status, "headers": headers_of(reply)})
    await send({"type": "http.response.body", "body": reply.body})


def headers_of(reply: Reply) -> list[tuple[bytes, bytes]]:
    """All that a reply says of itself."""
    kind = b"application/json" if reply.body[:1] == b"{" else b"text/plain; charset=utf-8"
    own = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers.items()]
    return [*own, (b"content-type", kind), (b"content-length", str(len(reply.body)).encode())]
