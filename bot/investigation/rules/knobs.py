"""Values that people turn: timeouts, retries, cache lifetimes, pools, limits, resources."""

import re
from collections.abc import Iterator

from bot.investigation.diff import Edit, number
from bot.investigation.rules.rule import Found, Rule, Text, rule
from bot.investigation.vocabulary import Kind
from bot.signals.direction import bag, words

TURNED = 1.5  # a value that changed by less than this factor is tuning, not a cause
IDLE = bag("idle health healthcheck check keepalive log logs logging metrics trace sample test staging")


def _strength(ratio: float) -> float:
    """How much a turned knob can explain: 0.4 for a factor of 1.5, 1 from a factor of 5 on, either way."""
    factor = max(ratio, 1 / ratio) if ratio > 0 else 5.0
    return 0.0 if factor < TURNED else min(1.0, 0.4 + 0.6 * (factor - TURNED) / (5 - TURNED))


def _named(edit: Edit, *wanted: str, around: bool = True) -> bool:
    key = set(words(edit.key))
    if key & IDLE:
        return False
    own = bool(key & set(wanted)) or any(w in edit.key.lower() for w in wanted if len(w) > 6)
    return own or (around and bool(set(words(edit.around + " " + edit.path)) & set(wanted)) and not _telling(key))


def _telling(key: set[str]) -> bool:
    """The key says itself what it is, so that its surroundings do not speak for it."""
    return bool(
        key & bag("timeout deadline retries retry attempts ttl expiry pool workers max limit size delay backoff interval")
    )


def _turned(text: Text) -> Iterator[tuple[Edit, float]]:
    for edit in text.edits:
        if number(edit.old) is not None and number(edit.new) is not None and number(edit.old) != number(edit.new):
            strength = _strength(edit.ratio)
            if strength:
                yield edit, strength


def timeouts(text: Text) -> Iterator[Found]:
    """A time limit that became shorter, or much longer."""
    for edit, strength in _turned(text):
        if not _named(edit, "timeout", "timeouts", "deadline", "withtimeout", "withdeadline", "maxwait", around=False):
            continue
        if _is_backoff(edit):
            continue
        if 0 <= edit.ratio < 1:
            yield Found(edit.text, strength, (Kind.TIMEOUT, Kind.RETRY), path=edit.path)
        else:
            yield Found(edit.text, 0.8 * strength, (Kind.LATENCY, Kind.POOL, Kind.QUEUE), path=edit.path)


def retries(text: Text) -> Iterator[Found]:
    """More attempts, fewer attempts, or less waiting between them."""
    up = (Kind.CALLS, Kind.RETRY, Kind.THROTTLED, Kind.LATENCY, Kind.POOL)
    for edit, strength in _turned(text):
        if _is_backoff(edit):
            if edit.ratio < 1:
                yield Found(edit.text, 0.8 * strength, up, path=edit.path)
        elif _named(edit, "retries", "retry", "attempts", "tries", "maxattempts", "maxretries"):
            kinds = up if edit.ratio > 1 else (Kind.RETRY, Kind.CONCURRENCY)
            yield Found(edit.text, strength, kinds, path=edit.path)
    for hunk in text.hunks:
        gone = [t for t in hunk.removed if re.search(r"(?i)sleep\(|backoff|jitter|base_?delay", t)]
        come = " ".join(hunk.added)
        if (
            gone
            and not re.search(r"(?i)sleep\(|backoff|jitter|delay", come)
            and "retry" in (hunk.path + " ".join(t for _, t in hunk.lines)).lower()
        ):
            yield Found(
                "waiting between attempts removed",
                0.9,
                (Kind.RETRY, Kind.CALLS, Kind.CONCURRENCY, Kind.THROTTLED),
                path=hunk.path,
            )


def _is_backoff(edit: Edit) -> bool:
    return bool(set(words(edit.key)) & {"backoff", "delay", "jitter", "sleep"})


def caches(text: Text) -> Iterator[Found]:
    """Entries that live shorter, a smaller cache, a cache that is no longer asked, a key that never matches."""
    for edit, strength in _turned(text):
        cachy = _named(edit, "ttl", "cache", "cached", "maxage", "expiry", "expires", "expiration", "lru")
        if cachy and 0 <= edit.ratio < 1:
            yield Found(edit.text, strength, path=edit.path)
        elif cachy and "ttl" in words(edit.key) and edit.ratio >= 4:
            yield Found(edit.text, 0.4, (Kind.MEMORY, Kind.DATA), path=edit.path)
    for edit in text.edits:
        if (
            "cache" in words(f"{edit.key} {edit.path} {edit.around}")
            and edit.old.lower() == "true"
            and edit.new.lower() == "false"
        ):
            yield Found(edit.text, 0.9, path=edit.path)
    asks = re.compile(r"(?i)\w*cache\w*\s*(?:\.|->|\[)\s*\w*(?:get|load|fetch|remember)?|@\w*(?:lru_)?cache|@memoize|\bmemo\b")
    for hunk in text.hunks:
        if any(asks.search(t) for t in hunk.removed) and not any(asks.search(t) for t in hunk.added):
            yield Found("no longer asks the cache", 0.8, path=hunk.path)
        keyed = [
            t for t in hunk.added if re.search(r"(?i)cache.?key|key\s*[:=]+.*(?:now\(|time|uuid|random|request_?id|nonce)", t)
        ]
        if keyed and any(re.search(r"(?i)cache.?key|key\s*[:=]", t) for t in hunk.removed):
            yield Found("cache key changed", 0.7, path=hunk.path)


