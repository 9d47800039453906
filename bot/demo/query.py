"""The two query languages as far as the estate speaks them: plain selectors with label matchers, nothing more."""

import re
from dataclasses import dataclass
from datetime import datetime

from bot.demo.series import Labels

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_SELECTOR = re.compile(rf"^\s*({_NAME})?\s*(?:\{{(.*)\}})?\s*$", re.DOTALL)
_MATCHER = re.compile(r'\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(,|$)')
LONGEST_QUERY = 2_000


class BadQuery(ValueError):
    """The query, or a parameter of it, is not understood."""


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric name (or None) and label matchers as (label, operator, value)."""

    name: str | None
    matchers: tuple[tuple[str, str, str], ...]

    def matches(self, labels: Labels) -> bool:
        """Whether a series with these labels is selected; a missing label counts as empty."""
        having = dict(labels)
        return all(_holds(having.get(label, ""), operator, value) for label, operator, value in self.matchers)


def parse_selector(text: str) -> Selector:
    """The selector that the query is. Raises BadQuery for everything else, such as functions and arithmetic."""
    found = _SELECTOR.match(text) if len(text) <= LONGEST_QUERY else None
    if not found or (found[1] is None and not (found[2] or "").strip()):
        raise BadQuery('parse error: only a plain selector such as name{label="value"} is understood here')
    matchers, rest, name = [], (found[2] or "").strip(), found[1]
    while rest:
        matcher = _MATCHER.match(rest)
        if not matcher:
            raise BadQuery(f"parse error: unexpected {rest[:20]!r} in label matching")
        label, operator, value = matcher[1], matcher[2], re.sub(r"\\(.)", r"\1", matcher[3])
        if operator in ("=~", "!~"):
            value = _checked(matcher[3].replace("\\\\", "\\"))
        if label == "__name__" and operator == "=":
            name = value
        else:
            matchers.append((label, operator, value))
        rest = rest[matcher.end() :].strip()
    return Selector(name, tuple(matchers))


def parse_time(text: str) -> float:
    """Seconds since the epoch, from a number or an RFC 3339 time."""
    try:
        return float(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
    except ValueError:
        raise BadQuery(f"cannot parse {text[:40]!r} to a valid timestamp") from None


def parse_duration(text: str) -> float:
    """Seconds, from a number or a duration such as 15s, 1m or 500ms."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "": 1.0}
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|)", text)
    if not found:
        raise BadQuery(f"cannot parse {text[:40]!r} to a valid duration")
    return float(found[1]) * units[found[2]]


def _checked(pattern: str) -> str:
    if len(pattern) > 200 or re.search(r"[*+}]\)?[*+{]", pattern):
        raise BadQuery("the regular expression is too long or repeats a repetition")
    try:
        re.compile(pattern)
    except re.error as error:
        raise BadQuery(f"parse error: {error}") from None
    return pattern


def _holds(having: str, operator: str, value: str) -> bool:
    if operator == "=":
        return having == value
    if operator == "!=":
        return having != value
    return (re.fullmatch(value, having) is not None) == (operator == "=~")
