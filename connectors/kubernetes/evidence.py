"""Kubernetes asked about services when an incident is looked into: pods, their nodes, warnings, rollouts. Read-only."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bot.domain.payload import Node
from bot.domain.telemetry import Happening, Readings, SourceStatus, Window
from bot.errors import BadPayload, BotError
from connectors.kubernetes.api import Gone, KubernetesSettings, connect, read
from connectors.kubernetes.pods import of_node, of_pod, of_rollout, of_warning

if TYPE_CHECKING:  # large: who asks no cluster does not load it
    from kubernetes.aio.client import ApiClient

NAME = "kubernetes"
SERVICE = ("app.kubernetes.io/name", "app", "k8s-app", "app.kubernetes.io/instance")
MOST = "500"  # objects of one answer
MOST_NODES = 10
MOST_HAPPENINGS = 100
SECONDS = 4.0
_VALUE = re.compile(r"[A-Za-z0-9](?:[\w.-]{0,61}[A-Za-z0-9])?\Z")  # what a label may be


class KubernetesEvidence:
    """Happenings of each service's pods, found by the usual labels."""

    name = NAME

    def __init__(self, settings: KubernetesSettings, seconds: float = SECONDS) -> None:
        self._settings, self._seconds = settings, seconds

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per service, in order; a failure is an answer with its reason."""
        import aiohttp  # large, see above

        if not services:
            return ()
        try:
            api = await connect(self._settings)
        except BotError as error:
            return tuple(self._failed(s, window, str(error)) for s in services)
        async with api:
            try:
                return await self._ask(api, services, window)
            except (BadPayload, Gone) as error:
                reason = str(error) or "the API server answered 410"
            except TimeoutError:
                reason = f"did not answer within {self._seconds:g} s"
            except (aiohttp.ClientError, OSError) as error:
                reason = f"cannot be reached ({type(error).__name__})"
        return tuple(self._failed(s, window, reason) for s in services)

    async def _ask(self, api: "ApiClient", services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        pods = await self._of(api, "/api/v1", "pods", services)
        sets = await self._of(api, "/apis/apps/v1", "replicasets", [s for s in services if pods[s]])
        owners = {one["metadata"]["name"].text(): s for s in services for one in (*pods[s], *sets.get(s, ()))}
        told: dict[str, list[Happening]] = {s: [] for s in services}
        for event in await self._warnings(api):
            if (one := of_warning(event, owners)) is not None:
                told[one.service].append(one)
        for s in services:
            told[s] += [h for pod in pods[s] for h in of_pod(pod, s)]
            told[s] += of_rollout(sets.get(s, ()), s)
        await self._nodes(api, pods, told)
        return tuple(self._reading(s, pods[s], told[s], window) for s in services)

    async def _of(self, api: "ApiClient", root: str, plural: str, services: Sequence[str]) -> dict[str, list[Node]]:
        """The objects of each service, by the first of the labels under which there are any."""
        found: dict[str, list[Node]] = {s: [] for s in services}
        for label in SERVICE:
            wanted = [s for s in services if not found[s] and _VALUE.match(s)]
            if not wanted:
                break
            for place in self._settings.places:
                query = {"labelSelector": f"{label} in ({','.join(wanted)})", "limit": MOST}
                page = await read(api, f"{root}{place}/{plural}", query, self._seconds)
                for item in page["items"].items():
                    found.setdefault(item["metadata"]["labels"][label].text(), []).append(item)
        return found

    async def _warnings(self, api: "ApiClient") -> list[Node]:
        query = {"fieldSelector": "type=Warning", "limit": MOST}
        pages = [await read(api, f"/api/v1{place}/events", query, self._seconds) for place in self._settings.places]
        return [event for page in pages for event in page["items"].optional_items()]

    async def _nodes(self, api: "ApiClient", pods: Mapping[str, Sequence[Node]], told: Mapping[str, list[Happening]]) -> None:
        """The machines that the services run on, as far as we may look at them."""
        runs_on: dict[str, list[str]] = {}
        for service, own in pods.items():
            for pod in own:
                node = pod["spec"]["nodeName"].text()
                if node and "/" not in node and service not in runs_on.setdefault(node, []):
                    runs_on[node].append(service)
        for node in list(runs_on)[:MOST_NODES]:
            try:
                seen = await read(api, f"/api/v1/nodes/{node}", {}, self._seconds)
            except BadPayload:  # a role for one namespace may not look at nodes
                return
            for service in runs_on[node]:
                told[service] += of_node(seen, service)

    def _reading(self, service: str, pods: Sequence[Node], told: Sequence[Happening], window: Window) -> Readings:
        new = tuple(sorted((h for h in told if window.start <= h.at <= window.end), key=lambda h: (h.at, h.reason)))[
            -MOST_HAPPENINGS:
        ]
        status = SourceStatus.OK if pods else SourceStatus.NO_DATA
        reason = "" if pods else f"no pod has one of the labels {', '.join(SERVICE)} with this value"
        return Readings(NAME, self._query(service), window, status, reason, happenings=new)

    def _failed(self, service: str, window: Window, reason: str) -> Readings:
        return Readings(NAME, self._query(service), window, SourceStatus.FAILED, f"Kubernetes {reason}"[:300])

    def _query(self, service: str) -> str:
        where = ", ".join(self._settings.namespaces) or "all namespaces"
        return f"pods, nodes, warnings and replica sets of {service} in {where}"
