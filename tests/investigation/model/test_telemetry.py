"""What a collector of OpenTelemetry gets, decoded: what left for the model, nothing else, and never at the cost of time."""

import importlib.util
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

pytest.importorskip("openinference.instrumentation.langchain", reason="the extra `otel` is not installed")

from bot.demo.standin.scripted import Call, Scripted, in_turn
from bot.demo.standin.server import standin
from bot.errors import BadSettings, Unavailable
from bot.investigation.model.telemetry import SPAN, Telemetry
from bot.settings import load
from bot.wiring import telemetry_of
from tests.investigation.model.collector import a_collector, attributes
from tests.investigation.model.room import a_model, able, asking
from tests.investigation.model.test_agent import Looks

ABOUT = {"incident": "INC-42", "interaction": "0193-aa", "feature": ""}
PERSON, SECRET = "jane.doe@example.com", "ghp_0123456789abcdefghijABCDEFGHIJ012345"


@pytest.fixture(autouse=True)
def _sends_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.investigation.model.telemetry._SEND_EVERY", 50)


@contextmanager
def opened(url: str, headers: str = "") -> Iterator[Telemetry]:
    telemetry = Telemetry(url, headers, version="test")
    try:
        yield telemetry
    finally:
        telemetry.close()


async def test_an_interaction_is_a_span_with_its_model_calls_below_it() -> None:
    with a_collector() as collector, opened(collector.url, "authorization=Bearer abc, x-scope=tocsin") as telemetry:
        async with standin(able(lambda _: Scripted("Cart broke, said [EMAIL_1]."))) as server:
            model = telemetry.traced(a_model(server.url))
            reply = await model.ask(replace(asking(f"Who saw it? {PERSON} with {SECRET}"), about=ABOUT))
        whole = collector.wait(SPAN)
        told = attributes(whole)
        assert (told["tocsin.incident"], told["tocsin.interaction"], told["tocsin.prompt"]) == ("INC-42", "0193-aa", "test@1")
        assert told["gen_ai.usage.input_tokens"] == reply.tokens_in > 0
        (call,) = [s for s in collector.spans if s.parent_span_id == whole.span_id]
        assert call.trace_id == whole.trace_id
        of_call = attributes(call)
        assert of_call["openinference.span.kind"] == "LLM"
        assert of_call["llm.input_messages.1.message.content"] == "Who saw it? [EMAIL_1] with [SECRET]"
        assert of_call["gen_ai.operation.name"] == "chat"
        assert "[EMAIL_1]" in of_call["gen_ai.input.messages"]
        assert (collector.headers[0]["authorization"], collector.headers[0]["x-scope"]) == ("Bearer abc", "tocsin")
        resource = {a.key: a.value.string_value for a in collector.requests[0].resource_spans[0].resource.attributes}
        assert resource == {"service.name": "tocsin", "service.version": "test"}
    assert reply.text == f"Cart broke, said {PERSON}."
    assert PERSON.encode() not in collector.raw
    assert SECRET.encode() not in collector.raw


@pytest.mark.slow
@pytest.mark.parametrize("answer", [f"3 errors, reported by {PERSON}", Unavailable(f"Loki refused {PERSON} with {SECRET}")])
async def test_tools_and_their_failures_are_exported_as_the_model_saw_them(answer: str | Exception) -> None:
    replies = in_turn(Scripted(calls=(Call("log_lines", {"service": "cart"}),)), Scripted("[EMAIL_1] saw it."))
    with a_collector() as collector, opened(collector.url) as telemetry:
        async with standin(able(replies)) as server:
            model = telemetry.traced(a_model(server.url, small=False))
            await model.ask(replace(asking(tools=(Looks(answer).tool,)), about=ABOUT))
        whole = collector.wait(SPAN)
        collector.until(lambda s: attributes(s).get("openinference.span.kind") == "TOOL")
        looks = [s for s in collector.spans if attributes(s).get("openinference.span.kind") == "TOOL"]
        assert [attributes(s)["tool.name"] for s in looks] == ["log_lines"]
        assert {s.trace_id for s in collector.spans} == {whole.trace_id}
    assert PERSON.encode() not in collector.raw
    assert SECRET.encode() not in collector.raw


