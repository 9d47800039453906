"""The web door: webhooks are checked, kept durably and answered with 202; nothing is parsed here."""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import parse_qsl

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from bot.errors import BadPayload, BadSignature, Unavailable
from bot.flows.desk import Desk
from bot.intake.grouping import Full, Grouping
from bot.intake.meters import Meters
from bot.intake.screen import fault
from bot.ports import Connector, Delivery, Greets, Reply, Webhook, WebhookSettings

MOST_BYTES = 1024 * 1024
MOST_WAITING = 50_000
WEBHOOKS = "/webhooks/"
PROBE = 3.0  # seconds that the database has to answer `/readyz`
# Proofs and credentials served their purpose when the delivery was verified; they are never kept.
_NOT_KEPT = re.compile(r"authori[sz]ation|cookie|signature|token|secret|api-?key|password", re.IGNORECASE)

_NEW_BODY, _KNOWN_BODY = b'{"accepted":1}', b'{"accepted":0}'  # of one length, so that one head fits both
_START = {
    "type": "http.response.start",
    "status": 202,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"14")],
}
_NEW = {"type": "http.response.body", "body": _NEW_BODY}
_KNOWN = {"type": "http.response.body", "body": _KNOWN_BODY}


@dataclass(frozen=True, slots=True)
class Door:
    """A connector whose webhooks are let in, and the secrets that prove them."""

    connector: Connector
    settings: WebhookSettings


@dataclass(slots=True)
class Limits:
    """What the door bears: bytes of one body, parcels that wait."""

    bytes: int = MOST_BYTES
    waiting: int = MOST_WAITING


