"""What a log source answers about one service: all lines of a window, or a sample that knows what it stands for.

Where a limit cut an answer, each line that is left stands for several, so that counts before and during trouble can be compared.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from bot.domain.telemetry import LogLine, Readings, SourceStatus, Window
from bot.errors import BotError
from bot.wire.loglines import RawLine, read_lines


@dataclass(frozen=True, slots=True)
class Part:
    """Lines of one kind out of a window, and how many of them there are in all, `counted` by the source or guessed.

    `what` says which lines these are ("others", "" for all kinds), `how` which of them are here if not all ("first 10").
    """

    what: str
    lines: Sequence[RawLine]
    total: float
    how: str
    counted: bool = True

    @property
    def whole(self) -> bool:
        """No line of this kind is missing."""
        return self.counted and self.total <= len(self.lines)


async def answered(
    reading: Readings,
    title: str,
    whole: Callable[[], Awaitable[tuple[Sequence[RawLine], bool]]],
    sample: Callable[[], Awaitable[Sequence[Part]]],
) -> Readings:
    """The reading with the lines that the source told, and why if it told none.

    `whole` gives lines and whether these are all; only if not, `sample` is asked. What either of them raises is a failure
    of the reading; its reason names the source by `title`.
    """
    try:
        raw, ended = await whole()
        parts = () if ended else await sample()
    except BotError as error:
        return replace(reading, status=SourceStatus.FAILED, reason=_failure(title, error))
    lines = read_lines(raw) if ended else sampled(parts)
    if not lines:
        return replace(reading, status=SourceStatus.NO_DATA, reason="no lines match")
    return replace(reading, status=SourceStatus.OK, reason=cut(parts), logs=lines)


def sampled(parts: Iterable[Part]) -> tuple[LogLine, ...]:
    """What the lines of all parts say, each standing for as many as its part has lines for one that is here."""
    found: list[RawLine] = []
    for part in parts:
        each = max(1.0, part.total / len(part.lines)) if part.lines else 1.0
        found.extend(part.lines if each == 1.0 else (replace(line, stands_for=each) for line in part.lines))
    return read_lines(found)


def both_ends(first: Sequence[RawLine], last: Sequence[RawLine], limit: int) -> tuple[RawLine, ...]:
    """The first and last lines of a window, in order, none twice; fewer first ones than the limit are all there are."""
    if len(first) < limit or not last:
        return tuple(first)
    return (*(line for line in first if line.at < last[0].at), *last)


def guessed(lines: Sequence[RawLine], window: Window) -> float:
    """About how many lines a window has whose first and last lines these are, half of them each: as dense as they are."""
    if len(lines) < 4:
        return len(lines)
    half = len(lines) // 2
    spans = ((lines[half - 1].at - lines[0].at), (lines[-1].at - lines[half].at))
    seconds = max(sum(span.total_seconds() for span in spans), 0.001)
    return max(len(lines), len(lines) * (window.end - window.start).total_seconds() / seconds)


def cut(parts: Sequence[Part]) -> str:
    """The sentence that says which part of a window's lines these are; "" where none is missing."""
    if all(part.whole for part in parts):
        return ""
    which = [f"{f'all {len(part.lines):,}' if part.whole else part.how} {part.what}".strip() for part in parts if part.lines]
    guess = "" if all(part.counted for part in parts) else ", as dense as these are"
    total = _rough(round(sum(part.total for part in parts)))
    return f"{' and '.join(which)} of about {total:,} lines{guess}; counts are scaled up to that"


def _failure(title: str, error: BotError) -> str:
    """The reason of a reading that failed; it names the source."""
    said = str(error)
    return (said if title in said else f"The answer of {title} is not as documented: {said}")[:400]


def _rough(count: int) -> int:
    """Two leading digits."""
    zeros = max(0, len(str(count)) - 2)
    return round(count, -zeros)
