"""Questions to a model as OpenTelemetry spans, for whoever runs a collector; off unless an endpoint is set.

Two things are exported: one span per interaction, made here, and below it the spans that openinference makes of what
LangChain does. LangChain only ever sees texts that have passed the veil, so the spans hold what left the building and no
more; texts of errors, which may quote anything, are left out, and every other text is searched for secrets once more.
Sending is done by the SDK's own thread from a bounded queue: a collector that is slow or gone costs spans, never time.
"""

import asyncio
import threading
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from bot.domain.conversation import Abilities, Reply
from bot.errors import BadSettings
from bot.ports import Listener, Model, ModelRequest
from bot.redact import redact

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
    from opentelemetry.trace import Tracer

PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http", "openinference.instrumentation.langchain")
SPAN = "tocsin.interaction"
_PATH = "/v1/traces"
_SEND_WITHIN = 5.0  # seconds for one request, in a thread that nobody waits for
_SEND_EVERY = 1000  # milliseconds
_LAST_WORDS = 2.0  # seconds that closing waits for spans to leave


class Telemetry:
    """The way to one collector. Raises BadSettings for an address or a header that cannot be, and without the packages."""

    def __init__(self, endpoint: str, headers: str = "", *, version: str) -> None:
        self._endpoint = _traces(endpoint)
        self._headers = _pairs(headers)
        self._version = version
        missing = [name for name in PACKAGES if not _installed(name)]
        if missing:
            raise BadSettings(
                f"telemetry.otlp_endpoint needs {missing[0]}, which is not installed. Do: pip install 'tocsin[otel]'"
            )
        self._opening = threading.Lock()
        self._open: tuple[TracerProvider, Tracer] | None = None

    def __repr__(self) -> str:
        return f"Telemetry({self._endpoint!r})"

    def traced(self, model: Model) -> Model:
        """The same model, whose questions are spans."""
        return _Traced(model, self)

    def tracer(self) -> "Tracer":
        """Opens at the first question, since LangChain and the SDK take their time to load; blocks."""
        with self._opening:
            if self._open is None:
                self._open = self._opened()
            return self._open[1]

    def close(self) -> None:
        """What waits is sent within two seconds or given up."""
        with self._opening:
            if self._open is None:
                return
            from openinference.instrumentation.langchain import LangChainInstrumentor  # loaded already

            provider, self._open = self._open[0], None
            LangChainInstrumentor().uninstrument()
            last = threading.Thread(target=provider.shutdown, name="telemetry-close", daemon=True)
            last.start()
            last.join(_LAST_WORDS)

    def _opened(self) -> "tuple[TracerProvider, Tracer]":
        from openinference.instrumentation import TraceConfig  # slow, and only there with the extra `otel`
        from openinference.instrumentation.langchain import LangChainInstrumentor
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ALWAYS_ON

        resource = Resource({"service.name": "tocsin", "service.version": self._version})
        exporter: Any = _Clean(OTLPSpanExporter(self._endpoint, headers=self._headers, timeout=_SEND_WITHIN))
        provider = TracerProvider(sampler=ALWAYS_ON, resource=resource, shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=_SEND_EVERY))
        LangChainInstrumentor().instrument(tracer_provider=provider, config=TraceConfig(enable_genai_semconv=True))
        return provider, provider.get_tracer("tocsin", self._version)


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # not even its parent is there
        return False


def _traces(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise BadSettings("telemetry.otlp_endpoint: not an address of http or https. A good value: http://127.0.0.1:4318")
    bare = endpoint.rstrip("/")
    return bare if bare.endswith(_PATH) else bare + _PATH


def _pairs(headers: str) -> dict[str, str]:
    found = {}
    for pair in filter(None, (part.strip() for part in headers.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip().isascii() or any(c in name.strip() for c in " :\r\n"):
            raise BadSettings("telemetry.otlp_headers: not a list of headers. A good value: authorization=Bearer abc,other=x")
        found[name.strip().lower()] = value.strip()
    return found


class _Traced:
    """ports.Model whose questions are spans."""

    def __init__(self, model: Model, telemetry: Telemetry) -> None:
        self.name = model.name
        self._model = model
        self._telemetry = telemetry

    async def abilities(self) -> Abilities:
        """What it can do."""
        return await self._model.abilities()

    async def ask(self, request: ModelRequest, listener: Listener | None = None) -> Reply:
        """The answer, with a span of its own that the spans of its calls lie below."""
        tracer = await asyncio.to_thread(self._telemetry.tracer)
        about = {f"tocsin.{name}": value for name, value in request.about.items() if value}
        asked = {
            "openinference.span.kind": "CHAIN",
            "gen_ai.request.model": self.name,
            "tocsin.prompt": f"{request.prompt.id}@{request.prompt.version}",
        }
        with tracer.start_as_current_span(SPAN, attributes=about | asked, record_exception=False) as span:
            reply = await self._model.ask(request, listener)
            span.set_attributes(_measured(reply))
        return reply


def _measured(reply: Reply) -> dict[str, str | int | float | bool]:
    return {
        "gen_ai.response.model": reply.model_answered,
        "gen_ai.usage.input_tokens": reply.tokens_in,
        "gen_ai.usage.output_tokens": reply.tokens_out,
        "tocsin.calls": reply.calls,
        "tocsin.cost_usd": reply.cost,
        "tocsin.cost_known": reply.cost_known,
        "tocsin.failure": reply.failure.value if reply.failure else "",
    }


class _Clean:
    """An exporter before the exporter: no text of an error, no secret."""

    def __init__(self, then: "SpanExporter") -> None:
        self._then = then

    def export(self, spans: "Sequence[ReadableSpan]") -> "SpanExportResult":
        return self._then.export([_clean(span) for span in spans])

    def shutdown(self) -> None:
        self._then.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._then.force_flush(timeout_millis)


def _clean(span: "ReadableSpan") -> "ReadableSpan":
    from opentelemetry.sdk.trace import Event, ReadableSpan  # loaded already
    from opentelemetry.trace import Status

    kinds = [{"exception.type": str((event.attributes or {}).get("exception.type", ""))} for event in span.events]
    return ReadableSpan(
        name=span.name,
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_without_secrets(span.attributes or {}),
        events=[Event(event.name, kind, event.timestamp) for event, kind in zip(span.events, kinds, strict=True)],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _without_secrets(attributes: Mapping[str, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = {}
    for name, value in attributes.items():
        if isinstance(value, str):
            clean[name] = redact(value)
        elif isinstance(value, Sequence):
            clean[name] = [redact(item) if isinstance(item, str) else item for item in value]
        else:
            clean[name] = value
    return clean
