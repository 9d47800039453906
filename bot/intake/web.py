"""The web door: webhooks are checked, kept durably and answered with 202; nothing is parsed here."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from bot.errors import BadSignature, Unavailable
from bot.flows.desk import Desk
from bot.intake.grouping import Full, Grouping
from bot.intake.meters import Meters
from bot.intake.screen import fault
from bot.ports import Connector, Delivery, WebhookSettings

MOST_BYTES = 1024 * 1024
MOST_WAITING = 20_000
# Proofs and credentials served their purpose when the delivery was verified; they are never kept.
_NOT_KEPT = re.compile(r"authori[sz]ation|cookie|signature|token|secret|api-?key|password", re.IGNORECASE)


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


def create_app(
    desk: Desk,
    doors: Mapping[str, Door],
    *,
    meters: Meters | None = None,
    limits: Limits | None = None,
    arrived: Callable[[], None] = lambda: None,
    probes: Mapping[str, Callable[[], bool]] | None = None,
) -> Starlette:
    """POST /webhooks/{connector}, GET /healthz, /readyz and /metrics.

    `arrived` is called after each commit of new deliveries; `probes` by name say whether a part of the bot works.
    """
    house = _House(desk, doors, meters or Meters(), limits or Limits(), arrived, dict(probes or {}))
    return Starlette(
        routes=[
            Route("/webhooks/{connector}", house.webhook, methods=["POST"]),
            Route("/healthz", house.healthz, methods=["GET"]),
            Route("/readyz", house.readyz, methods=["GET"]),
            Route("/metrics", house.metrics, methods=["GET"]),
        ]
    )


class _House:
    def __init__(
        self,
        desk: Desk,
        doors: Mapping[str, Door],
        meters: Meters,
        limits: Limits,
        arrived: Callable[[], None],
        probes: Mapping[str, Callable[[], bool]],
    ) -> None:
        self._desk = desk
        self._doors = doors
        self._meters = meters
        self._limits = limits
        self._probes = probes
        self._grouping = Grouping(desk, meters, limits.waiting, arrived)

    async def webhook(self, request: Request) -> Response:
        """202 once the delivery is on disk; else what is wrong with it."""
        name = request.path_params["connector"]
        try:
            door = self._door(name)
            new = await self._accept(door, request)
        except Refusal as refusal:
            known = name if name in self._doors else "unknown"  # a stranger's word must not become a label
            self._meters.deliveries.labels(known, refusal.outcome).inc()
            return _json(refusal.status, {"error": refusal.reason}, refusal.headers)
        self._meters.deliveries.labels(name, "accepted" if new else "duplicate").inc()
        return _json(202, {"accepted": 1} if new else {"accepted": 0, "duplicate": True})

    def _door(self, name: str) -> Door:
        door = self._doors.get(name)
        if door is None or door.connector.webhook is None:
            there = ", ".join(sorted(n for n, d in self._doors.items() if d.connector.webhook)) or "none"
            raise Refusal(404, "unknown connector", f"There is no such connector; these take webhooks: {there}.")
        if not door.settings.secrets and not door.settings.allow_unsigned:
            raise Refusal(
                403,
                "no secret",
                f"No secret is configured for {name}. Set TOCSIN_{name.upper()}_SECRET, "
                f"or allow_unsigned = true under [connectors.{name}].",
            )
        return door

    async def _accept(self, door: Door, request: Request) -> bool:
        webhook = door.connector.webhook
        assert webhook is not None  # noqa: S101  _door saw to it
        delivery = Delivery(
            connector=door.connector.name,
            headers=dict(request.headers),
            body=await self._body(request),
            received_at=self._desk.clock(),
            query=dict(request.query_params),
        )
        if door.settings.secrets:
            try:
                webhook.verify(delivery, door.settings.secrets)
            except BadSignature:
                raise Refusal(401, "bad signature", "The request does not prove who sent it.") from None
        if reason := fault(delivery.body):
            raise Refusal(400, "malformed", reason)
        kept = Delivery(
            delivery.connector,
            _harmless(delivery.headers),
            delivery.body,
            delivery.received_at,
            _harmless(delivery.query),
        )
        try:
            return await self._grouping.keep(kept, webhook.delivery_id(delivery))
        except Full:
            reason = "The inbox is full. Nothing of this was kept; please send it again."
            raise Refusal(503, "inbox full", reason, {"retry-after": "5"}) from None
        except Unavailable:
            reason = "The database does not answer. Please send it again."
            raise Refusal(503, "database away", reason, {"retry-after": "5"}) from None

    async def _body(self, request: Request) -> bytes:
        limit = self._limits.bytes
        too_large = Refusal(413, "too large", f"The body is larger than {limit} bytes.")
        length = request.headers.get("content-length", "0")
        if length.isdecimal() and int(length) > limit:
            raise too_large
        chunks, size = [], 0
        try:
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    raise too_large
                chunks.append(chunk)
        except ClientDisconnect:
            raise Refusal(400, "cut off", "The connection ended before the body did.") from None
        return b"".join(chunks)

    async def healthz(self, _request: Request) -> Response:
        """The process answers."""
        return _json(200, {"status": "ok"})

    async def readyz(self, _request: Request) -> Response:
        """Every part works, or which do not."""
        failing = [name for name, works in self._probes.items() if not works()]
        try:
            self._meters.waiting.set(await self._desk.db.read(self._desk.inbox.waiting))
        except Unavailable:
            failing.append("database")
        if failing:
            return _json(503, {"status": "not ready", "failing": sorted(failing)})
        return _json(200, {"status": "ready"})

    async def metrics(self, _request: Request) -> Response:
        """Counters in the text format of Prometheus."""
        return Response(self._meters.page(), media_type="text/plain; version=0.0.4; charset=utf-8")


def _harmless(pairs: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in pairs.items() if not _NOT_KEPT.search(name)}


def _json(status: int, content: Mapping[str, object], headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(content), status, headers, "application/json")
