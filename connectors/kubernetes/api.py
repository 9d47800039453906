"""The API server, asked with the official client: bounded in time and size, read-only.

https://kubernetes.io/docs/reference/using-api/api-concepts/
"""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.domain.payload import Node
from bot.errors import BadPayload, BadSettings

if TYPE_CHECKING:  # large: who asks no cluster does not load them
    import aiohttp
    from kubernetes.aio.client import ApiClient

MOST_BYTES = 50_000_000  # of one answer
SECONDS = 60.0


class KubernetesSettings(BaseModel):
    """How the API server is reached: by `url` and `token`, by a `kubeconfig` file, else as the pod that this runs in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field("", pattern=r"^(https?://[^\s@]+)?$")
    token: SecretStr | None = None
    ca_file: Path | None = None
    kubeconfig: Path | None = None
    context: str = ""
    namespaces: tuple[str, ...] = ()  # none: all
    environment: str = ""  # of the whole cluster; a workload's label says otherwise
    ignore_reasons: tuple[str, ...] = ("DNSConfigForming", "FailedToUpdateEndpoint", "FailedToUpdateEndpointSlices")
    quiet_minutes: float = Field(10, gt=0)

    @property
    def places(self) -> tuple[str, ...]:
        """The beginnings of paths below which objects are looked for."""
        return tuple(f"/namespaces/{name}" for name in self.namespaces) or ("",)


class Gone(Exception):
    """The server does not know this resourceVersion any more (410): everything is listed anew."""


async def connect(settings: KubernetesSettings) -> "ApiClient":
    """The official client; close it. Raises BadSettings where its configuration cannot be read."""
    from kubernetes.aio import client, config  # slow to import: only who asks pays for it

    own = client.Configuration()
    try:
        if settings.url:
            own.host = settings.url.rstrip("/")
            own.ssl_ca_cert = str(settings.ca_file) if settings.ca_file else None
            if settings.token:
                own.api_key["BearerToken"] = f"Bearer {settings.token.get_secret_value()}"
        elif settings.kubeconfig:
            await config.load_kube_config(  # type: ignore[no-untyped-call]  # as below
                str(settings.kubeconfig), settings.context or None, client_configuration=own
            )
        else:
            config.load_incluster_config(own)  # type: ignore[no-untyped-call]  # the client has no types here
        own.trace_configs = [_stays_there()]
        return client.ApiClient(own)
    except (config.ConfigException, OSError) as error:
        raise BadSettings(f"no way to reach the API server: {str(error)[:200]}") from None


def _stays_there() -> "aiohttp.TraceConfig":
    """No redirect is followed: whoever answers in the API server's place could lead us anywhere inside."""
    import aiohttp  # large, see above

    async def refuse(_session: object, _context: object, _told: object) -> None:
        raise BadPayload("the API server sends us to another address; is url the API server's own?")

    tracing = aiohttp.TraceConfig()
    tracing.on_request_redirect.append(refuse)
    return tracing


async def read(api: "ApiClient", path: str, query: Mapping[str, str], seconds: float = SECONDS) -> Node:
    """The JSON object at a path. Raises BadPayload, Gone, TimeoutError and what aiohttp raises."""
    async with asyncio.timeout(seconds):
        answer = await ask(api, path, query, seconds)
        try:
            return Node(json.loads(await _body(answer, path))).object()
        except (ValueError, RecursionError):
            raise BadPayload(f"{path}: the API server's answer is not JSON") from None
        finally:
            answer.release()


async def _body(answer: "aiohttp.ClientResponse", path: str) -> bytes:
    parts, size = [], 0
    async for part in answer.content.iter_any():
        size += len(part)
        if size > MOST_BYTES:
            raise BadPayload(f"{path}: the API server's answer is larger than {MOST_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


async def ask(api: "ApiClient", path: str, query: Mapping[str, str], seconds: float) -> "aiohttp.ClientResponse":
    """An answer that began well; release or close it. Raises Gone for 410, BadPayload for any other refusal."""
    import aiohttp  # large, see above

    request = await api.param_serialize(
        "GET",
        path,
        query_params=list(query.items()),
        header_params={"Accept": "application/json"},
        auth_settings=["BearerToken"],
    )
    timeout = aiohttp.ClientTimeout(total=seconds, connect=min(10, seconds))
    answer: aiohttp.ClientResponse = (await api.call_api(*request, _request_timeout=timeout)).response
    if answer.status == 200:
        return answer
    answer.release()
    if answer.status == 410:
        raise Gone
    hint = " (its service account may not list and watch this)" if answer.status in (401, 403) else ""
    raise BadPayload(f"{path}: the API server answered {answer.status}{hint}")
