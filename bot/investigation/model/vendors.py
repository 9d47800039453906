"""One chat client per vendor, and how each keeps to a length and to a form."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx
from langchain.chat_models import init_chat_model
from langchain_core.exceptions import LangChainException
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage
from langchain_core.runnables import Runnable
from pydantic import SecretStr

from bot.domain.conversation import Failure
from bot.investigation.model.faults import Fault, fault_of
from bot.investigation.model.names import Named

# What a vendor's package raises for its vendor's faults; wrong types are what an odd answer does to its parser.
FAULTS = (LangChainException, httpx.HTTPError, httpx.InvalidURL, OSError, ValueError, LookupError, TypeError, AttributeError)
FORM = "answer"  # how the form is called towards the vendor
Json = dict[str, Any]  # Any: LangChain's own type of a JSON schema
MOST_BYTES = 4_000_000  # of one HTTP answer; the longest that we ask for has a tenth of it
_LISTING = 5.0  # seconds that a server has to list its models
_PLAIN = {"Accept-Encoding": "identity"}  # what is not packed cannot unfold beyond MOST_BYTES


@dataclass(slots=True)
class Chat:
    """An open client. `no_schema` is set once a server refused a form that it had promised to keep to."""

    named: Named
    model: str
    client: BaseChatModel
    key: str = field(repr=False)
    errors: tuple[type[Exception], ...] = FAULTS
    no_schema: bool = False

    @property
    def profile(self) -> Mapping[str, object]:
        """What LangChain's tables say of this model; empty for models they do not know."""
        return dict(self.client.profile or {})

    def fault(self, error: Exception) -> Fault:
        """The vendor's fault in our words."""
        return fault_of(error, self.named.host, self.key)

    def limited(self, most_tokens: int) -> BaseChatModel:
        """The client, whose answers have at most so many tokens."""
        match self.named.kind:
            case "openai-compatible":  # `max_completion_tokens` is younger than many of these servers
                update: Json = {"extra_body": {"max_tokens": most_tokens}}
            case "ollama":
                update = {"num_predict": most_tokens}
            case _:
                update = {"max_tokens": most_tokens}
        return self.client.model_copy(update=update)

    def shaped(self, client: BaseChatModel, form: Json) -> Runnable[LanguageModelInput, AIMessage]:
        """The client, which the vendor holds to a form: by a JSON schema, or by one tool that has to be called."""
        match self.named.kind:
            case "anthropic":
                tool = {"name": FORM, "description": "Give the answer.", "input_schema": form}
                return client.bind_tools([tool], tool_choice=FORM)
            case "ollama":
                return client.bind(format=form)
            case _:
                return client.bind(response_format={"type": "json_schema", "json_schema": {"name": FORM, "schema": form}})


def open_chat(named: Named, api_key: SecretStr | None, timeout: timedelta) -> Chat:
    """The client of a model. Blocking; raises Fault where a server has to be asked for its first model and does not say."""
    key = api_key.get_secret_value() if api_key else ""
    model = named.model or _first_model(named, key)
    client = init_chat_model(model, model_provider=named.vendor.provider, **_arguments(named, key, timeout.total_seconds()))
    if (client.profile or {}).get("temperature") and hasattr(client, "temperature"):
        client = client.model_copy(update={"temperature": 0.0})
    return Chat(named, model, client, key, (*FAULTS, *_base_errors(named.kind)))


def _arguments(named: Named, key: str, silence: float) -> Json:
    """The client's arguments: nothing is left to be read from the environment, nothing is tried again behind our back."""
    match named.kind:
        case "anthropic":
            return {
                "api_key": key or "none",
                "base_url": named.url,
                "timeout": silence,
                "max_retries": 0,
                "streaming": True,
                "stream_usage": True,
            }
        case "ollama":
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            return {
                "base_url": named.url,
                "temperature": 0.0,
                "client_kwargs": {"timeout": silence, "headers": _PLAIN | headers},
                "async_client_kwargs": {"event_hooks": {"response": [bounded]}},
            }
    ours: Json = {
        "api_key": key or "none",  # the client insists on one; servers on one's own machine ask for none
        "base_url": named.url,
        "organization": "",
        "timeout": silence,
        "stream_chunk_timeout": silence,
        "max_retries": 0,
        "streaming": True,
        "stream_usage": True,
        "http_async_client": httpx.AsyncClient(
            timeout=httpx.Timeout(silence, connect=5.0),
            headers=_PLAIN,
            follow_redirects=False,
            event_hooks={"response": [bounded]},
        ),
    }
    return ours if named.kind == "openai" else ours | {"temperature": 0.0, "use_responses_api": False}


class _Bounded(httpx.AsyncByteStream):
    """A body that ends in an error where it is longer than any answer, and that lets others run while it comes."""

    def __init__(self, body: httpx.AsyncByteStream, packed: bool) -> None:
        self._body = body
        self._packed = packed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._packed:
            raise httpx.DecodingError("It is packed, although it was asked not to be.")
        size = 0
        async for chunk in self._body:
            size += len(chunk)
            if size > MOST_BYTES:
                raise httpx.DecodingError(f"It is longer than {MOST_BYTES // 1_000_000} MB.")
            await asyncio.sleep(0)
            yield chunk

    async def aclose(self) -> None:
        await self._body.aclose()


async def bounded(response: httpx.Response) -> None:
    """A hook of HTTP clients: a server may send so much and no more, packed or not."""
    packed = response.headers.get("content-encoding", "identity").lower() != "identity"
    if isinstance(response.stream, httpx.AsyncByteStream):
        response.stream = _Bounded(response.stream, packed)


def _base_errors(kind: str) -> tuple[type[Exception], ...]:
    match kind:
        case "anthropic":
            from anthropic import AnthropicError
            from httpx2 import HTTPError  # what its client rests on, and lets through where a stream breaks off

            return (AnthropicError, HTTPError)
        case "ollama":
            from ollama import RequestError, ResponseError

            return (RequestError, ResponseError)
    from openai import OpenAIError

    return (OpenAIError,)


def listed(named: Named, key: str) -> list[Mapping[str, object]]:
    """What an OpenAI-compatible server says of its models. Blocking; raises Fault."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    async def get() -> Any:
        async with (
            asyncio.timeout(_LISTING),
            httpx.AsyncClient(headers=_PLAIN | headers, event_hooks={"response": [bounded]}) as client,
        ):
            return (await client.get(f"{named.url}/models")).raise_for_status().json()["data"]

    try:
        data = asyncio.run(get())  # a loop of its own: a thread that waits for a trickle could not be ended
    except (httpx.HTTPError, OSError, ValueError, LookupError, TypeError) as error:
        raise fault_of(error, named.host, key) from None
    return [entry for entry in data if isinstance(entry, Mapping)] if isinstance(data, list) else []


def _first_model(named: Named, key: str) -> str:
    models = [str(entry["id"]) for entry in listed(named, key) if "id" in entry]
    if not models:
        raise Fault(Failure.BROKEN, f"{named.host} lists no model; name one: TOCSIN_MODEL=openai-compatible:<name>.")
    return models[0]
