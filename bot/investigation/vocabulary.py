"""Kinds of trouble, and how log lines, errors and metric names speak of them. About software, not about any one estate."""

import re
from enum import StrEnum

from bot.signals.direction import bag, counts_traffic, words


class Kind(StrEnum):
    """A kind of trouble that telemetry shows and that a change can produce."""

    ERRORS = "errors"
    LATENCY = "slow answers"
    TIMEOUT = "timeouts"
    POOL = "an exhausted pool"
    CACHE = "cache misses"
    DATABASE = "database load"
    RETRY = "retries"
    CALLS = "more calls"
    THROTTLED = "throttling"
    QUEUE = "a growing queue"
    NULL = "a missing value"
    CONCURRENCY = "unsynchronised access or lock contention"
    SERIALIZATION = "unreadable data"
    SCHEMA = "a database schema that does not fit"
    MEMORY = "growing memory"
    STARTUP = "failing starts"
    CONFIG = "missing configuration"
    AUTH = "refused credentials"
    ENDPOINT = "an unreachable or wrong address"
    REJECTED = "refused requests"
    CPU = "processor load"
    DISK = "a full disk"
    HANDLES = "open handles"
    SERIES = "too many time series"
    LOGS = "more log lines"
    CERTIFICATE = "a certificate"
    DNS = "name resolution"
    DATA = "bad input data"
    NODE = "a failing node"


def _any(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


IN_TEXT: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (Kind.TIMEOUT, _any(r"time[d]?[ _-]?out|deadline|took longer than|exceeded (?:<\*>|<N>|\d+) ?ms|cancell?ed")),
    (Kind.LATENCY, _any(r"\bslow\b|latency|took too long|high p9\d")),
    (
        Kind.POOL,
        _any(
            r"\bpool\b|acquir\w+ (?:a )?connection|too many (?:open )?connections|too many clients|remaining connection slots"
            r"|no (?:free|idle|available) (?:connection|worker|thread|slot)s?|(?:workers?|threads?"
                r"|connections?) (?:are )?(?:all )?(?:busy|exhausted)"
            r"|rejectedexecution|queue (?:is )?full|overloaded|bulkhead"
        ),
    ),
    (Kind.CACHE, _any(r"cache[ _-]?miss|read-through|cache (?:stampede|expired|eviction)|missed cache")),
    (Kind.DATABASE, _any(r"slow query|statement timeout|\bSELECT .* FROM\b|seq(?:uential)? scan|full table scan"
        r"|database (?:cpu|load)")),
    (Kind.RETRY, _any(r"\bretr(?:y|ies|ying)|attempt (?:<\*>|\d+)|(?<!loop)(?<!pull)\bback[- ]?off(?! restarting)"
        r"|\bCAS\b|retry budget|max(?:imum)? attempts")),
    (Kind.THROTTLED, _any(r"\b429\b|rate.?limit|throttl|too many requests|quota|resource.?exhausted")),
    (Kind.QUEUE, _any(r"backlog|consumer lag|queue (?:depth|growing|length)|OldestMessage|redeliver|partition lag")),
    (
        Kind.NULL,
        _any(
            r"nil pointer|null ?pointer|NoneType|undefined (?:is not|property)|of (?:undefined|null)|segfault|SIGSEGV|KeyError"
            r"|IndexError|index out of (?:range|bounds)|AttributeError|TypeError|on a? ?null|unwrap\(\)|divi(?:de|sion) by zero"
                r"|ZeroDivision"
        ),
    ),
    (
        Kind.CONCURRENCY,
        _any(
            r"concurrent (?:map|modification)|data race|race condition|deadlock|lock wait|database is locked|lock contention"
            r"|could not (?:obtain|acquire) lock|duplicate key|ConcurrentModification|could not serialize"
                r"|iteration.*changed size"
        ),
    ),
    (
        Kind.SERIALIZATION,
        _any(
            r"deserial|unmarshal|(?:failed|unable|cannot|could not) to? ?(?:decode|parse)|missing (?:required )?field"
                r"|unknown field"
            r"|invalid (?:json|payload|wire)|schema (?:mismatch|version)|unexpected token|JSONDecode|protocol buffer"
                r"|UnicodeDecode"
        ),
    ),
    (
        Kind.SCHEMA,
        _any(
            r"(?:relation|table|column)\W+\S+\W+(?:of relation \S+ )?does not exist|no such (?:table|column)"
                r"|unknown column|undefined ?(?:table|column)"
            r"|null value in column|violates (?:not-null|foreign|check)|invalid object name"
        ),
    ),
    (Kind.MEMORY, _any(r"\boom\b|oom-?kill|out of ?memory|heap|memory limit|exit code 137|GC (?:pause|overhead)|MemoryError")),
    (
        Kind.STARTUP,
        _any(
            r"crashloop|crash loop|fail(?:ed|ure) (?:to start|at startup|on startup)|startup (?:panic|failed|error)"
                r"|duplicate registration|version conflict"
            r"|ImportError|ModuleNotFound|cannot find module|NoSuchMethod|NoClassDef|incompatible|undefined symbol|exec format"
        ),
    ),
    (
        Kind.CONFIG,
        _any(
            r"missing (?:env|environment|config|setting)|environment variable|(?:env|config|setting"
                r"|variable) \S+ (?:is )?(?:not set|required|missing|unset)"
            r"|required (?:config|setting|variable)|config(?:uration)? (?:error|invalid|missing)"
        ),
    ),
    (Kind.AUTH, _any(r"\b40[13]\b|unauthori[sz]ed|forbidden|permission denied|access ?denied|invalid (?:token"
        r"|signature|credential|api key)|authentication failed")),
    (Kind.ENDPOINT, _any(r"connection refused|ECONNREFUSED|no route to host|\b404\b|no healthy upstream|unimplemented"
        r"|unknown (?:method|service)")),
    (Kind.REJECTED, _any(r"\brefus(?:ed|ing)\b(?<!connection refused)|reject(?:ed|ing)|declined|\b4(?:00|22|13)\b"
        r"|validation (?:failed|error)|too large|not allowed|invalid (?:request|argument)")),
    (Kind.CPU, _any(r"\bcpu\b|event loop (?:lag|blocked)|load average")),
    (Kind.DISK, _any(r"no space left|disk (?:is )?full|ENOSPC|disk usage|read-only file system")),
    (Kind.HANDLES, _any(r"too many open files|EMFILE|file descriptor|socket (?:exhaust|leak)|address already in use"
        r"|cannot assign requested address")),
    (Kind.SERIES, _any(r"too many (?:time ?)?series|cardinality|series limit")),
    (Kind.CERTIFICATE, _any(r"x509|certificate|tls.{0,12}handshake|CERT_HAS_EXPIRED|SSLError|PKIX")),
    (Kind.DNS, _any(r"no such host|ENOTFOUND|name resolution|SERVFAIL|getaddrinfo|NXDOMAIN|name or service not known"
        r"|server misbehaving|lookup \S+ on")),
    (Kind.DATA, _any(r"out of range|malformed|poison|invalid record|corrupt|bad (?:data|record)|validation error"
        r"|record rejected")),
    (Kind.NODE, _any(r"node ?not ?ready|\bevict(?:ed|ion|ing) pods?|spot (?:interrupt|reclaim)|kernel panic"
        r"|disk pressure|preempt|hardware error|instance (?:terminated|retired|unreachable)|host (?:down|unreachable)")),
    (Kind.ERRORS, _any(r"\berrors?\b|\bfail(?:ed|ure|ing|s)?\b|exception|panic|fatal|\b5\d\d\b|unavailable")),
)  # fmt: skip

