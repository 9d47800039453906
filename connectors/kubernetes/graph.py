"""Who calls whom, as workloads are configured: an address in an environment variable that names another workload.

Only the names at both ends leave this file: values of variables hold secrets. Those of a ConfigMap or a Secret are not read.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from bot.domain.payload import Node
from bot.domain.telemetry import Window
from bot.domain.topology import SeenCall
from bot.domain.vocabulary import first
from connectors.kubernetes.api import KubernetesSettings
from connectors.kubernetes.calls import ApiServer
from connectors.kubernetes.evidence import SERVICE
from connectors.kubernetes.objects import WORKLOADS

NAME = "kubernetes"
SECONDS = 15.0  # for one answer
PAGE, MOST_PAGES = 500, 10  # of one kind in one place
MOST_VARIABLES, LONGEST = 300, 2000  # of one container; characters of one value
_HOST = r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?"
_URL = re.compile(rf"[a-z][a-z0-9+.-]{{0,30}}://(?:[^\s/@,]{{0,200}}@)?({_HOST})", re.IGNORECASE)
_WITH_PORT = re.compile(rf"(?<![\w.@/:-])({_HOST}):\d{{2,5}}(?![\w.:@])", re.IGNORECASE)
_ALONE = re.compile(rf"{_HOST}\Z", re.IGNORECASE)
_OF_A_HOST = re.compile(
    r"(?:^|_)(?:HOST|HOSTS|HOSTNAME|ADDR|ADDRESS|URL|URI|ENDPOINT|SERVER|SERVERS|SERVICE|UPSTREAM)\Z", re.IGNORECASE
)
# Where telemetry goes, and what stands between: nobody fails because these do.
_BESIDE = re.compile(r"OTEL|OTLP|JAEGER|ZIPKIN|STATSD|PUSHGATEWAY|\ADD_|SENTRY|_PROXY\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload by the name of its service, and the hosts that its variables name."""

    service: str
    name: str
    namespace: str
    hosts: frozenset[str] = field(default_factory=frozenset)


class KubernetesEdges:
    """ports.EdgeSource: what workloads are configured to call, whether they do so now or not."""

    name = NAME

    def __init__(self, settings: KubernetesSettings, seconds: float = SECONDS) -> None:
        self._settings = settings
        self._server = ApiServer(settings, seconds)

    async def seen(self, window: Window) -> tuple[SeenCall, ...]:  # noqa: ARG002  configuration is what it is now
        """The calls that workloads are configured for. Raises Unavailable, NotAllowed, NotFound, BadSettings or BadPayload."""
        async with self._server:
            found = [of_workload(item) for place in self._settings.places for item in await self._workloads(place)]
        return calls_of(found)

    async def _workloads(self, place: str) -> list[Node]:
        found: list[Node] = []
        for plural in WORKLOADS.values():
            query = {"limit": str(PAGE)}
            for _ in range(MOST_PAGES):
                page = await self._server.get(f"/apis/apps/v1{place}/{plural}", **query)
                found += page["items"].items()
                if not (more := page["metadata"]["continue"].text()):
                    break
                query["continue"] = more
        return found


def of_workload(item: Node) -> Workload:
    """What of a workload matters here."""
    meta, template = item["metadata"], item["spec"]["template"]
    labels = template["metadata"]["labels"].texts() | meta["labels"].texts()
    name = meta["name"].text()[:253]
    hosts = {host.lower() for key, value in _variables(template["spec"]) for host in _hosts(key, value)}
    return Workload(first(labels, SERVICE)[1][:100] or name[:100], name, meta["namespace"].text()[:63], frozenset(hosts))


def calls_of(workloads: Iterable[Workload]) -> tuple[SeenCall, ...]:
    """Each host that is another workload of the cluster is a call, by the names of both services."""
    every = list(workloads)
    known = {(w.namespace, name): w.service for w in every for name in (w.name, w.service)}
    found = {(w.service, callee) for w in every for host in w.hosts if (callee := _service(host, w.namespace, known))}
    return tuple(SeenCall(caller, callee) for caller, callee in sorted(found) if caller != callee)


def _variables(spec: Node) -> Iterator[tuple[str, str]]:
    for container in spec["containers"].optional_items():
        for number, one in enumerate(container["env"].optional_items()):
            if number == MOST_VARIABLES:
                break
            if isinstance(one["value"].value, str):
                yield one["name"].text(), one["value"].value[:LONGEST]


def _hosts(key: str, value: str) -> Iterable[str]:
    if _BESIDE.search(key):
        return ()
    found = {*_URL.findall(value), *_WITH_PORT.findall(value)}
    return found | {value.strip()} if _OF_A_HOST.search(key) and _ALONE.match(value.strip()) else found


def _service(host: str, namespace: str, known: Mapping[tuple[str, str], str]) -> str:
    """Whose host it is: "payments", "payments.shop", "db-0.db.shop.svc.cluster.local"; "" for one outside the cluster."""
    bare, svc, _ = host.partition(".svc")
    parts = bare.split(".")
    if svc and len(parts) > 1:
        name, place = parts[-2], parts[-1]
        return known.get((place, name)) or name
    return known.get((parts[1] if len(parts) == 2 else namespace, parts[0]), "") if len(parts) <= 2 else ""
