"""Work that a change adds: calls in a loop, heavier queries, more log lines, more time series."""

import re
from collections.abc import Iterator
from itertools import pairwise

from bot.investigation.diff import Hunk, code
from bot.investigation.rules.rule import Found, Rule, Text, rule
from bot.investigation.vocabulary import Kind

_LOOP = re.compile(r"^\s*(?:async\s+)?(?:for|while|foreach)\b|\.(?:forEach|map|each)\(|\bfor\b.+\bin\b.+[\])]$")
_ASKS = re.compile(
    r"(?i)(?:\bawait\b|\.)\s*(?:\w+\.)*\w*(?:query|fetch|select|execute|find|request|http|rpc|lookup|load|call|send|publish|post|scan|list|get)\w*\s*\("
    r"|\bSELECT\s+[\w*(]+.*\bFROM\b"
)
_HARMLESS = re.compile(
    r"(?i)\b(?:log|logger|logging|console|metrics?|fmt|dict|map|os|environ|headers?|settings|config|kwargs|args|params|labels?)\.\w+\(|[\w\])]\.get\(\s*[\"']|\.get\([^()]*,[^()]*\)"
)
_LOGS = re.compile(r"(?i)\b(?:log|logger|logging|console|print|fmt\.print)\w*\s*(?:\.|\(|!)")
_REQUEST_ID = re.compile(
    r"(?i)(?:user|request|session|trace|order|customer|tenant|client|account|email|ip|url|path|query|sku)_?(?:id|key|name|addr\w*)?"
)


def _looped_calls(hunk: Hunk) -> list[str]:
    """Added lines that ask something and stand inside a loop, as the hunk reads now."""
    found: list[str] = []
    depth: list[int] = []
    for sign, raw in hunk.after:
        text = code(raw)
        if not text:
            continue
        indent = len(raw.expandtabs(4)) - len(raw.expandtabs(4).lstrip())
        while depth and indent <= depth[-1] and not text.startswith(("}", ")", "]")):
            depth.pop()
        if sign == "+" and depth and _ASKS.search(text) and not _HARMLESS.search(text):
            found.append(text)
        if _LOOP.search(raw):
            if (
                sign == "+"
                and re.search(r"\[.*(?:await|\.\w*(?:get|fetch|query|load|find)\w*\().*\bfor\b", raw)
                and not _HARMLESS.search(text)
            ):
                found.append(text)
            depth.append(indent)
    return found


def fan_outs(text: Text) -> Iterator[Found]:
    """One question per item, where one question would do."""
    for hunk in text.hunks:
        found = _looped_calls(hunk)
        before = [t for t in hunk.removed if _ASKS.search(code(t)) and not _HARMLESS.search(code(t))]
        if found and len(before) < len([t for t in hunk.added if _ASKS.search(code(t))]) + 1:
            called = [n for n in re.findall(r"(\w+)\s*\(", found[0]) if _ASKS.search(f".{n}(")]
            yield Found(f"{called[-1] if called else 'a call'} is now called once per item", 0.9, path=hunk.path)


def queries(text: Text) -> Iterator[Found]:
    """A query that reads more: no limit, no filter, no index, a pattern that no index helps."""
    kinds = (Kind.DATABASE, Kind.LATENCY, Kind.TIMEOUT, Kind.MEMORY, Kind.CPU)
    for hunk in text.hunks:
        gone, come = " ".join(hunk.removed), " ".join(hunk.added)
        if re.search(r"(?i)\bdrop\s+index\b|remove_index|drop_index", come):
            yield Found("an index was dropped", 1.0, kinds, path=hunk.path)
        if re.search(r"(?i)\bselect\b", come) or re.search(r"(?i)\bselect\b", gone):
            for clause in ("limit", "where", "indexed"):
                if re.search(rf"(?i)\b{clause}\b", gone) and not re.search(rf"(?i)\b{clause}\b", come):
                    yield Found(f"a query lost its {clause.upper()}", 0.9, kinds, path=hunk.path)
            if re.search(r"(?i)like\s*['\"]?%|\blower\(\w+\)\s*=|ilike|order by rand", come) and not re.search(
                r"(?i)like\s*['\"]?%", gone
            ):
                yield Found("a query that no index helps", 0.8, kinds, path=hunk.path)


