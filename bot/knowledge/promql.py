"""The PromQL queries of a runbook: found in its Markdown, freed of placeholders, and the metrics that they name.

This reads tokens, not the grammar: whether a query is one is for Prometheus to say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MOST = 60  # queries of one runbook
LONGEST = 2_000  # characters of a query
LINES = 40  # of a query
LOOKED_AT = 400_000  # characters of a runbook

_FENCE = re.compile(r"^\s{0,8}(`{3,}|~{3,})\s*([\w+-]*)")
_INLINE = re.compile(r"(?<!`)`([^`\n]{4,400})`(?!`)")
_EXPR = re.compile(r"^\s*(?:-\s+)?expr:\s*(?![|>])(\S.*)$")
_OPENS, _CLOSES = "([{", ")]}"
_GOES_ON = re.compile(
    r"(?:[-+*/%^,]|[<>=!]=?|==|!=|\b(?:and|or|unless|by|without|on|ignoring|group_left|group_right|bool|offset)(?:\s*\([^()]*\))?)\s*$"
)
_BELONGS = re.compile(r"^\s*(?:[-+*/%^)\]}<>=!]|(?:and|or|unless|by|without|on|ignoring|group_left|group_right|offset)\b)")
_STRING = re.compile(r"\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|`[^`]*`")
_COMMENT = re.compile(r"#.*$", re.MULTILINE)
_MATCHERS = re.compile(r"\{[^{}]*\}")
_RANGE = re.compile(r"\[[^\[\]]*\]")
_LABELS = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)")
_NUMBER = re.compile(r"(?<![\w:.])(?:0[xX][0-9a-fA-F]+|\d[\w.]*(?:[eE][-+]?\d+)?)")
_IDENTIFIER = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NAMED = re.compile(r"__name__\s*=\s*[\"']([a-zA-Z_:][a-zA-Z0-9_:]*)[\"']")
_WORDS = frozenset(
    re.findall(r"\w+", "and or unless by without on ignoring group_left group_right bool offset start end atan2 inf nan")
)
_AGGREGATORS = "sum|avg|min|max|count|topk|bottomk|quantile|stddev|stdvar|group|count_values|limitk"
_FUNCTIONS = (
    "rate|irate|increase|delta|idelta|deriv|predict_linear|histogram_quantile|histogram_avg|absent|absent_over_time|changes|"
    "resets|label_replace|label_join|clamp|clamp_min|clamp_max|avg_over_time|sum_over_time|max_over_time|min_over_time|"
    "count_over_time|quantile_over_time|last_over_time|present_over_time|sort|sort_desc"
)
_CALL = re.compile(rf"\b(?:(?:{_FUNCTIONS})\s*\(|(?:{_AGGREGATORS})\s*(?:\(|(?:by|without)\s*\())")
_SELECTOR = re.compile(r"\b[a-zA-Z_:][a-zA-Z0-9_:]*\{\s*[a-zA-Z_]\w*\s*(?:=~|!~|!=|=)\s*[\"']")
_SINCE = re.compile(r"\[\s*(?:\d+(?:ms|[smhdwy])|\$)")
_PROMPT = re.compile(r"^\s*[$>]\s+")
_PROSE = re.compile(
    r"(?i)(?:\b(?!(?:and|or|unless|by|without|on|ignoring|bool|offset|group_left|group_right)\b)[a-z']+[ ,]+){3}[a-z]+\b"
)
_SAMPLE = re.compile(r"\}\s+[-+]?[\d.]+(?:e[-+]?\d+)?(?:\s+\d+)?\s*$")  # as /metrics shows it
_SHELL = re.compile(
    r"\$\(|\|\||&&|;\s|(?<![<>=!])=\s*\$|^\s*(?:\$|sudo|kubectl|curl|echo|promtool|export|SELECT)\s|\|\s*\w", re.IGNORECASE
)

_STEP = re.compile(
    r"\$(?:\{)?__(?:rate_interval|interval|interval_ms)\}?|\$\{?(?:interval|rate|resolution|window)\}?|<(?:interval|range|window)>"
)
_SPAN = re.compile(r"\$\{?__range(?:_s|_ms)?\}?")
_PLACEHOLDER = re.compile(
    r"\{\{.{1,200}?\}\}|\$\{?[A-Za-z_][\w.:]*\}?|\[\[\w+\]\]|<[A-Za-z][\w .-]{0,40}>|\b(?:YOUR|MY)_[A-Z_]+\b|\.\.\.|…"
)
_VALUE = re.compile(r"([a-zA-Z_]\w*)\s*(?:=~|!~|!=|=)\s*(\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'|\$\{?\w+\}?|<[\w .-]+>)")


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it stands in a runbook, and as it can be asked; `runnable` "" where only a person can, and `why`."""

    text: str
    runnable: str
    why: str = ""


