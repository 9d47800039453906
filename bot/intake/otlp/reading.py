"""A request of OTLP as the spans at the border of a service: protobuf or JSON, everything else in it is passed over.

Format: https://opentelemetry.io/docs/specs/otlp/ and opentelemetry/proto/trace/v1/trace.proto. In JSON, ids are hexadecimal,
64-bit numbers may be strings, and unknown fields are passed over.
"""

from collections.abc import Callable, Iterable, Iterator

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from bot.domain.calls import CallSpan, Side
from bot.domain.payload import scrubbed
from bot.errors import BadPayload
from bot.intake.otlp.peers import WANTED, peer_of

LONGEST = 100  # characters of a name
FAILED = 2  # the status code ERROR
_SIDES = {side.value: side for side in Side}
Pairs = Iterable[tuple[str, str]]


def read_protobuf(body: bytes) -> list[CallSpan]:
    """The spans of an ExportTraceServiceRequest. Raises BadPayload."""
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        raise BadPayload("this is no ExportTraceServiceRequest of OTLP") from None
    found: list[CallSpan] = []
    for resource in request.resource_spans:
        service = _service((a.key, a.value.string_value) for a in resource.resource.attributes)
        if not service:
            continue
        for scope in resource.scope_spans:
            for span in scope.spans:
                side = _SIDES.get(span.kind)
                if side is None or not span.span_id:
                    continue
                linked = span.links[0] if side is Side.CONSUMER and span.links else None
                trace, other = (linked.trace_id, linked.span_id) if linked else (span.trace_id, span.parent_span_id)
                ids = (trace.hex(), span.span_id.hex(), other.hex())
                pairs = ((a.key, a.value.string_value) for a in span.attributes) if side.calls else ()
                begins, ends = span.start_time_unix_nano, span.end_time_unix_nano
                found.append(_span(*ids, service, side, begins, ends, span.status.code == FAILED, pairs))
    return found


class _Value(msgspec.Struct, rename="camel"):
    string_value: str | None = ""


class _Attribute(msgspec.Struct):
    key: str = ""
    value: _Value | None = None


class _Link(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""


class _Status(msgspec.Struct):
    code: int | str = 0


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str | None = ""
    kind: int | str = 0
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: list[_Attribute] = []
    links: list[_Link] = []
    status: _Status | None = None


class _Scope(msgspec.Struct):
    spans: list[_Span] = []


class _Resource(msgspec.Struct):
    attributes: list[_Attribute] = []


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_Scope] = []


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] = []


_JSON = msgspec.json.Decoder(_Request)
_KINDS = {"SPAN_KIND_SERVER": 2, "SPAN_KIND_CLIENT": 3, "SPAN_KIND_PRODUCER": 4, "SPAN_KIND_CONSUMER": 5}  # some write names


def read_json(body: bytes) -> list[CallSpan]:
    """The spans of the same request in JSON. Raises BadPayload."""
    try:
        request = _JSON.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadPayload(f"this is no ExportTraceServiceRequest of OTLP in JSON: {str(error)[:150]}") from None
    found: list[CallSpan] = []
    for resource in request.resource_spans:
        service = _service(_pairs(resource.resource.attributes)) if resource.resource else ""
        for span in (s for scope in resource.scope_spans for s in scope.spans) if service else ():
            side = _SIDES.get(span.kind if isinstance(span.kind, int) else _KINDS.get(span.kind, 0))
            if side is None or not span.span_id:
                continue
            link = span.links[0] if side is Side.CONSUMER and span.links else _Link(span.trace_id, span.parent_span_id or "")
            begins, ends = _number(span.start_time_unix_nano), _number(span.end_time_unix_nano)
            failed = span.status is not None and span.status.code in (FAILED, "STATUS_CODE_ERROR")
            ids = (link.trace_id.lower()[:64], span.span_id.lower()[:32], link.span_id.lower()[:32])
            found.append(_span(*ids, service, side, begins, ends, failed, _pairs(span.attributes) if side.calls else ()))
    return found


def _pairs(attributes: Iterable[_Attribute]) -> Iterator[tuple[str, str]]:
    return ((a.key, a.value.string_value or "" if a.value else "") for a in attributes)


def _number(value: int | str) -> int:
    if isinstance(value, str):
        if not (value.isascii() and value.isdecimal() and len(value) <= 20):
            raise BadPayload(f"{value[:30]!r} is no time in nanoseconds")
        value = int(value)
    if not 0 <= value < 1 << 64:
        raise BadPayload("a time in nanoseconds has 64 bits and no sign")
    return value


def _service(pairs: Pairs) -> str:
    """The service of a resource; "" where nobody named it."""
    name = next((_plain(value) for key, value in pairs if key == "service.name"), "")
    return "" if name.startswith("unknown_service") else name


def _span(
    trace: str, span: str, other: str, service: str, side: Side, begins: int, ends: int, failed: bool, pairs: Pairs
) -> CallSpan:
    peer, outside = peer_of({key: _plain(value) for key, value in pairs if key in WANTED}) if side.calls else ("", False)
    return CallSpan(
        trace, span, other, service, side, begins / 1e9, max(0.0, (ends - begins) / 1e6), failed, peer[:LONGEST], outside
    )


def _plain(text: str) -> str:
    return " ".join(scrubbed(text[: 4 * LONGEST]).split())[:LONGEST]


Reader = Callable[[bytes], list[CallSpan]]
READERS: dict[str, Reader] = {"application/x-protobuf": read_protobuf, "application/json": read_json}