def heavy_work(text: Text) -> Iterator[Found]:
    """Computation on the way of every request: loops in loops, patterns that backtrack, blocking calls in an event loop."""
    kinds = (Kind.CPU, Kind.LATENCY, Kind.TIMEOUT)
    for hunk in text.hunks:
        come = "\n".join(hunk.added)
        if re.search(r"\((?:[^()]*[+*])\)[+*]", come) and re.search(r"(?i)re\.|regex|pattern|match", come):
            yield Found("a pattern that can backtrack without end", 0.9, kinds, path=hunk.path)
        loops = [len(t.expandtabs(4)) - len(t.expandtabs(4).lstrip()) for t in hunk.added if _LOOP.search(t)]
        if any(b > a for a, b in pairwise(loops)):
            yield Found("a loop inside a loop was added", 0.6, kinds, path=hunk.path)


def log_volume(text: Text) -> Iterator[Found]:
    """Many more log lines: a lower level, or a line per item."""
    kinds = (Kind.LOGS, Kind.DISK, Kind.CPU)
    for edit in text.edits:
        if (
            "level" in edit.key.lower()
            and re.search(r"(?i)debug|trace", edit.new)
            and not re.search(r"(?i)debug|trace", edit.old)
        ):
            yield Found(edit.text, 0.9, kinds, path=edit.path)
        if re.search(r"(?i)^debug$|verbose", edit.key) and edit.new.lower() == "true":
            yield Found(edit.text, 0.8, kinds, path=edit.path)
    for hunk in text.hunks:
        inside = False
        for sign, raw in hunk.after:
            if _LOOP.search(raw):
                inside = True
            elif inside and sign == "+" and _LOGS.search(code(raw)):
                yield Found("a log line per item was added", 0.6, kinds, path=hunk.path)
                break
        if any(re.search(r"(?i)log\w*\.\w+\(.*(?:body|payload|dump|json\.dumps|%\+v)", t) for t in hunk.added):
            yield Found("whole payloads are logged", 0.8, kinds, path=hunk.path)


def metric_labels(text: Text) -> Iterator[Found]:
    """A label with as many values as there are users or requests."""
    labelled = re.compile(
        r"(?i)label|\.labels?\(|WithLabelValues|with_label|tags?\s*[=:(]|(?:counter|histogram|gauge)\w*\(|attributes?"
    )
    for hunk in text.hunks:
        for line in hunk.added:
            if (
                labelled.search(line)
                and _REQUEST_ID.search(line)
                and re.search(r"(?i)metric|counter|histogram|gauge|prometheus|statsd|label", line + hunk.path + hunk.header)
            ):
                wide = re.search(
                    r"(?i)\b\w*(?:user|request|session|trace|order|customer|email|url|path|ip)\w*", line[line.find("(") :]
                )
                if wide:
                    yield Found(f"a metric got the label {wide[0]}", 0.8, path=hunk.path)
                    break


RULES: tuple[Rule, ...] = (
    rule("fan_out", "query_fan_out", (Kind.CALLS, Kind.DATABASE), fan_outs, beside=(Kind.LATENCY, Kind.TIMEOUT, Kind.POOL)),
    rule("query", "query", (Kind.DATABASE, Kind.LATENCY), queries),
    rule("heavy_work", "slow_work", (Kind.CPU, Kind.LATENCY), heavy_work),
    rule("log_volume", "log_volume", (Kind.LOGS, Kind.DISK), log_volume),
    rule("metric_label", "metric_label", (Kind.SERIES, Kind.MEMORY), metric_labels),
)