def queries(markdown: str) -> tuple[Query, ...]:
    """The PromQL of a runbook in its order, each once: blocks that say so, `expr:` lines, and what cannot be anything else."""
    found: dict[str, Query] = {}
    for text in _candidates(markdown):
        plain = _PROMPT.sub("", text).strip()
        if (
            plain
            and plain not in found
            and not _PROSE.search(_STRING.sub('""', plain))
            and len(plain) <= LONGEST
            and len(found) < MOST
        ):
            found[plain] = filled(plain)
    return tuple(found.values())


def _candidates(markdown: str) -> Iterator[str]:
    fence, language = "", ""
    block: list[str] = []
    for line in markdown[:LOOKED_AT].split("\n"):
        if len(line) > LONGEST:
            continue
        mark = _FENCE.match(line)
        if mark and (not fence or (mark[1].startswith(fence) and not mark[2])):
            if fence:
                yield from _of_block(block, language)
                block = []
            fence, language = ("", "") if fence else (mark[1], mark[2].lower())
        elif fence:
            block.append(line)
        else:
            yield from (code for code in _INLINE.findall(line) if looks_like(code))


def _of_block(block: list[str], language: str) -> Iterator[str]:
    if language in ("promql", "prometheus", "metricsql"):
        yield from statements(block)
    elif language in ("", "text", "txt"):
        yield from (s for s in statements(block) if looks_like(s))
    elif language in ("yaml", "yml"):
        for line in block:
            if (expr := _EXPR.match(line)) and looks_like(bare := _unquoted(expr[1].strip())):
                yield bare


def _unquoted(text: str) -> str:
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'" else text


def statements(lines: list[str]) -> Iterator[str]:
    """The lines of a block as one query each; a query goes on while a bracket is open or an operator stands between."""
    held: list[str] = []
    for line in lines:
        bare = _COMMENT.sub("", _STRING.sub('""', line)).rstrip()
        if not bare.strip():
            if held and (not line.strip() or line.lstrip().startswith("#")) and _depth(held) <= 0:
                yield "\n".join(held)
                held = []
            continue
        if len(held) > LINES:
            held = []
        if held and _depth(held) <= 0 and not _GOES_ON.search(_bare(held)) and not _BELONGS.match(line):
            yield "\n".join(held)
            held = []
        held.append(line.rstrip())
    if held:
        yield "\n".join(held)


def _bare(lines: list[str]) -> str:
    return _COMMENT.sub("", _STRING.sub('""', "\n".join(lines))).rstrip()


def _depth(lines: list[str]) -> int:
    bare = _bare(lines)
    return sum(bare.count(c) for c in _OPENS) - sum(bare.count(c) for c in _CLOSES)


def looks_like(text: str) -> bool:
    """It calls a function of PromQL over a span of time, or selects by labels, and is nothing of a shell."""
    if len(text) > LONGEST or _SHELL.search(_STRING.sub('""', text)) or _SAMPLE.search(text) or _depth([text]) != 0:
        return False
    return bool(_SELECTOR.search(text) or (_CALL.search(text) and _SINCE.search(text)))


def filled(text: str) -> Query:
    """The query with every label that waits for a value matching any; spans of time of a dashboard are 5m and 1h."""
    query = _SPAN.sub("1h", _STEP.sub("5m", text))

    def any_value(match: re.Match[str]) -> str:
        return f'{match[1]}=~".+"' if _PLACEHOLDER.search(match[2]) else match[0]

    query = _VALUE.sub(any_value, query)
    left = _PLACEHOLDER.search(_STRING.sub('""', query))
    if left:
        return Query(text, "", f"it holds the placeholder {left[0][:60]}")
    lines = (line if _STRING.search(line) else _COMMENT.sub("", line) for line in query.split("\n"))
    return Query(text, " ".join(plain for line in lines if (plain := line.strip())))


def metrics(query: str) -> tuple[str, ...]:
    """The names of metrics in a query, in their order, each once."""
    named = _NAMED.findall(query)
    plain = _COMMENT.sub(" ", _STRING.sub('""', query))
    for pattern in (_MATCHERS, _RANGE, _LABELS):
        plain = pattern.sub(" ", plain)
    plain = re.sub(r"\boffset\s+-?\w+|@\s*\S+", " ", plain)
    plain = _NUMBER.sub(" ", plain)
    found = [m[0] for m in _IDENTIFIER.finditer(plain) if m[0].lower() not in _WORDS and not re.match(r"\s*\(", plain[m.end() :])]
    return tuple(dict.fromkeys((*named, *(f for f in found if f not in _aggregations(plain)))))


def _aggregations(plain: str) -> frozenset[str]:
    """`sum by (x) (y)` has become `sum   (y)`; what stands before a bracket is a function, whatever lay between."""
    return frozenset(re.findall(rf"\b({_AGGREGATORS})\b(?=\s*\()", plain))
