"""What a question means: its topic, which services, which span of time; a short one that goes on has some of it from before."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot.domain.interaction import Interaction
from bot.flows.desk import Desk
from bot.investigation import answers
from bot.investigation.answers import Topic

SHORT = 12  # words; a question that goes on is not longer
BARE = 3  # words; so few say nothing alone
_GOES_ON = re.compile(r"(?i)^\W*(?:and|also|what about|how about|then|same|or)\b|\b(?:it|its|that|this|there|them)\b")
_WHEN = re.compile(r"(?i)today|yesterday|hour|week")


@dataclass(frozen=True, slots=True)
class Meaning:
    """A question as it is understood: `text` is searched for, `when` names the span of time."""

    text: str
    topic: Topic
    services: tuple[str, ...]
    when: str


def meaning(text: str, earlier: Sequence[Interaction], desk: Desk) -> Meaning:
    """What the question means. "and payments?" after "what changed in checkout today?" asks what changed in payments today."""
    topic, services = answers.topic(text), mentioned(text, desk)
    before = next((e.question for e in reversed(earlier) if e.question), "")
    words = text.split()
    if not before or len(words) > SHORT or not (_GOES_ON.search(text) or len(words) <= BARE):
        return Meaning(text, topic, services, text)
    both = f"{text} {_without(before, mentioned(before, desk), desk) if services else before}"
    return Meaning(
        text=both,
        topic=answers.topic(before) if topic is Topic.RUNBOOK else topic,
        services=services or mentioned(before, desk),
        when=text if _WHEN.search(text) else both,
    )


def _without(text: str, services: Sequence[str], desk: Desk) -> str:
    """The text without the names of these services, which another one takes the place of."""
    names = {n.lower() for s in services for n in (s, *desk.catalogue().get(s).aliases)}
    return " ".join(w for w in text.split() if w.strip(".,;:!?\"'()`*").lower() not in names)


def mentioned(text: str, desk: Desk) -> tuple[str, ...]:
    """The services of the catalogue that a text names."""
    words = {w.strip(".,;:!?\"'()`*").lower() for w in text.split()}
    return tuple(s.name for s in desk.catalogue().services.values() if words & {s.name.lower(), *(a.lower() for a in s.aliases)})


def span(text: str, now: datetime) -> tuple[datetime, str]:
    """The span of time that a question names, since when and in words; one day otherwise. `now` is in the asker's zone."""
    lowered = text.lower()
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    if "today" in lowered:
        return midnight, f"today ({now:%Z})"
    if "yesterday" in lowered:
        return midnight - timedelta(days=1), f"since yesterday ({now:%Z})"
    if "hour" in lowered:
        return now - timedelta(hours=1), "in the last hour"
    if "week" in lowered:
        return now - timedelta(days=7), "in the last week"
    return now - timedelta(hours=24), "in the last 24 hours"


def zone_of(name: str) -> tzinfo:
    """The time zone of this name; UTC if there is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC
