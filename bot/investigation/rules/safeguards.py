"""Safeguards that went: locks, checks for missing values, bounds on growth, handling of errors."""

import re
from collections.abc import Iterator

from bot.investigation.diff import Hunk, code
from bot.investigation.rules.rule import Found, Rule, Text, rule
from bot.investigation.vocabulary import Kind

_LOCK = re.compile(
    r"(?i)\b\w*(?:mutex|rwlock|lock)\b\s*(?:\.|\(|\{|sync)|\.(?:r?lock|r?unlock|acquire)\(|\bsynchronized\b"
    r"|\bsync\.(?:RW)?Mutex|\batomic\b|for update\b"
    r"|\bwith\s+[\w.]*lock\b|async with self\._?lock|ConcurrentHashMap|threading\.(?:R?Lock|Semaphore)"
)
_LOCK_FIELD = re.compile(r"(?i)\bsync\.(?:rw)?mutex\b")
_CHECK = re.compile(
    r"(?i)\bif\b.{0,80}(?:==\s*(?:nil|null|none|undefined)|!=\s*(?:nil|null|none|undefined)|is (?:not )?none"
    r"|\bnot\s+\w+|len\(|!\w+|\bin\b|\.is_?(?:empty|present|none|null))"
    r"|\?\.|\?\?|\bor\s+(?:\[\]|\{\}|\"\"|''|0|None|\"[^\"]*\")|\.get\(\s*[^,()]+,\s*[^()]+\)|getattr\([^,]+,[^,]+,"
    r"|Optional\.|orElse|\|\|\s*(?:\[|\{|\"|')"
    r"|\bassert\b|hasOwnProperty|\bok\s*:?="
)
_PASSES_ON = re.compile(r"\berr\w*\s*(?::=|!=|==)")  # an error handed on is no check for a missing value
_HANDLED = re.compile(r"(?i)\b(?:except|catch|rescue|recover\(\)|on_error|\.catch\(|fallback|circuit|finally)\b")
_BOUND = re.compile(
    r"(?i)maxsize|max_?(?:entries|size|len)|\bevict|\.(?:clear|popitem|popleft|pop|expire|trim|truncate|remove|delete"
    r"|shift)\(|\bdelete\(|\bdel \w+\[|lru|\[:0\]|ttl|bounded"
)
_GROWS = re.compile(
    r"(?:\.append\(|=\s*append\(|\.push\(|\.add\(|\.put\(|\.setdefault\(|\.extend\(|\.set\("
    r"|\b\w+\[[^\]\n]+\]\s*=(?!=)|\.subscribe\(|addEventListener\()"
)
_LASTING = re.compile(
    r"^(?:var\s+\w+|(?:export\s+)?(?:const|let)\s+\w+|[A-Za-z_]\w*(?:\s*:\s*[\w\[\], .|]+)?|(?:private "
    r"|public )?static .*?\w+)\s*(?::?=|\s\[\]|\s+map\[)\s*.*(?:\[\]|\{\}|\[\s*$|\{\s*$|list\(|dict\(|set\("
    r"|new (?:Map|Set|ArrayList|HashMap)|make\(|deque\(|defaultdict\(|map\[)"
    r"|^var\s+\w+\s+(?:\[\]|map\[)"
)


def _lost(hunk: Hunk, pattern: re.Pattern[str]) -> list[str]:
    gone = [t for t in hunk.removed if pattern.search(code(t)) and not _PASSES_ON.search(t)]
    come = [t for t in hunk.added if pattern.search(code(t)) and not _PASSES_ON.search(t)]
    return gone if len(gone) > len(come) else []


def _won(hunk: Hunk, pattern: re.Pattern[str]) -> list[str]:
    come = [t for t in hunk.added if pattern.search(code(t))]
    gone = [t for t in hunk.removed if pattern.search(code(t))]
    return come if len(come) > len(gone) else []


def locks(text: Text) -> Iterator[Found]:
    """A lock that went, or one that now spans more."""
    for hunk in text.hunks:
        gone = _lost(hunk, _LOCK) or _lost(hunk, _LOCK_FIELD)
        if gone:
            yield Found("a lock was removed", 1.0, path=hunk.path)
        elif _won(hunk, _LOCK):
            yield Found("a lock was added", 0.6, (Kind.CONCURRENCY, Kind.LATENCY, Kind.TIMEOUT), path=hunk.path)


def guards(text: Text) -> Iterator[Found]:
    """A check for a missing value that went."""
    for hunk in text.hunks:
        gone = _lost(hunk, _CHECK)
        if gone and not _moved(gone, text):
            yield Found(f"check removed: {code(gone[0])[:60]}", 0.9, named=(), path=hunk.path)


def handlers(text: Text) -> Iterator[Found]:
    """An error that is no longer caught, or a fallback that went."""
    for hunk in text.hunks:
        if _lost(hunk, _HANDLED):
            yield Found("an error handler or fallback was removed", 0.7, path=hunk.path)


def leaks(text: Text) -> Iterator[Found]:
    """Something that outlives a request and only grows."""
    added = [(h, t) for h in text.hunks for t in h.added]
    everything = "\n".join(t for h in text.hunks for _, t in h.after)
    for hunk, line in added:
        lasting = _LASTING.match(line) and not _BOUND.search(line)
        if lasting:
            name = next(iter(re.findall(r"(?:var|const|let)?\s*([A-Za-z_]\w*)", line.strip())), "")
            name = re.sub(r"^(?:var|const|let)$", "", name) or _declared(line)
            grows = name and any(name in t and _GROWS.search(t) for _, t in added)
            bounded = any(name in t and _BOUND.search(t) for t in everything.splitlines())
            if grows and not bounded:
                yield Found(f"{name} grows and nothing takes from it", 1.0, path=hunk.path)
    for hunk in text.hunks:
        if _lost(hunk, _BOUND) and any(_GROWS.search(t) for _, t in hunk.lines):
            yield Found("a bound on growth was removed", 0.9, path=hunk.path)
        kept = [
            t
            for t in _won(
                hunk,
                re.compile(
                    r"self\.\w+\.(?:append|add|extend)\(|this\.\w+\.push\("
                    r"|self\.\w+\[[^\]]+\]\s*=[^=]"
                ),
            )
        ]
        if kept and not _BOUND.search(everything):
            yield Found("an instance keeps more with every call", 0.7, path=hunk.path)


def _declared(line: str) -> str:
    found = re.search(r"(?:var|const|let|static\s+[\w<>, ]+)\s+(\w+)", line)
    return found[1] if found else ""


def _moved(gone: list[str], text: Text) -> bool:
    """The same check stands somewhere else now."""
    come = {re.sub(r"\W+", "", code(t)) for h in text.hunks for t in h.added}
    return all(re.sub(r"\W+", "", code(t)) in come for t in gone)


RULES: tuple[Rule, ...] = (
    rule("lock", "concurrency", (Kind.CONCURRENCY,), locks, beside=(Kind.DATA,)),
    rule("guard", "missing_guard", (Kind.NULL,), guards),
    rule("handler", "error_handling", (Kind.STARTUP, Kind.NULL), handlers),
    rule("leak", "leak", (Kind.MEMORY, Kind.HANDLES), leaks),
)