def pools(text: Text) -> Iterator[Found]:
    """A smaller pool, fewer workers, or a resource that is not given back."""
    for edit, strength in _turned(text):
        named = _named(
            edit, "pool", "workers", "threads", "conns", "connections", "concurrency", "maxconns", "parallelism", "semaphore"
        )
        if (
            named
            and 0 <= edit.ratio < 1
            and not set(words(edit.key)) & {"timeout", "seconds", "ms", "ttl", "lifetime", "period", "time"}
        ):
            yield Found(edit.text, strength, path=edit.path)
        elif (
            named
            and edit.ratio >= 2
            and set(words(edit.key)) & {"workers", "concurrency", "parallelism", "pool", "connections", "conns"}
        ):
            yield Found(edit.text, 0.5 * strength, (Kind.POOL, Kind.DATABASE, Kind.THROTTLED, Kind.MEMORY), path=edit.path)
    gives = re.compile(
        r"(?i)\.(?:close|release|put_?back|return_?connection|disconnect)\(|\bdefer \w+[\w.]*\.(?:close|release|rollback)\("
    )
    for hunk in text.hunks:
        gone, come = sum(bool(gives.search(t)) for t in hunk.removed), sum(bool(gives.search(t)) for t in hunk.added)
        if gone > come and not any(re.search(r"\b(?:async )?with\b|using|try\s*\(", t) for t in hunk.added):
            yield Found(
                "a connection or handle is no longer given back", 0.9, (Kind.POOL, Kind.HANDLES, Kind.MEMORY), path=hunk.path
            )


def limits(text: Text) -> Iterator[Found]:
    """A quota, batch, queue or size limit that was turned."""
    lower = (Kind.THROTTLED, Kind.REJECTED, Kind.QUEUE, Kind.POOL)
    for edit, strength in _turned(text):
        if _named(
            edit, "pool", "workers", "conns", "timeout", "ttl", "cache", "retries", "attempts", "memory", "cpu", around=False
        ):
            continue
        if _named(
            edit,
            "limit",
            "limits",
            "quota",
            "rate",
            "burst",
            "batch",
            "size",
            "max",
            "qps",
            "rps",
            "threshold",
            "page",
            around=False,
        ):
            kinds = lower if edit.ratio < 1 else (Kind.MEMORY, Kind.LATENCY, Kind.DATABASE, Kind.QUEUE, Kind.TIMEOUT)
            yield Found(edit.text, 0.7 * strength, kinds, path=edit.path)


def resources(text: Text) -> Iterator[Found]:
    """Less memory, processor or replicas."""
    for edit, strength in _turned(text):
        key = set(words(edit.key))
        if key & {"memory", "mem", "heap", "xmx"} and 0 <= edit.ratio < 1:
            yield Found(edit.text, strength, (Kind.MEMORY, Kind.STARTUP), path=edit.path)
        elif key & {"cpu", "replicas", "minreplicas", "maxreplicas", "instances"} and 0 <= edit.ratio < 1:
            yield Found(edit.text, strength, (Kind.CPU, Kind.LATENCY, Kind.THROTTLED, Kind.QUEUE, Kind.POOL), path=edit.path)
        elif (
            key & {"probe", "liveness", "readiness", "failurethreshold", "period", "periodseconds", "initialdelayseconds"}
            and edit.ratio < 1
        ):
            yield Found(edit.text, 0.7 * strength, (Kind.STARTUP, Kind.ENDPOINT), path=edit.path)


def schedules(text: Text) -> Iterator[Found]:
    """Something that runs at other times or more often: polling, refresh, batch jobs."""
    for edit, strength in _turned(text):
        key = set(words(edit.key))
        if key & {"interval", "every", "poll", "polling", "refresh", "frequency", "newticker"} and edit.ratio < 1:
            yield Found(
                edit.text, 0.8 * strength, (Kind.CALLS, Kind.DATABASE, Kind.CPU, Kind.THROTTLED, Kind.LATENCY), path=edit.path
            )


def delays(text: Text) -> Iterator[Found]:
    """Work that takes longer: a configured duration or cost of a step that grew, or a wait that was added."""
    for edit, strength in _turned(text):
        key = set(words(edit.key))
        spent = key & {"ms", "seconds", "cost", "rounds", "iterations", "depth"} or key & {"delay", "sleep"}
        if spent and edit.ratio > 1 and not key & {"timeout", "ttl", "cache", "deadline", "backoff", "interval", "retry"}:
            yield Found(edit.text, 0.8 * strength, path=edit.path)
    slept = re.compile(r"(?i)\b(?:time\.sleep|thread\.sleep|asyncio\.sleep|setTimeout|usleep|sleep)\s*\(")
    for hunk in text.hunks:
        if any(slept.search(t) for t in hunk.added) and not any(slept.search(t) for t in hunk.removed):
            yield Found("a wait was added", 0.7, path=hunk.path)


RULES: tuple[Rule, ...] = (
    rule("timeout", "timeout", (Kind.TIMEOUT,), timeouts),
    rule("retry", "retry", (Kind.RETRY, Kind.CALLS), retries),
    rule(
        "cache",
        "cache",
        (Kind.CACHE, Kind.DATABASE, Kind.CALLS),
        caches,
        beside=(Kind.THROTTLED, Kind.POOL, Kind.LATENCY, Kind.TIMEOUT),
    ),
    rule("pool", "pool", (Kind.POOL,), pools, beside=(Kind.TIMEOUT, Kind.QUEUE, Kind.REJECTED)),
    rule("limit", "limit", (Kind.THROTTLED, Kind.REJECTED), limits),
    rule("resources", "resources", (Kind.MEMORY,), resources),
    rule("schedule", "schedule", (Kind.CALLS,), schedules),
    rule("delay", "slow_work", (Kind.LATENCY, Kind.TIMEOUT, Kind.POOL, Kind.QUEUE), delays),
)
