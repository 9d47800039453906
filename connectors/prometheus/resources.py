"""What services use, by convention: processors, memory, pools, queues, disks, certificates; and how their platform fares."""

from collections.abc import Callable

from connectors.prometheus.conventions import CLAIMS, GROUPS, PODS, REQUESTS, WORKLOADS, Signal
from connectors.prometheus.places import Place

Query = Callable[[Place], str]
_RESTARTS = "kube_pod_container_status_restarts_total"
_REAL = 'container!="",container!="POD"'  # cAdvisor also counts whole pods
_STUCK = 'reason=~"CrashLoopBackOff|ImagePullBackOff|ErrImagePull|CreateContainerConfigError|RunContainerError"'
_PER_CONTAINER = ("namespace", "pod", "container")


def _whole(how: str, metric: str, *matchers: str) -> Query:
    return lambda p: p.whole(how, p.of(metric, *matchers))


def _rate(metric: str) -> Query:
    return lambda p: p.whole("sum", p.rate(metric))


def _share(how: str, part: str, of: str, *matchers: str) -> Query:
    """One metric over another that has the same labels."""
    return lambda p: p.whole(how, f"{p.of(part, *matchers)} / {p.of(of, *matchers)}")


def _used(free: str, size: str, *matchers: str) -> Query:
    return lambda p: p.whole("max", f"1 - {p.of(free, *matchers)} / {p.of(size, *matchers)}")


def _pool(used: str, most: str, matcher: str) -> Query:
    def query(p: Place) -> str:
        by = ("instance", "pool_name", "db_client_connection_pool_name")
        return p.whole("max", f"{p.each('sum', p.of(used, matcher), *by)} / {p.each('sum', p.of(most), *by)}")

    return query


def _of_limit(use: Callable[[Place], str], resource: str) -> Query:
    """The container that is nearest to its limit."""

    def query(p: Place) -> str:
        limit = p.of("kube_pod_container_resource_limits", f'resource="{resource}"')
        by = tuple(label for label in _PER_CONTAINER if p.way is None or label != p.way.label)
        return p.whole("max", f"{p.each('sum', use(p), *by)} / {p.each('sum', limit, *by)}")

    return query


def _seldom(metric: str, matcher: str) -> Query:
    """How many of something that has no series while there is none."""
    return lambda p: f"{p.whole('sum', p.of(metric, matcher))} or {p.whole('sum', p.of(_RESTARTS))} * 0"


def _throttled(p: Place) -> str:
    part, every = p.rate("container_cpu_cfs_throttled_periods_total"), p.rate("container_cpu_cfs_periods_total")
    return f"{p.whole('sum', part)} / {p.whole('sum', every)}"


def _ready(ready: str, wanted: str) -> Query:
    return lambda p: f"{p.whole('sum', p.of(ready))} / {p.whole('sum', p.of(wanted))}"


def _heap(p: Place) -> str:
    used, most = p.of("jvm_memory_used_bytes", 'area="heap"'), p.of("jvm_memory_max_bytes", 'area="heap"')
    return p.whole("max", f"{p.each('sum', used, 'instance')} / {p.each('sum', f'{most} > 0', 'instance')}")


