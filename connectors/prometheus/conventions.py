"""What services measure by convention, and what is asked of it: rate, errors, duration; utilisation, saturation, errors.

Names: https://opentelemetry.io/docs/specs/semconv/ (HTTP, RPC and database metrics, as Prometheus writes them),
https://docs.micrometer.io/micrometer/reference/, https://github.com/kubernetes/kube-state-metrics/tree/main/docs, cAdvisor's and
the node exporter's own, https://istio.io/latest/docs/reference/config/metrics/, https://linkerd.io/2/reference/proxy-metrics/.
The names of the signals say by their words which way each is bad (bot.signals.direction).
"""

from collections.abc import Callable
from dataclasses import dataclass

from connectors.prometheus.places import POD, Place, Way

# Labels that tell what became of a request, and which values mean that the service failed.
_STATUS = r"5\\d\\d|5xx|error|failure"
_GRPC = "Unknown|DeadlineExceeded|ResourceExhausted|Unimplemented|Internal|Unavailable|DataLoss"
FAILED = {
    "http_response_status_code": _STATUS, "http.response.status_code": _STATUS, "http_status_code": _STATUS,
    "status_code": _STATUS, "code": _STATUS, "response_code": _STATUS, "status": _STATUS, "classification": "failure",
    "outcome": "SERVER_ERROR", "grpc_code": _GRPC, "rpc_grpc_status_code": "2|4|8|12|13|14|15",
    "rpc_response_status_code": _GRPC.upper(), "error_type": ".+",
}  # fmt: skip
PEERS = ("server_address", "server.address", "client_name", "target", "peer_service")
OWN = "own"  # stands for the labels of the settings
PODS = (Way("pod", after=f"-{POD}"),)
MESH = (Way("destination_service_name"), Way("destination_workload"), Way("destination_canonical_service"), Way("deployment"))
EDGE = (Way("exported_service"), Way("ingress"), Way("service", after="@[a-z]+"))
WORKLOADS = (Way("deployment"), Way("statefulset"))
GROUPS = (Way("consumergroup"), Way("group"), Way("queue"))
CLAIMS = (Way("persistentvolumeclaim", before="(?:[a-z0-9-]+-)?", after="-[0-9]{1,4}"),)


@dataclass(frozen=True, slots=True)
class Signal:
    """One question: `metric` is the name of the answer, all of `needs` have to be there; `ways` lead to the series.

    With `judged` it is asked only where one of FAILED's labels is there, with `to_peer` where one of PEERS' is.
    """

    metric: str
    needs: tuple[str, ...]
    query: Callable[[Place], str]
    ways: tuple[Way, ...] | str = OWN
    judged: bool = False
    to_peer: bool = False
    covers: tuple[str, ...] = ()  # further metrics of which nothing else needs to be asked


@dataclass(frozen=True, slots=True)
class Requests:
    """How one kind of requests is measured: counters and histograms, the best first. `where` are matchers that keep one side."""

    what: str
    counters: tuple[str, ...]
    histograms: tuple[str, ...]
    ways: tuple[Way, ...] | str = OWN
    where: str = ""
    to_peer: bool = False

    def signals(self) -> tuple[tuple[Signal, ...], ...]:
        """Groups of signals that stand for each other: of each group the first that can be asked is."""
        counted = [(c, lambda p, c=c, m="": p.rate(c, self.where, m)) for c in self.counters]
        counted += [(f"{h}_count", lambda p, c=f"{h}_count", m="": p.rate(c, self.where, m)) for h in self.histograms]
        counted += [(h, lambda p, h=h, m="": f"histogram_count({p.rate(h, self.where, m)})") for h in self.histograms]
        return (
            tuple(self._traffic(name, rate) for name, rate in counted),
            tuple(self._errors(name, rate) for name, rate in counted),
            self._latency("p50", 0.5),
            (*self._latency("p99", 0.99), *(self._mean(h) for h in self.histograms)),
        )

    def _sum(self, p: Place, inner: str) -> str:
        return p.whole("sum", inner, *((p.peer,) if self.to_peer else ()))

    def _traffic(self, name: str, rate: Callable[..., str]) -> Signal:
        return Signal(f"{self.what}s_per_second", (name,), lambda p: self._sum(p, rate(p)), self.ways, to_peer=self.to_peer)

    def _errors(self, name: str, rate: Callable[..., str]) -> Signal:
        def query(p: Place) -> str:
            every = self._sum(p, rate(p))
            return f"({self._sum(p, rate(p, m=p.failed))} or {every} * 0) / {every}"

        return Signal(f"{self.what}_error_ratio", (name,), query, self.ways, judged=True, to_peer=self.to_peer)

    def _latency(self, name: str, q: float) -> tuple[Signal, ...]:
        def asked(h: str, *, native: bool) -> Signal:
            def query(p: Place) -> str:
                peer = (p.peer,) if self.to_peer else ()
                rate = p.rate(h if native else f"{h}_bucket", self.where)
                text = f"histogram_quantile({q:g}, {p.whole('sum', rate, *peer, *(() if native else ('le',)))})"
                return f"{text} / 1000" if _in_milliseconds(h) else text

            needs = (h,) if native else (f"{h}_bucket",)
            covers = (f"{h}_count", f"{h}_sum")
            return Signal(f"{self.what}_latency_{name}_seconds", needs, query, self.ways, to_peer=self.to_peer, covers=covers)

        return tuple(asked(h, native=native) for native in (False, True) for h in self.histograms)

    def _mean(self, h: str) -> Signal:
        def query(p: Place) -> str:
            text = f"{self._sum(p, p.rate(f'{h}_sum', self.where))} / {self._sum(p, p.rate(f'{h}_count', self.where))}"
            return f"{text} / 1000" if _in_milliseconds(h) else text

        return Signal(f"{self.what}_latency_mean_seconds", (f"{h}_sum", f"{h}_count"), query, self.ways, to_peer=self.to_peer)


def _in_milliseconds(histogram: str) -> bool:
    return histogram.endswith(("_milliseconds", "_ms"))


REQUESTS = (
    Requests(
        "http_request",
        ("http_requests_total", "http_server_requests_total", "http_requests_received_total", "http_request_total"),
        ("http_server_request_duration_seconds", "http_server_requests_seconds", "http_request_duration_seconds",
         "http_server_duration_milliseconds", "http_server_duration_seconds", "http.server.request.duration"),
    ),
    Requests(
        "rpc_request",
        ("grpc_server_handled_total",),
        ("rpc_server_duration_milliseconds", "rpc_server_duration_seconds", "rpc_server_call_duration_seconds",
         "grpc_server_handling_seconds", "rpc.server.call.duration"),
    ),
    Requests("mesh_request", ("istio_requests_total",), ("istio_request_duration_milliseconds",), MESH, 'reporter="destination"'),
    Requests("mesh_request", ("response_total",), ("response_latency_ms",), MESH, 'direction="inbound"'),
    Requests(
        "ingress_request",
        ("traefik_service_requests_total", "nginx_ingress_controller_requests"),
        ("traefik_service_request_duration_seconds", "nginx_ingress_controller_request_duration_seconds"),
        EDGE,
    ),
    Requests(
        "outbound_request",
        (),
        ("http_client_request_duration_seconds", "http_client_requests_seconds", "http_client_duration_milliseconds"),
        to_peer=True,
    ),
)  # fmt: skip