class Refusal(Exception):
    """A request that is not let in: the status, the word that is counted, the sentence for the sender."""

    def __init__(self, status: int, outcome: str, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.outcome = outcome
        self.reason = reason
        self.headers = headers


class Greeted(Exception):
    """A request that was a handshake: there is a reply and nothing to keep."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.status)
        self.reply = reply


def create_app(
    desk: Desk,
    doors: Mapping[str, Door],
    *,
    meters: Meters | None = None,
    limits: Limits | None = None,
    arrived: Callable[[int], None] = lambda _: None,
    probes: Mapping[str, Callable[[], bool]] | None = None,
) -> Starlette:
    """POST /webhooks/{connector}, GET /healthz, /readyz and /metrics.

    `arrived` is told after each commit how many new deliveries it kept; `probes` by name say whether a part of the bot works.
    """
    meters, limits = meters or Meters(), limits or Limits()
    house = _House(desk, meters, dict(probes or {}))
    webhooks = _Webhooks(desk, doors, meters, limits, Grouping(desk, meters, limits.waiting, arrived))
    return _Pages(
        webhooks,
        routes=[
            Route("/webhooks/{connector}", webhooks.options, methods=["OPTIONS"]),
            Route("/healthz", house.healthz, methods=["GET"]),
            Route("/readyz", house.readyz, methods=["GET"]),
            Route("/metrics", house.metrics, methods=["GET"]),
        ],
    )


class _Pages(Starlette):
    """Every page but the one that counts, which its wrappers and its search for the route would make half as fast."""

    def __init__(self, webhooks: "_Webhooks", routes: list[Route]) -> None:
        super().__init__(routes=[*routes, Route(f"{WEBHOOKS}{{connector}}", webhooks, methods=["POST"])])
        self._webhooks = webhooks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Webhooks go straight to their door; there a path with more in it than a name is no connector's."""
        if scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(WEBHOOKS):
            await self._webhooks(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _Webhooks:
    """POST /webhooks/{connector}, spoken in plain ASGI: half of a request's time would go into wrappers otherwise."""

    def __init__(self, desk: Desk, doors: Mapping[str, Door], meters: Meters, limits: Limits, grouping: Grouping) -> None:
        self._clock = desk.clock
        self._doors = doors
        self._secrets = {name: door.settings.secrets for name, door in doors.items()}
        self._refused = meters.deliveries
        self._accepted = {name: meters.deliveries.labels(name, "accepted") for name in doors}
        self._duplicate = {name: meters.deliveries.labels(name, "duplicate") for name in doors}
        self._greeters: dict[str, Greets] = {}
        for name, door in doors.items():
            if isinstance(door.connector.webhook, Greets):
                self._greeters[name] = door.connector.webhook
        self._most_bytes = limits.bytes
        self._grouping = grouping

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """202 once the delivery is on disk; else what is wrong with it."""
        name: str = scope["path"][len(WEBHOOKS) :]
        try:
            new = await self._accept(name, scope, receive)
        except Refusal as refusal:
            known = name if name in self._doors else "unknown"  # a stranger's word must not become a label
            self._refused.labels(known, refusal.outcome).inc()
            await _json(refusal.status, {"error": refusal.reason}, refusal.headers)(scope, receive, send)
            return
        except Greeted as greeted:
            await _response(greeted.reply)(scope, receive, send)
            return
        (self._accepted if new else self._duplicate)[name].inc()
        await send(_START)
        await send(_NEW if new else _KNOWN)

    async def _accept(self, name: str, scope: Scope, receive: Receive) -> bool:
        webhook = self._webhook(name)
        headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        if headers.get("content-encoding", "identity") != "identity":
            raise Refusal(415, "compressed", f"Send the body as it is, not as {headers['content-encoding'][:20]!r}.")
        query = dict(parse_qsl(raw.decode("latin-1"))) if (raw := scope["query_string"]) else {}
        body = await self._body(receive, headers.get("content-length", "0"))
        delivery = Delivery(name, headers, body, self._clock(), query)
        if name in self._greeters and (reply := await self._greet(name, "POST", delivery)) is not None:
            raise Greeted(reply)
        if self._secrets[name]:
            try:
                webhook.verify(delivery, self._secrets[name])
            except BadSignature:
                raise Refusal(401, "bad signature", "The request does not prove who sent it.") from None
        if reason := fault(body):
            raise Refusal(400, "malformed", reason)
        kept = Delivery(name, _harmless(headers), body, delivery.received_at, _harmless(query))
        try:
            return await self._grouping.keep(kept, webhook.delivery_id(delivery))
        except Full:
            raise _again("inbox full", "The inbox is full. Nothing of this was kept; please send it again.") from None
        except Unavailable:
            raise _again("database away", "The database does not answer. Please send it again.") from None

    async def options(self, request: Request) -> Response:
        """What a vendor asks before it delivers anything, where its connector knows the question; nothing is kept."""
        name: str = request.path_params["connector"]
        delivery = Delivery(name, dict(request.headers), b"", self._clock(), dict(request.query_params))
        try:
            self._webhook(name)
            reply = await self._greet(name, "OPTIONS", delivery) if name in self._greeters else None
        except Refusal as refusal:
            return _json(refusal.status, {"error": refusal.reason}, refusal.headers)
        return _response(reply or Reply(405, headers={"allow": "POST"}))

    async def _greet(self, name: str, method: str, delivery: Delivery) -> Reply | None:
        try:
            return await self._greeters[name].greet(method, delivery, self._secrets[name])
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
        too_large = Refusal(413, "too large", f"The body is larger than {self._most_bytes} bytes.")
        if length.isdecimal() and (len(length) > 15 or int(length) > self._most_bytes):
            raise too_large
        chunks, size, more = [], 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refusal(400, "cut off", "The connection ended before the body did.")
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if size > self._most_bytes:
                raise too_large
            chunks.append(chunk)
        return b"".join(chunks)


class _House:
    def __init__(self, desk: Desk, meters: Meters, probes: Mapping[str, Callable[[], bool]]) -> None:
        self._desk = desk
        self._meters = meters
        self._probes = probes

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return _json(200, {"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """Every part works, or which do not."""
        failing = [name for name, works in self._probes.items() if not works()]
        try:
            async with asyncio.timeout(PROBE):
                self._meters.waiting.set(await self._desk.db.read(self._desk.inbox.waiting))
        except (Unavailable, TimeoutError):
            failing.append("database")
        if failing:
            return _json(503, {"status": "not ready", "failing": sorted(failing)})
        return _json(200, {"status": "ready"})

    async def metrics(self, _request: Request) -> Response:
        """Counters in the text format of Prometheus."""
        return Response(self._meters.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _again(outcome: str, reason: str) -> Refusal:
    return Refusal(503, outcome, reason, {"retry-after": "5"})


@lru_cache(maxsize=1024)
def _kept(name: str) -> bool:
    return not _NOT_KEPT.search(name)


def _harmless(pairs: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in pairs.items() if _kept(name)}


def _response(reply: Reply) -> Response:
    kind = "application/json" if reply.body[:1] == b"{" else "text/plain"
    return Response(reply.body, reply.status, dict(reply.headers), kind)


def _json(status: int, content: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, "application/json")
