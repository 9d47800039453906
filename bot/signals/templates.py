"""Log lines grouped by what they say: what varies is masked, then lines that differ at an open place only are one template."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.telemetry import LogLine
from bot.signals.likeness import joined
from bot.signals.masking import AMOUNT, signature

MOST = 2000  # different masked lines of a service; lines beyond that are counted in one rest template
REST = "(other lines)"
EMPTY = "(empty)"
WILD = "<*>"
NEGATIVE_LEVELS = frozenset({"WARN", "WARNING", "ERROR", "FATAL", "CRITICAL", "PANIC", "EMERGENCY", "ALERT"})


@dataclass(slots=True)
class Template:
    """What many lines say: the text with <*> for what varies, how often, when first, one example."""

    service: str
    text: str
    count: int = 0
    first: datetime | None = None
    last: datetime | None = None
    level: str = ""
    example: str = ""
    times: list[datetime] = field(default_factory=list)
    weights: list[float] = field(default_factory=list)  # how many lines of the source stand behind each of the times

    @property
    def negative(self) -> bool:
        """Its lines were logged as warnings or worse."""
        return self.level in NEGATIVE_LEVELS


@dataclass(frozen=True, slots=True)
class Growth:
    """A template before and during the trouble: `before` and `during` are counts; `new` if it was never seen before.

    `sampled` if a source let only a part of the lines through: the counts are about right.
    """

    service: str
    text: str
    level: str
    before: int
    during: int
    first: datetime | None
    example: str
    negative: bool
    sampled: bool = False

    @property
    def new(self) -> bool:
        """It was not seen while all was well."""
        return self.before == 0


def templates(lines: Iterable[LogLine]) -> tuple[Template, ...]:
    """The templates of some log lines, most frequent first; never fails, whatever the lines hold."""
    by_service: dict[str, list[tuple[str, LogLine]]] = {}
    masked: dict[str, str] = {}
    for line in lines:
        shape = masked.get(line.text)
        if shape is None:
            shape = masked[line.text] = signature(line.text) or EMPTY
        by_service.setdefault(line.service, []).append((shape, line))
    found: dict[tuple[str, str], Template] = {}
    for service, shaped in by_service.items():
        loud = {shape for shape, line in shaped if line.level.upper() in NEGATIVE_LEVELS}
        texts = _texts(Counter(shape for shape, _ in shaped), loud)
        for shape, line in shaped:
            text = texts[shape]
            known = found.get((service, text))
            if known is None:
                known = found[service, text] = Template(service, text)
            _absorb(known, line)
    return tuple(sorted(found.values(), key=lambda t: (-t.count, t.service, t.text)))


def _texts(counts: Mapping[str, int], loud: Collection[str]) -> dict[str, str]:
    """The template's text for each masked line; of too many different ones the rare ones that warn of nothing are left out."""
    kept = sorted(counts, key=lambda shape: (shape not in loud, -counts[shape]))[:MOST]
    texts = {shape: text.replace(AMOUNT, WILD) for shape, text in joined({shape: counts[shape] for shape in kept}).items()}
    return {shape: texts.get(shape, REST) for shape in counts}


def growth(lines: Sequence[LogLine], healthy_until: datetime, since: datetime | None = None) -> tuple[Growth, ...]:
    """Each template's count from `since` up to `healthy_until` and after it; new and most grown ones first.

    Where a source let only a sample of its lines through, each counts for as many as it stands for.
    """
    found = []
    for t in templates(line for line in lines if since is None or line.at >= since):
        seen = tuple(zip(t.times, t.weights, strict=True))
        before = round(sum(weight for at, weight in seen if at < healthy_until))
        during = round(sum(weight for at, weight in seen if at >= healthy_until))
        first = min((at for at in t.times if at >= healthy_until), default=None)
        sampled = any(weight != 1.0 for weight in t.weights)
        found.append(Growth(t.service, t.text, t.level, before, during, first, t.example, t.negative, sampled))
    return tuple(sorted(found, key=lambda g: (not g.new, -(g.during / (g.before + 1)), g.service, g.text)))


def _example(text: str) -> str:
    """The beginning of a line, and its end, where a stack trace says what went wrong."""
    return text if len(text) <= 1200 else f"{text[:400]} … {text[-800:]}"


def _absorb(known: Template, line: LogLine) -> None:
    known.count += 1
    known.times.append(line.at)
    known.weights.append(line.stands_for)
    known.first = min(known.first or line.at, line.at)
    known.last = max(known.last or line.at, line.at)
    if not known.example:
        known.example = _example(line.text)
    if not known.level or line.level.upper() in NEGATIVE_LEVELS:
        known.level = line.level.upper()
