"""A past incident as a document: what was seen, what it was, what had been changed, what helped, how long it took."""

from datetime import datetime, timedelta

from bot.domain.document import Document, DocumentKind
from bot.domain.past import PastIncident, Surroundings
from bot.redact import clean, redact

LONGEST = 20_000  # characters of a past incident that are searched
NAMES = 50  # services, alerts or neighbours of one incident that are kept


def document_of(past: PastIncident, around: Surroundings | None = None, neighbours: tuple[str, ...] = ()) -> Document:
    """The document of a past incident; the same incident keeps its id. `neighbours` serve where nobody kept those of then.

    Ours is trusted, because a person confirmed its cause; one from another tool says where it comes from and is not.
    """
    around = around or Surroundings(neighbours)
    name = f"{past.origin}:{past.ref}" if past.origin else past.ref
    seen = "\n".join(f"- {line}" for line in dict.fromkeys(past.symptoms) if line)
    parts = {
        "Summary": past.summary,
        "Symptoms": seen,
        "Cause": past.cause,
        "Change": past.change,
        "What fixed it": past.fix,
    }
    told = [f"## {heading}\n\n{body}" for heading, body in parts.items() if body]
    text = "\n\n".join([*told, *([past.text] if past.text else [])])
    return Document(
        id=f"{DocumentKind.INCIDENT.value}:{name}",
        kind=DocumentKind.INCIDENT,
        title=_line(past.title) or name,
        text=redact(clean(text))[:LONGEST],
        link=past.link or around.link,
        services=past.services[:NAMES],
        alerts=past.alerts[:NAMES],
        trusted=not past.origin,
        source=past.origin,
        updated=past.resolved or past.started,
        facts=_facts(past, around),
    )


def _facts(past: PastIncident, around: Surroundings) -> dict[str, str]:
    took = past.resolved - past.started if past.started and past.resolved else None
    facts = {
        "severity": past.severity,
        "started": _time(past.started),
        "resolved": _time(past.resolved),
        "took": lasted(took) if took is not None and took >= timedelta(0) else "",
        "cause": _line(past.cause),
        "change": _line(past.change),
        "change_kind": past.change_kind or around.change_kind,
        "fix": _line(past.fix),
        "neighbours": ", ".join(around.neighbours[:NAMES]),
        "confirmed_by": past.confirmed_by,
        "origin": past.origin,
    }
    return {key: value for key, value in facts.items() if value}


def lasted(span: timedelta) -> str:
    """A length of time as people say it: "12 min", "2 h 5 min", "3 d 4 h"."""
    minutes = max(1, round(span.total_seconds() / 60))
    days, rest = divmod(minutes, 24 * 60)
    hours, minutes = divmod(rest, 60)
    parts = [(days, "d"), (hours, "h"), (minutes, "min")]
    return " ".join([f"{n} {unit}" for n, unit in parts if n][:2])


def _time(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _line(text: str) -> str:
    return redact(clean(" ".join(text.split())))[:1_000]
