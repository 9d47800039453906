"""An OTLP collector on this machine: decodes what is sent to /v1/traces with opentelemetry-proto, or is slow, or says no."""

import gzip
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What arrived; `url` is its base address. With `slow` it never answers in time, with `status` it refuses."""

    def __init__(self, *, slow: float = 0.0, status: int = 200) -> None:
        self.slow, self.status = slow, status
        self.requests: list[ExportTraceServiceRequest] = []
        self.headers: list[dict[str, str]] = []
        self.raw = b""
        self.ended = threading.Event()
        self.url = ""

    @property
    def spans(self) -> list[Span]:
        """All spans, in the order of arrival."""
        return [s for r in self.requests for resource in r.resource_spans for scope in resource.scope_spans for s in scope.spans]

    def named(self, name: str) -> Span:
        """The one span of this name."""
        (span,) = [s for s in self.spans if s.name == name]
        return span

    def wait(self, name: str, seconds: float = 30.0) -> Span:
        """The span of this name once it has arrived."""
        self.until(lambda s: s.name == name, seconds)
        return self.named(name)

    def until(self, such: Callable[[Span], bool], seconds: float = 30.0) -> None:
        """A span like this has arrived; the others may come before or after it."""
        end = time.monotonic() + seconds
        while not any(such(s) for s in self.spans):
            assert time.monotonic() < end, f"no such span within {seconds} s; there are {[s.name for s in self.spans]}"
            time.sleep(0.02)


def attributes(span: Span) -> dict[str, Any]:
    """A span's attributes as plain values."""
    return {a.key: _plain(a.value) for a in span.attributes}


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    return [_plain(v) for v in value.array_value.values] if kind == "array_value" else getattr(value, kind or "string_value")


@contextmanager
def a_collector(*, slow: float = 0.0, status: int = 200) -> Iterator[Collector]:
    """A running collector, which ends with the block."""
    collector = Collector(slow=slow, status=status)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if collector.slow:
                collector.ended.wait(collector.slow)
            plain = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
            if self.path == "/v1/traces" and self.headers["content-type"] == "application/x-protobuf":
                collector.raw += plain
                collector.headers.append({k.lower(): v for k, v in self.headers.items()})
                collector.requests.append(ExportTraceServiceRequest.FromString(plain))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(collector.status)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collector.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield collector
    finally:
        collector.ended.set()
        server.shutdown()
        server.server_close()
        thread.join()