_CPU, _MEMORY = "container_cpu_usage_seconds_total", "container_memory_working_set_bytes"
_LIMITS = "kube_pod_container_resource_limits"
_DISK = 'fstype!~"tmpfs|overlay|squashfs|ramfs|iso9660|autofs"'
CONTAINERS = (
    (Signal("container_cpu_cores", (_CPU,), lambda p: p.whole("sum", p.rate(_CPU, _REAL)), PODS),),
    (Signal("container_cpu_used_ratio", (_CPU, _LIMITS), _of_limit(lambda p: p.rate(_CPU, _REAL), "cpu"), PODS),),
    (Signal("container_memory_bytes", (_MEMORY,), _whole("max", _MEMORY, _REAL), PODS),),
    (Signal("container_memory_used_ratio", (_MEMORY, _LIMITS), _of_limit(lambda p: p.of(_MEMORY, _REAL), "memory"), PODS),),
    (Signal("container_cpu_throttled_ratio", ("container_cpu_cfs_throttled_periods_total", "container_cpu_cfs_periods_total"),
            _throttled, PODS),),
    (Signal("container_restarts", (_RESTARTS,), lambda p: p.whole("sum", p.growth(_RESTARTS)), PODS),),
    (Signal("container_restart_failures", (_RESTARTS,), _seldom("kube_pod_container_status_waiting_reason", _STUCK), PODS),),
    (Signal("oom_killed_containers", (_RESTARTS,),
            _seldom("kube_pod_container_status_last_terminated_reason", 'reason="OOMKilled"'), PODS),),
    (Signal("replicas_ready_ratio", ("kube_deployment_status_replicas_available", "kube_deployment_spec_replicas"),
            _ready("kube_deployment_status_replicas_available", "kube_deployment_spec_replicas"), WORKLOADS),
     Signal("replicas_ready_ratio", ("kube_statefulset_status_replicas_ready", "kube_statefulset_replicas"),
            _ready("kube_statefulset_status_replicas_ready", "kube_statefulset_replicas"), WORKLOADS)),
    (Signal("volume_disk_used_ratio", ("kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"),
            _used("kubelet_volume_stats_available_bytes", "kubelet_volume_stats_capacity_bytes"), CLAIMS),),
)  # fmt: skip
PROCESSES = (
    (Signal("process_cpu_cores", ("process_cpu_seconds_total",), _rate("process_cpu_seconds_total")),
     Signal("process_cpu_used_ratio", ("process_cpu_usage",), _whole("max", "process_cpu_usage"))),
    (Signal("process_memory_bytes", ("process_resident_memory_bytes",), _whole("max", "process_resident_memory_bytes")),),
    (Signal("process_fds_used_ratio", ("process_open_fds", "process_max_fds"),
            _share("max", "process_open_fds", "process_max_fds")),),
    (Signal("jvm_heap_used_ratio", ("jvm_memory_used_bytes", "jvm_memory_max_bytes"), _heap),),
    (Signal("jvm_gc_pause_ratio", ("jvm_gc_pause_seconds_sum",), _rate("jvm_gc_pause_seconds_sum")),),
    (Signal("event_loop_lag_seconds", ("nodejs_eventloop_lag_p99_seconds",), _whole("max", "nodejs_eventloop_lag_p99_seconds")),),
    (Signal("host_cpu_used_ratio", ("node_cpu_seconds_total",),
            lambda p: "1 - " + p.whole("avg", p.rate("node_cpu_seconds_total", 'mode="idle"'))),),
    (Signal("host_memory_used_ratio", ("node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes"),
            _used("node_memory_MemAvailable_bytes", "node_memory_MemTotal_bytes")),),
    (Signal("host_disk_used_ratio", ("node_filesystem_avail_bytes", "node_filesystem_size_bytes"),
            _used("node_filesystem_avail_bytes", "node_filesystem_size_bytes", _DISK)),),
)  # fmt: skip
WAITING = (
    (Signal("db_pool_connections_used_ratio", ("hikaricp_connections_active", "hikaricp_connections_max"),
            _share("max", "hikaricp_connections_active", "hikaricp_connections_max")),
     Signal("db_pool_connections_used_ratio", ("db_client_connection_count", "db_client_connection_max"),
            _pool("db_client_connection_count", "db_client_connection_max", 'db_client_connection_state="used"')),
     Signal("db_pool_connections_used_ratio", ("db_client_connections_usage", "db_client_connections_max"),
            _pool("db_client_connections_usage", "db_client_connections_max", 'state="used"')),
     Signal("db_pool_connections_used_ratio", ("go_sql_stats_connections_in_use", "go_sql_stats_connections_max_open"),
            _share("max", "go_sql_stats_connections_in_use", "go_sql_stats_connections_max_open"))),
    tuple(Signal("db_pool_pending", (name,), _whole("max", name)) for name in (
        "hikaricp_connections_pending", "db_client_connection_pending_requests", "db_client_connections_pending_requests")),
    tuple(Signal("db_pool_timeouts_per_second", (name,), _rate(name)) for name in (
        "hikaricp_connections_timeout_total", "db_client_connection_timeouts_total", "db_client_connections_timeouts_total")),
    (Signal("queue_consumer_lag", ("kafka_consumergroup_lag",), _whole("sum", "kafka_consumergroup_lag"), GROUPS),
     Signal("queue_consumer_lag", ("kafka_consumergroup_group_lag",), _whole("sum", "kafka_consumergroup_group_lag"), GROUPS)),
    tuple(Signal("queue_records_lag", (name,), _whole("max", name)) for name in (
        "kafka_consumer_fetch_manager_records_lag_max", "kafka_consumer_records_lag_max")),
    (Signal("queue_depth", ("rabbitmq_queue_messages",), _whole("sum", "rabbitmq_queue_messages"), GROUPS),),
    (Signal("certificate_remaining_days", ("probe_ssl_earliest_cert_expiry",),
            lambda p: f"({p.whole('min', p.of('probe_ssl_earliest_cert_expiry'))} - time()) / 86400"),),
    (Signal("probe_success_ratio", ("probe_success",), _whole("avg", "probe_success")),),
)  # fmt: skip
SIGNALS = (*(group for kind in REQUESTS for group in kind.signals()), *CONTAINERS, *PROCESSES, *WAITING)
