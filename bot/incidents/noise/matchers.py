"""Label conditions as Alertmanager writes them: `service=payments`, `severity!="critical"`, `pod=~"web-.*"`."""

import re
from collections.abc import Iterable, Mapping, Sequence

from bot.domain.alert import Alert
from bot.domain.noise import Matcher
from bot.errors import NotFound
from bot.incidents.noise.pattern import BadPattern, compiled

_MATCHER = re.compile(r"^\s*([A-Za-z_][A-Za-z0-9_.:-]{0,99})\s*(=~|!~|!=|=)\s*(.*?)\s*$", re.DOTALL)
LONGEST_VALUE = 1000  # as long as the labels that are kept
MOST = 20  # matchers of one rule


class BadMatcher(NotFound):
    """A matcher cannot be read; the message shows a good one."""


def parse(text: str) -> Matcher:
    """One matcher. Raises BadMatcher."""
    found = _MATCHER.match(text[: LONGEST_VALUE + 200])
    if found is None:
        raise BadMatcher(f'{text[:60]!r} is not a matcher; a good one: service=payments or alertname=~"Disk.*"')
    label, sign, value = found[1], found[2], found[3]
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        value = value[1:-1]
    if sign in ("=~", "!~"):
        try:
            compiled(value)
        except BadPattern as error:
            raise BadMatcher(f"{label}{sign}{value[:60]!r}: {error}.") from None
    return Matcher(label, sign, value[:LONGEST_VALUE])


def parse_several(texts: Iterable[str]) -> tuple[Matcher, ...]:
    """Matchers, also as Alertmanager writes several in one: `{a="b", c=~"d.*"}`. Raises BadMatcher."""
    found: list[Matcher] = []
    for text in texts:
        inner = text.strip()
        inner = inner[1:-1] if inner.startswith("{") and inner.endswith("}") else inner
        found += [parse(part) for part in _parts(inner) if part.strip()]
    if len(found) > MOST:
        raise BadMatcher(f"{len(found)} matchers are too many; {MOST} are the most.")
    return tuple(found)


def _parts(text: str) -> Sequence[str]:
    """The parts between commas that are in no quotes, if each is a matcher of its own: `a=~"x,y", b=c` are two."""
    parts, quoted = [""], ""
    for character in text:
        if character in "\"'":
            quoted = "" if quoted == character else quoted or character
        if character == "," and not quoted:
            parts.append("")
        else:
            parts[-1] += character
    parts = [part for part in parts if part.strip()]
    return parts if all(_MATCHER.match(part) for part in parts) else [text]


def labels_of(alert: Alert) -> Mapping[str, str]:
    """What matchers look at: the alert's labels, with its service and environment by their proper names, and its name."""
    return {
        "alertname": alert.name,
        "severity": alert.severity.value.lower(),
        **alert.labels,
        "service": alert.service,
        "environment": alert.environment,
        "connector": alert.connector,
    }


def match(matchers: Sequence[Matcher], labels: Mapping[str, str]) -> bool:
    """All of them match; none at all match nothing."""
    return bool(matchers) and all(_one(m, labels.get(m.label, "")) for m in matchers)


def _one(matcher: Matcher, value: str) -> bool:
    if matcher.sign == "=":
        return value == matcher.value
    if matcher.sign == "!=":
        return value != matcher.value
    return compiled(matcher.value).matches(value[:LONGEST_VALUE]) == (matcher.sign == "=~")


def told(matchers: Sequence[Matcher]) -> str:
    """For people: service="payments", pod=~"web-.*"."""
    return ", ".join(map(str, matchers))


def too_wide(matchers: Sequence[Matcher]) -> bool:
    """None of them asks for anything: each would match an alert without that label."""
    return all(_one(m, "") for m in matchers)
