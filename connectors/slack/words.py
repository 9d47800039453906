"""The words by which monitors say in a chat that something fires, is over or was taken, and what else stands in a line.

Alertmanager's and Grafana's default titles are "[FIRING:2] <group labels> (<other common labels>)" and "[RESOLVED] ...";
Datadog writes "Triggered: [P2] <name>" and "Recovered: ..."; PagerDuty "Triggered #12: <name>".
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """What a message says of its alert."""

    FIRING = "firing"
    RESOLVED = "resolved"
    ACKNOWLEDGED = "acknowledged"


_FIRING = (
    "firing", "alerting", "triggered", "re-triggered", "retriggered", "renotify", "problem", "down", "no data", "nodata",
    "critical", "crit", "fatal", "warning", "warn", "error", "alert", "alarm", "open", "opened", "degraded", "outage", "reopened",
)  # fmt: skip
_OVER = ("resolved", "ok", "recovered", "recovery", "closed", "up", "normal", "cleared", "auto-resolved", "autoresolved", "fixed")
_TAKEN = ("acknowledged", "acked", "ack")
STATES: Mapping[str, State] = {
    **dict.fromkeys(_FIRING, State.FIRING),
    **dict.fromkeys(_OVER, State.RESOLVED),
    **dict.fromkeys(_TAKEN, State.ACKNOWLEDGED),
}
_WORDS = "|".join(re.escape(word) for word in sorted(STATES, key=len, reverse=True))
_SIGNS = re.compile(r"^(?::[a-z0-9_+-]{1,40}:|[^\w\[\]()<>#\"'/@$.-])+", re.IGNORECASE)  # emoji and dashes ahead of the words
_BRACKET = re.compile(
    r"^\[\s*([A-Za-z][A-Za-z -]{0,30}?)(?:\s*:\s*\d+)?(?:,\s*RESOLVED\s*:\s*\d+)?(?:\s+on\s[^\]]{0,200})?\s*\]\s*"
)
_PRIORITY = re.compile(r"^\[(P[0-5]|SEV-?[1-4])\]\s*", re.IGNORECASE)
_COLON = re.compile(rf"^({_WORDS})\s*(?::|[-\u2013\u2014|]\s|(?=#\d))\s*", re.IGNORECASE)
_SUFFIX = re.compile(r"\s*\(([^()]{0,300})\)\s*$")
_LATER = re.compile(
    r"(?im)^\W*(?:(?:issue|incident|alert|status)\W{0,3})?(resolved|recovered|closed|acknowledged)\b(?=\s+by\b|\W*$|:)"
)
_PAIR = re.compile(r"^[\W_]{0,8}([A-Za-z][\w ./-]{0,40}?)\s{0,3}[:=]\s{0,3}(.{1,300})$")
_TAG = re.compile(
    r"(?<![\w:/])(service|env|environment|host|kube_namespace|kube_deployment|team|alertname|severity):([\w./-]{1,100})"
)
_NAME = re.compile(r"^[A-Z][a-z0-9]+(?:[A-Z_][A-Za-z0-9_]*)+$")


@dataclass(frozen=True, slots=True)
class Headline:
    """A title read: `subject` is what stays the same while the alert does, `told` also what stood in brackets after it."""

    state: State | None
    subject: str
    told: str = ""
    bracketed: bool = False
    priority: str = ""
    extras: tuple[str, ...] = ()


def headline(title: str) -> Headline:
    """What a title says, its state and priority taken off its front."""
    state, bracketed, priority, left = None, False, "", title.strip()
    for _ in range(6):
        left = _SIGNS.sub("", left)
        if found := _PRIORITY.match(left):
            priority = found[1]
        elif (found := _BRACKET.match(left)) and found[1].lower() in STATES:
            state, bracketed = state or STATES[found[1].lower()], True
            priority = priority or found[1]
        elif found := _COLON.match(left):
            state = state or STATES[found[1].lower()]
            priority = priority or found[1]
        else:
            break
        left = left[found.end() :]
    told = left.strip()
    extras = _SUFFIX.search(told) if bracketed else None
    subject = told[: extras.start()].strip() if extras else told
    return Headline(state, subject or told, told, bracketed, priority, tuple(extras[1].split()) if extras else ())


def said_later(text: str) -> State | None:
    """What a line below the title says became of it: "Resolved by @anna"."""
    found = _LATER.search(text)
    return STATES[found[1].lower()] if found else None


def word(text: str) -> State | None:
    """The state that a field's value is."""
    return STATES.get(text.strip().lower()) or STATES.get(text.strip().partition(" ")[0].lower())


def pairs(text: str, fields: Mapping[str, str]) -> dict[str, str]:
    """What fields, lines like "service: cart" and tags like "service:cart" say; a name that has two values says nothing."""
    found: dict[str, set[str]] = {}
    for name, value in _told(text, fields):
        key = re.sub(r"[ ./-]+", "_", name.strip().lower())
        short = " ".join(value.split()).strip(" `*_\"'")
        if short and len(short) <= 80:
            found.setdefault(key, set()).add(short)
    return {key: next(iter(values)) for key, values in found.items() if len(values) == 1}


def _told(text: str, fields: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    yield from fields.items()
    for said in text.splitlines()[:200]:
        if match := _PAIR.match(said):
            yield match[1], match[2]
        yield from _TAG.findall(said[:1000])


def name_of(head: Headline, known: Mapping[str, str]) -> str:
    """The alert's name: what a label says if the title says it too, Alertmanager's first word, else the whole subject."""
    told = known.get("alertname", "")
    if told and told.lower() in head.subject.lower():
        return told
    first = head.subject.partition(" ")[0]
    return first if head.bracketed and _NAME.match(first) else head.subject


def by_color(color: str) -> State | None:
    """What an attachment's colour says: green is over, red, orange and yellow fire."""
    named = {"good": State.RESOLVED, "danger": State.FIRING, "warning": State.FIRING}
    if color in named:
        return named[color]
    if not re.fullmatch(r"#?[0-9a-f]{6}", color):
        return None
    red, green, blue = (int(color.lstrip("#")[i : i + 2], 16) for i in (0, 2, 4))
    if green > 1.2 * red and green > blue:
        return State.RESOLVED
    return State.FIRING if red > 1.2 * blue and red >= green else None