async def test_of_an_error_only_its_kind_is_told() -> None:
    with a_collector() as collector, opened(collector.url) as telemetry:
        tracer = telemetry.tracer()
        with pytest.raises(ValueError), tracer.start_as_current_span("it broke", attributes={"a": SECRET, "b": [SECRET, "fine"]}):
            raise ValueError(f"{PERSON} was refused with {SECRET}")
        span = collector.wait("it broke")
    (event,) = span.events
    assert [(a.key, a.value.string_value) for a in event.attributes] == [("exception.type", "ValueError")]
    assert attributes(span) == {"a": "[SECRET]", "b": ["[SECRET]", "fine"]}
    assert span.status.message == ""
    assert PERSON.encode() not in collector.raw


@contextmanager
def nobody() -> Iterator[str]:
    """An address that refuses connections."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{held.getsockname()[1]}"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["slow", "refusing", "down"])
async def test_a_collector_that_is_slow_or_down_costs_no_time(kind: str) -> None:
    bad = {"slow": lambda: a_collector(slow=60.0), "refusing": lambda: a_collector(status=503), "down": nobody}[kind]()
    with bad as collector:
        telemetry = Telemetry(collector if isinstance(collector, str) else collector.url, version="test")
        async with standin(able(lambda _: Scripted("Cart broke."))) as server:
            plain, traced = a_model(server.url), telemetry.traced(a_model(server.url))
            await plain.ask(asking())
            await traced.ask(asking())  # LangChain and the SDK are loaded now
            time.sleep(0.3)  # the first spans are being sent, in vain
            began = time.monotonic()
            for _ in range(5):
                assert (await traced.ask(asking())).text == "Cart broke."
            asked = time.monotonic() - began
            began = time.monotonic()
            telemetry.close()
            closed = time.monotonic() - began
    assert asked < 2.0
    assert closed < 3.0


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "grpc://127.0.0.1:4317", "http://", "http://me:pass@127.0.0.1"])
def test_an_address_that_cannot_be_is_refused_with_a_good_one(endpoint: str) -> None:
    with pytest.raises(BadSettings, match=r"A good value: http://127\.0\.0\.1:4318") as refused:
        Telemetry(endpoint, version="test")
    assert "pass" not in str(refused.value)


@pytest.mark.parametrize("headers", ["authorization", "a b=c", "a:b=c"])
def test_headers_that_cannot_be_are_refused_without_telling_them(headers: str) -> None:
    with pytest.raises(BadSettings, match="A good value: authorization=Bearer abc") as refused:
        Telemetry("http://127.0.0.1:4318", f"x=a-secret,{headers}", version="test")
    assert "a-secret" not in str(refused.value)
    assert "a-secret" not in repr(Telemetry("http://127.0.0.1:4318", "x=a-secret", version="test"))


def test_without_the_packages_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    found = importlib.util.find_spec

    def absent(name: str, package: str | None = None) -> ModuleSpec | None:
        return None if name.startswith("openinference") else found(name, package)

    monkeypatch.setattr("bot.investigation.model.telemetry.find_spec", absent)
    with pytest.raises(BadSettings, match=r"pip install 'tocsin\[otel\]'"):
        Telemetry("http://127.0.0.1:4318", version="test")


def test_settings_switch_it_on_and_keep_its_headers_to_themselves(tmp_path: Path) -> None:
    assert telemetry_of(load({}, tmp_path)) is None
    environ = {
        "TOCSIN_TELEMETRY_OTLP_ENDPOINT": "http://127.0.0.1:4318/",
        "TOCSIN_TELEMETRY_OTLP_HEADERS": "authorization=a-secret",
    }
    settings = load(environ, tmp_path)
    assert repr(telemetry_of(settings)) == "Telemetry('http://127.0.0.1:4318/v1/traces')"
    assert "a-secret" not in repr(settings)
