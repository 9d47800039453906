"""What Amazon's services measure of a resource, and what of it is asked: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/.

The names of the answers say by their words which way each is bad (bot.signals.direction).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Measure:
    """One answer: a statistic of a metric times `scale`, over that of the metric `over` if there is one.

    `rate` makes a sum a number per second. Where `over` has points and the metric has none, the share is zero.
    """

    name: str
    metric: str
    stat: str
    scale: float = 1.0
    over: str = ""
    rate: bool = False


def _sum(name: str, metric: str) -> Measure:
    return Measure(name, metric, "Sum", rate=True)


def _share(name: str, metric: str, over: str) -> Measure:
    return Measure(name, metric, "Sum", over=over)


def _percent(name: str, metric: str) -> Measure:
    return Measure(name, metric, "Average", 0.01)


_BALANCER = (
    _sum("http_requests_per_second", "RequestCount"),
    _share("http_request_error_ratio", "HTTPCode_Target_5XX_Count", "RequestCount"),
    _share("ingress_request_error_ratio", "HTTPCode_ELB_5XX_Count", "RequestCount"),
    Measure("http_request_latency_p50_seconds", "TargetResponseTime", "p50"),
    Measure("http_request_latency_p99_seconds", "TargetResponseTime", "p99"),
    Measure("unhealthy_hosts", "UnHealthyHostCount", "Maximum"),
    _sum("rejected_connections_per_second", "RejectedConnectionCount"),
)
MEASURES: dict[str, tuple[Measure, ...]] = {
    "AWS/ApplicationELB": _BALANCER,
    "AWS/RDS": (
        _percent("db_cpu_used_ratio", "CPUUtilization"),
        Measure("db_connections_used", "DatabaseConnections", "Maximum"),
        Measure("db_disk_free_bytes", "FreeStorageSpace", "Minimum"),
        Measure("db_memory_free_bytes", "FreeableMemory", "Minimum"),
        Measure("db_read_latency_seconds", "ReadLatency", "Average"),
        Measure("db_write_latency_seconds", "WriteLatency", "Average"),
        Measure("db_disk_queue_depth", "DiskQueueDepth", "Average"),
        Measure("db_replica_lag_seconds", "ReplicaLag", "Maximum"),
        Measure("db_burst_balance_remaining_ratio", "BurstBalance", "Minimum", 0.01),
    ),
    "AWS/Lambda": (
        _sum("function_calls_per_second", "Invocations"),
        _share("function_error_ratio", "Errors", "Invocations"),
        _share("function_throttled_ratio", "Throttles", "Invocations"),
        Measure("function_latency_p50_seconds", "Duration", "p50", 0.001),
        Measure("function_latency_p99_seconds", "Duration", "p99", 0.001),
        Measure("function_inflight", "ConcurrentExecutions", "Maximum"),
        Measure("function_iterator_age_seconds", "IteratorAge", "Maximum", 0.001),
    ),
    "AWS/SQS": (
        _sum("messages_per_second", "NumberOfMessagesSent"),
        Measure("queue_depth", "ApproximateNumberOfMessagesVisible", "Maximum"),
        Measure("queue_oldest_age_seconds", "ApproximateAgeOfOldestMessage", "Maximum"),
    ),
    "AWS/ECS": (
        _percent("container_cpu_used_ratio", "CPUUtilization"),
        _percent("container_memory_used_ratio", "MemoryUtilization"),
    ),
    "ECS/ContainerInsights": (
        Measure("replicas_ready_ratio", "RunningTaskCount", "Average", over="DesiredTaskCount"),
        Measure("container_restarts", "RestartCount", "Sum"),
    ),
    "ContainerInsights": (
        _percent("container_cpu_used_ratio", "pod_cpu_utilization_over_pod_limit"),
        _percent("container_memory_used_ratio", "pod_memory_utilization_over_pod_limit"),
        Measure("container_restarts", "pod_number_of_container_restarts", "Sum"),
    ),
    "AWS/ElastiCache": (
        _percent("cache_cpu_used_ratio", "EngineCPUUtilization"),
        _percent("cache_memory_used_ratio", "DatabaseMemoryUsagePercentage"),
        _sum("cache_evictions_per_second", "Evictions"),
        _percent("cache_hit_ratio", "CacheHitRate"),
    ),
}