IN_METRIC: tuple[tuple[Kind, frozenset[str]], ...] = (
    (Kind.ERRORS, bag("error errors fail failed failures failure exception exceptions 5xx panic panics")),
    (Kind.LATENCY, bag("latency duration p50 p90 p95 p99 slow")),
    (Kind.TIMEOUT, bag("timeout timeouts deadline cancelled canceled")),
    (Kind.POOL, bag("pool workers threads connections conns saturation inflight")),
    (Kind.CACHE, bag("cache hit hits miss misses evictions")),
    (Kind.DATABASE, bag("db database query queries sql rows")),
    (Kind.RETRY, bag("retry retries attempts cas")),
    (Kind.THROTTLED, bag("throttled 429 limited")),
    (Kind.QUEUE, bag("queue lag backlog age pending depth")),
    (Kind.MEMORY, bag("memory rss heap oom")),
    (Kind.STARTUP, bag("restart restarts replicas ready")),
    (Kind.SERIALIZATION, bag("deserialize decode parse unmarshal")),
    (Kind.CPU, bag("cpu load")),
    (Kind.DISK, bag("disk filesystem volume")),
    (Kind.HANDLES, bag("fds descriptors sockets handles goroutines")),
    (Kind.SERIES, bag("series cardinality")),
    (Kind.LOGS, bag("log logs")),
    (Kind.CONCURRENCY, bag("lock locks deadlocks blocked contention")),
    (Kind.CERTIFICATE, bag("cert certificate tls")),
    (Kind.DNS, bag("dns coredns servfail nxdomain")),
    (Kind.DATA, bag("validation invalid malformed")),
    (Kind.AUTH, bag("auth unauthorized forbidden 401 403")),
    (Kind.REJECTED, bag("rejected refused declined 4xx 400 422")),
)


def kinds_of_text(text: str) -> frozenset[Kind]:
    """The kinds of trouble that a line of text speaks of."""
    return frozenset(kind for kind, pattern in IN_TEXT if pattern.search(text))


def kinds_of_metric(metric: str, *, rising: bool) -> frozenset[Kind]:
    """The kinds of trouble that a deviating metric stands for."""
    parts = frozenset(words(metric))
    found = {kind for kind, named in IN_METRIC if parts & named}
    if counts_traffic(metric) and rising:
        found.add(Kind.CALLS)
    return frozenset(found)


IN_EVENT: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    (Kind.MEMORY, _any(r"oom|memory ?pressure|out of memory")),
    (Kind.STARTUP, _any(r"crash ?loop|back-?off|unhealthy|probe|imagepull|errimage|not ?ready|killing"
        r"|failed ?(?:create|mount|post)")),
    (Kind.ENDPOINT, _any(r"readiness|no ?endpoints")),
    (Kind.CONFIG, _any(r"createcontainerconfig|failed ?mount|(?:secret|configmap)\S* not found|invalid ?image")),
    (Kind.DISK, _any(r"disk ?pressure|ephemeral|no space")),
    (Kind.NODE, _any(r"node ?not ?ready|\bnode\S* .*pressure|evict|preempt|failed ?scheduling|node ?lost|reboot|unreachable")),
    (Kind.THROTTLED, _any(r"quota|throttl|rate.?limit")),
    (Kind.LATENCY, _any(r"degraded|slow|latency")),
    (Kind.ERRORS, _any(r"outage|error|fail|unavailable|incident|degraded")),
)  # fmt: skip


def kinds_of_happening(reason: str, text: str) -> frozenset[Kind]:
    """The kinds of trouble that a platform's or provider's report speaks of."""
    return frozenset(kind for kind, pattern in IN_EVENT if pattern.search(f"{reason} {text}"))
