"""Log lines grouped by what they say. A small Drain (He et al., 2017): masked tokens, a fixed-depth tree, merged by likeness."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.telemetry import LogLine

LIKENESS = 0.6  # share of equal tokens that makes two lines one template
LONGEST = 60  # tokens; the rest of a line is not looked at
MOST = 2000  # templates; lines beyond that are counted in one rest template per service
WILD = "<*>"
NEGATIVE_LEVELS = frozenset({"WARN", "WARNING", "ERROR", "FATAL", "CRITICAL", "PANIC", "EMERGENCY", "ALERT"})

_MASKS = (
    re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", re.I),
    re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d\S*"),
    re.compile(r"\b0x[0-9a-f]+\b", re.I),
    re.compile(r"\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b", re.I),
    re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"),
    re.compile(r"(?<![A-Za-z_])[-+]?\d+(?:[.,]\d+)*(?:ms|us|ns|s|m|h|d|%|[kKMGT]i?B?)?\b"),
)


@dataclass(slots=True)
class Template:
    """What many lines say: the text with <*> for what varies, how often, when first, one example."""

    service: str
    tokens: list[str]
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    level: str = ""
    example: str = ""
    times: list[datetime] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The template as people read it."""
        return " ".join(self.tokens)

    @property
    def negative(self) -> bool:
        """Its lines were logged as warnings or worse."""
        return self.level in NEGATIVE_LEVELS


@dataclass(frozen=True, slots=True)
class Growth:
    """A template before and during the trouble: `before` and `during` are counts; `new` if it was never seen before."""

    service: str
    text: str
    level: str
    before: int
    during: int
    first: datetime | None
    example: str
    negative: bool

    @property
    def new(self) -> bool:
        """It was not seen while all was well."""
        return self.before == 0


def mask(text: str) -> list[str]:
    """The tokens of a line's first line, numbers, times, ids and addresses replaced by <*>."""
    line = text.strip().split("\n", 1)[0]
    for pattern in _MASKS:
        line = pattern.sub(WILD, line)
    return line.split()[:LONGEST]


def templates(lines: Iterable[LogLine]) -> tuple[Template, ...]:
    """The templates of some log lines, most frequent first; never fails, whatever the lines hold."""
    tree: dict[tuple[str, int, str], list[Template]] = {}
    count = 0
    for line in lines:
        tokens = mask(line.text) or ["(empty)"]
        head = tokens[0] if not any(c.isdigit() for c in tokens[0]) else WILD
        if count >= MOST:
            tokens, head = ["(other lines)"], "(other lines)"
        leaf = tree.setdefault((line.service, len(tokens), head), [])
        known = _closest(leaf, tokens)
        if known is None:
            known = Template(line.service, list(tokens))
            leaf.append(known)
            count += 1
        _absorb(known, tokens, line)
    every = [t for leaf in tree.values() for t in leaf]
    return tuple(sorted(every, key=lambda t: (-t.count, t.service, t.text)))


def growth(lines: Sequence[LogLine], healthy_until: datetime, since: datetime | None = None) -> tuple[Growth, ...]:
    """Each template's count from `since` up to `healthy_until` and after it; new and most grown ones first."""
    found = []
    for t in templates(line for line in lines if since is None or line.at >= since):
        before = sum(at < healthy_until for at in t.times)
        after = [at for at in t.times if at >= healthy_until]
        first = min(after, default=None)
        found.append(Growth(t.service, t.text, t.level, before, len(after), first, t.example, t.negative))
    return tuple(sorted(found, key=lambda g: (not g.new, -(g.during / (g.before + 1)), g.service, g.text)))


def _closest(leaf: list[Template], tokens: Sequence[str]) -> Template | None:
    best, likeness = None, LIKENESS
    for known in leaf:
        same = sum(a == b for a, b in zip(known.tokens, tokens, strict=True)) / len(tokens)
        if same >= likeness:
            best, likeness = known, same
    return best


def _example(text: str) -> str:
    """The beginning of a line, and its end, where a stack trace says what went wrong."""
    return text if len(text) <= 1200 else f"{text[:400]} … {text[-800:]}"


def _absorb(known: Template, tokens: Sequence[str], line: LogLine) -> None:
    known.tokens = [a if a == b else WILD for a, b in zip(known.tokens, tokens, strict=True)]
    known.count += 1
    known.times.append(line.at)
    known.first = min(known.first or line.at, line.at)
    known.last = max(known.last or line.at, line.at)
    if not known.example:
        known.example = _example(line.text)
    if not known.level or line.level.upper() in NEGATIVE_LEVELS:
        known.level = line.level.upper()
