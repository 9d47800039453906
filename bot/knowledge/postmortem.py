"""A past incident out of what people wrote: the headings of common postmortem templates tell what is what."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from bot.domain.document import DocumentKind
from bot.domain.past import PastIncident
from bot.knowledge.documents import parse, sections
from bot.knowledge.header import day_of
from bot.redact import clean, redact

LONGEST = 20_000  # characters of one text
SHORT = 1_000  # characters of a cause, a fix
_PARTS: Mapping[str, re.Pattern[str]] = {
    "cause": re.compile(r"(?i)\b(root cause|causes?|contributing factors?|why (it|did|this)|trigger)\b"),
    "fix": re.compile(r"(?i)\b(resolution|mitigations?|fix(ed)?|recovery|remediation|resolved|what helped)\b"),
    "change": re.compile(r"(?i)\b(change|deploy(ment)?|release)s?\b"),
    "symptoms": re.compile(r"(?i)\b(impact|symptoms?|detection|what happened|alerts?)\b"),
    "summary": re.compile(r"(?i)\b(summary|overview|description|abstract|synopsis|introduction)\b"),
}
TOP = 3_000  # characters in which lines "Date: ..." are looked for
_MEANS: Mapping[str, str] = {
    **dict.fromkeys(("date", "incident", "started", "start"), "started"),
    **dict.fromkeys(("resolved", "ended", "end"), "resolved"),
    "severity": "severity",
}
_LINES = re.compile(
    r"(?im)^(?:[-*+][ \t]+)?\**(date|incident date|(?:started|resolved|ended)(?: at)?|(?:start|end)(?: time)?|severity)\**"
    r"[ \t]*:[ \t*]*(\S[^\n]{0,60})$"
)
_DATED = re.compile(r"\d{4}-\d{2}-\d{2}(?!\d)")
_NOT_A_PART = re.compile(r"(?i)\b(action items?|lessons?|follow[- ]?ups?|timeline|prevent\w*|appendix|next steps?)\b")


def parts_of(text: str) -> tuple[dict[str, str], str]:
    """What the headings name ("cause", "fix", "change", "symptoms", "summary"), the first of each; and all the rest."""
    found: dict[str, str] = {}
    rest: list[str] = []
    for section in sections(text):
        named = "" if _NOT_A_PART.search(section.heading) else _part(section.heading)
        if named and section.text and named not in found:
            found[named] = section.text
        elif section.text:
            rest.append(f"## {section.heading}\n\n{section.text}" if section.heading else section.text)
    return found, "\n\n".join(rest)


def _part(heading: str) -> str:
    return next((name for name, words in _PARTS.items() if words.search(heading)), "")


def enriched(past: PastIncident, named: Callable[[str], str] = str) -> PastIncident:
    """The incident as it is kept: what its text says under headings stands in its place, secrets and hidden marks are gone.

    `named` is a service's own name for what somebody called it.
    """
    found, rest = parts_of(past.text[:LONGEST])
    cause, change, fix = (getattr(past, name) or _first_words(found.get(name, "")) for name in ("cause", "change", "fix"))
    seen = tuple(_plain(line, SHORT) for line in (past.symptoms or found.get("symptoms", "").splitlines())[:50])
    return replace(
        past,
        ref=clean(past.ref),
        severity=_line(past.severity, 100),
        title=_line(past.title, 300),
        services=tuple(dict.fromkeys(_line(named(s.strip()), 100) for s in past.services[:50] if s.strip())),
        alerts=tuple(dict.fromkeys(_line(a, 200) for a in past.alerts[:50] if a.strip())),
        symptoms=tuple(s for s in seen if s),
        summary=_plain(past.summary or found.get("summary", ""), LONGEST),
        cause=_line(cause, SHORT),
        change=_line(change, SHORT),
        fix=_line(fix, SHORT),
        text=_plain(rest, LONGEST),
        link=clean(past.link) if past.link.startswith(("https://", "http://")) else "",
    )


def read_postmortem(path: Path, root: Path) -> PastIncident | None:
    """One Markdown file, with its path below `root` as its id; None if there is nothing to read. Raises OSError."""
    with path.open("rb") as file:
        raw = file.read(2_000_000).decode("utf-8", "replace")
    name = path.relative_to(root).as_posix()
    page = parse(raw, name, DocumentKind.INCIDENT)
    if page is None:
        return None
    facts = {**_told(page.text, name), **page.facts}
    return PastIncident(
        ref=page.id.removeprefix(f"{DocumentKind.INCIDENT.value}:"),
        title=page.title,
        started=when(facts.get("started", "")),
        resolved=when(facts.get("resolved", "")),
        severity=facts.get("severity", "")[:40],
        services=page.services,
        alerts=page.alerts,
        cause=facts.get("cause", ""),
        change=facts.get("change", ""),
        fix=facts.get("fix", ""),
        link=page.link,
        text=page.text,
    )


def _told(text: str, name: str) -> dict[str, str]:
    """When it began and ended and how bad it was, as lines at the top say ("Date: 2 March 2026"), else the file's name."""
    found: dict[str, str] = {}
    if (dated := _DATED.match(name.rpartition("/")[2])) and (at := _moment(dated[0])):
        found["started"] = at.isoformat()
    for key, value in reversed(_LINES.findall(text[:TOP])):
        word, told = _MEANS[key.lower().split()[0]], value.strip().strip("*_`")
        if word == "severity":
            found[word] = told
        elif at := _moment(told):
            found[word] = at.isoformat()
    return found


def _moment(told: str) -> datetime | None:
    try:
        return when(told)
    except ValueError:
        day = day_of(told)
        return datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None


def when(told: str) -> datetime | None:
    """A point in time as people and tools write it: ISO 8601, a date, or seconds since 1970; UTC without a zone. None for "".

    Raises ValueError for anything else.
    """
    plain = told.strip()
    if not plain:
        return None
    if re.fullmatch(r"\d{10}(\d{3})?", plain):
        seconds = int(plain[:10])
        return datetime.fromtimestamp(seconds, UTC)
    at = datetime.fromisoformat(re.sub(r"\s*UTC$", "+00:00", plain.replace("/", "-")))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _first_words(text: str) -> str:
    """The first paragraph, which says it in short."""
    return next((p for p in re.split(r"\n\s*\n", text) if p.strip()), "")


def _plain(text: str, most: int) -> str:
    return redact(clean(text))[:most].strip()


def _line(text: str, most: int) -> str:
    return _plain(" ".join(text.split()), most)
