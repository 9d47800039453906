"""The port for spans: POST /v1/traces with a bearer token; what cannot be taken in now is to be sent again later.

Statuses as https://opentelemetry.io/docs/specs/otlp/#otlphttp-response says: 200 with what was rejected, 400 for what is
malformed, 429 and 503 with Retry-After; failures carry a google.rpc.Status in the kind that was sent.
"""

import asyncio
import hmac
import json
import zlib
from collections.abc import Callable

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from starlette.types import Receive, Scope, Send

from bot.errors import BadPayload
from bot.intake.otlp.reading import READERS
from bot.topology.pairing import Missed, Pairing

PATH = "/v1/traces"
MOST_WIRE = 4 * 1024 * 1024  # bytes of a body as it comes
MOST_PLAIN = 16 * 1024 * 1024  # bytes of a body that was packed
MOST_AT_ONCE = 16  # requests whose body is being read
PATIENCE = 10.0  # seconds for a body
AGAIN = b"5"  # seconds
PROTOBUF, JSON = "application/x-protobuf", "application/json"


class Refused(Exception):
    """A request that is not taken in: the status, and the sentence for the sender."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class SpanDoor:
    """An ASGI app. `token` "" lets everybody in; `behind` says that what was counted cannot be told at the moment."""

    def __init__(
        self, token: str, pairing: Pairing, clock: Callable[[], float], behind: Callable[[], bool] = lambda: False
    ) -> None:
        self._proof = b"Bearer " + token.encode() if token else b""
        self._pairing = pairing
        self._clock = clock
        self._behind = behind
        self._in_hand = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        headers = {name: value for name, value in scope["headers"]}
        kind = headers.get(b"content-type", b"").split(b";")[0].strip().lower().decode("latin-1")
        try:
            missed = await self._taken(scope, headers, kind, receive)
        except Refused as refused:
            await _answer(send, refused.status, kind, _status(kind, str(refused)))
            return
        await _answer(send, 200, kind, _response(kind, missed))

    async def _taken(self, scope: Scope, headers: dict[bytes, bytes], kind: str, receive: Receive) -> Missed:
        if scope["path"].rstrip("/") != PATH:
            raise Refused(404, f"Only spans are received here, at {PATH}.")
        if scope["method"] != "POST":
            raise Refused(405, f"POST spans to {PATH}.")
        if self._proof and not hmac.compare_digest(headers.get(b"authorization", b""), self._proof):
            raise Refused(
                401, "The header Authorization: Bearer TOKEN is missing or wrong; TOCSIN_TOPOLOGY_OTLP_TOKEN is the token."
            )
        if kind not in READERS:
            raise Refused(415, f"Send {PROTOBUF} or {JSON}.")
        packed = headers.get(b"content-encoding", b"identity").strip().lower()
        if packed not in (b"", b"identity", b"gzip"):
            raise Refused(415, "Send the body as it is, or packed with gzip.")
        if self._in_hand >= MOST_AT_ONCE:
            raise Refused(429, "Too many requests are in hand; please send it again.")
        if self._pairing.full or self._behind():
            raise Refused(503, "What was counted has not been kept yet; please send it again.")
        self._in_hand += 1
        try:
            body = await self._body(receive, headers.get(b"content-length", b"0"))
        finally:
            self._in_hand -= 1
        try:
            return self._pairing.add(READERS[kind](unpacked(body) if packed == b"gzip" else body), self._clock())
        except BadPayload as error:
            raise Refused(400, str(error)) from None

    async def _body(self, receive: Receive, length: bytes) -> bytes:
        if length.isdigit() and (len(length) > 15 or int(length) > MOST_WIRE):
            raise Refused(413, f"The body is larger than {MOST_WIRE} bytes; send smaller batches.")
        chunks, size, more = [], 0, True
        try:
            async with asyncio.timeout(PATIENCE):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Refused(400, "The connection ended before the body did.")
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    size += len(chunk)
                    if size > MOST_WIRE:
                        raise Refused(413, f"The body is larger than {MOST_WIRE} bytes; send smaller batches.")
                    chunks.append(chunk)
        except TimeoutError:
            raise Refused(408, f"The body did not come within {PATIENCE:.0f} s.") from None
        return b"".join(chunks)


def unpacked(body: bytes) -> bytes:
    """What was packed with gzip in one piece, as far as it stays within bounds. Raises Refused."""
    packed = zlib.decompressobj(wbits=31)
    try:
        plain = packed.decompress(body, MOST_PLAIN + 1)
    except zlib.error:
        raise Refused(400, "The body is not packed with gzip, as its header says.") from None
    if len(plain) > MOST_PLAIN:
        raise Refused(413, f"The body is larger than {MOST_PLAIN} bytes once it is unpacked; send smaller batches.")
    if not packed.eof or packed.unused_data:
        raise Refused(400, "The packed body ends too early, or is not one piece.")
    return plain


def _response(kind: str, missed: Missed) -> bytes:
    rejected, reason = missed.late + missed.no_room, missed.reason
    if kind == JSON:
        said = {"partialSuccess": {"rejectedSpans": str(rejected), "errorMessage": reason}} if rejected else {}
        return json.dumps(said).encode()
    answer = ExportTraceServiceResponse()
    if rejected:
        answer.partial_success.rejected_spans = rejected
        answer.partial_success.error_message = reason
    return bytes(answer.SerializeToString())


def _status(kind: str, message: str) -> bytes:
    """A google.rpc.Status with nothing but its message, which is its field 2."""
    if kind != PROTOBUF:
        return json.dumps({"message": message}).encode()
    text = message.encode()[:2000]
    size = bytes([len(text)]) if len(text) < 128 else bytes([len(text) & 127 | 128, len(text) >> 7])
    return b"\x12" + size + text


async def _answer(send: Send, status: int, kind: str, body: bytes) -> None:
    told = PROTOBUF if kind == PROTOBUF else JSON
    headers = [(b"content-type", told.encode()), (b"content-length", str(len(body)).encode())]
    if status in (429, 503):
        headers.append((b"retry-after", AGAIN))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if status == 405:
        headers.append((b"allow", b"POST"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
