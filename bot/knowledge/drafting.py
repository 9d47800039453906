"""A runbook as a draft: what was seen, what it was and what people did, as Markdown with front matter. Pure.

Names of people stay out. What others worded stands in list items, where it can make no heading, no link and no front matter.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bot.domain.action import Action, ActionStatus
from bot.domain.document import Audience
from bot.domain.evidence import Diagnosis, Evidence, EvidenceKind
from bot.domain.incident import Entry, EntryKind, Incident
from bot.errors import NotAllowed
from bot.redact import clean, redact

LONGEST = 20_000  # characters of a draft
LINE = 400  # characters of one line in it
MOST = 12  # lines of a section
WRITTEN = ("recognise", "check", "do", "prevent")  # what a model may write, each a list of sentences that cite
_PERSON = re.compile(r"<?@[UW][A-Z0-9]{2,20}(?:\|[^>]*)?>?|\b[UW](?=[A-Z]*[0-9])[A-Z0-9]{6,20}\b")
_NAME = re.compile(r"[^a-z0-9]+")
_DOING = (EntryKind.ACTION, EntryKind.NOTE)
_QUERIED = frozenset({EvidenceKind.METRIC, EvidenceKind.LOG, EvidenceKind.TRACE})


@dataclass(frozen=True, slots=True)
class Facts:
    """What a draft is made of; evidence that not everybody may see is no part of it."""

    incident: Incident
    diagnosis: Diagnosis | None
    entries: tuple[Entry, ...]
    actions: tuple[Action, ...]
    owner: str = ""

    @property
    def open_diagnosis(self) -> Diagnosis | None:
        """The diagnosis as everybody may see it."""
        return self.diagnosis.seen_by(Audience()) if self.diagnosis else None


def title_of(incident: Incident) -> str:
    """The alert that came first and its service, as the page is called."""
    first = min(incident.members, key=lambda m: (m.joined_at, m.name), default=None)
    name = first.name if first else incident.title
    return line(f"{name} on {first.service if first else incident.service}", 120)


def path_of(incident: Incident) -> str:
    """Where it lies below the runbook folder: "payments/high-error-rate.md"."""
    first = min(incident.members, key=lambda m: (m.joined_at, m.name), default=None)
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", first.name if first else incident.title)
    return f"{_slug(first.service if first else incident.service)}/{_slug(spaced)}.md"


def _slug(text: str) -> str:
    return _NAME.sub("-", text.lower()).strip("-")[:60].strip("-") or "runbook"


def evidence_of(facts: Facts) -> tuple[Evidence, ...]:
    """All that a draft may say, numbered E1, E2 ..., for whoever words it."""
    incident, seen = facts.incident, facts.open_diagnosis
    found = [
        Evidence("", EvidenceKind.ALERT, f"alert {m.name}: {m.summary}", "alerts", m.joined_at, m.service)
        for m in incident.members[:MOST]
    ]
    if seen is not None:
        found += [e for e in seen.evidence if e.kind is not EvidenceKind.PAST][:30]
    found.append(Evidence("", EvidenceKind.SOURCE, f"confirmed cause: {incident.confirmed_cause}", "a person"))
    found += [
        Evidence("", EvidenceKind.SOURCE, f"{e.at:%H:%M} {e.text}", "timeline", e.at) for e in facts.entries if e.kind in _DOING
    ][-30:]
    found += [Evidence("", EvidenceKind.CHANGE, _action(a), "actions", a.updated_at, a.service) for a in _done(facts)]
    return tuple(
        Evidence(f"E{n}", e.kind, line(e.text, 600), e.source, e.at, e.service, "", e.query, e.trusted)
        for n, e in enumerate(found, 1)
    )


def markdown(facts: Facts, written: Mapping[str, Sequence[str]] | None = None) -> str:
    """The whole page. `written` are a model's sentences by section, already held against `evidence_of`."""
    words = written or {}
    incident, seen = facts.incident, facts.open_diagnosis
    sections = [
        ("What it looks like", [*_items(words.get("recognise", ())), *_looks(incident, seen)]),
        ("First checks", [*_items(words.get("check", ())), *_queries(seen)]),
        ("What it was", _items([incident.confirmed_cause])),
        ("What helps", [*_items(words.get("do", ())), *_items(_action(a) for a in _done(facts))]),
        ("What people did", _items(f"{e.at:%H:%M} {e.text}" for e in facts.entries if e.kind in _DOING)[-MOST:]),
        ("So that it does not come back", _items(words.get("prevent", ()))),
    ]
    lasted = f", {_minutes(incident)}" if incident.resolved_at else ""
    told = [
        f"# {title_of(incident)}",
        f"> Drafted from {incident.key} ({incident.opened_at:%Y-%m-%d}, {incident.severity.value}{lasted}). "
        "Check every step before you rely on it.",
    ]
    for heading, lines in sections:
        told.append(f"## {heading}\n\n" + ("\n".join(lines) if lines else "- (write this)"))
    if any(words.values()):
        cited = "\n".join(f"- {e.id}: {quoted(e.text, 240)}" for e in evidence_of(facts))
        told.append(f"## Facts behind the draft\n\n{cited}")
    return f"{front(facts, draft=True)}\n" + "\n\n".join(told)[:LONGEST] + "\n"


def front(facts: Facts, *, draft: bool, reviewed: str = "") -> str:
    """The front matter of the page."""
    incident = facts.incident
    alerts = list(dict.fromkeys(line(m.name, 120) for m in incident.members))[:20]
    rows = [
        f"title: {_yaml(title_of(incident))}",
        f"alerts: {_yaml(alerts)}",
        f"services: {_yaml([line(s, 100) for s in incident.services[:20]])}",
        f"owner: {_yaml(line(facts.owner, 100))}",
        f"reviewed: {reviewed}".rstrip(),
    ]
    return "\n".join(["---", *rows, *(["draft: true"] if draft else []), "---", ""])


def approved(text: str, reviewed: str) -> str:
    """A draft's text as a runbook: no draft any more, reviewed on this day ("2026-11-22")."""
    head, mark, body = text.removeprefix("---\n").partition("\n---\n")
    if not text.startswith("---\n") or not mark:
        return text
    rows = [row for row in head.split("\n") if row.strip() != "draft: true"]
    rows = [f"reviewed: {reviewed}" if row.strip() == "reviewed:" else row for row in rows]
    return "---\n" + "\n".join(rows) + mark + body


def save(folder: Path, path: str, text: str) -> str:
    """Write a new file below the folder; the path that it got. What lies there already stays. Raises NotAllowed."""
    root = folder.resolve()
    for number in range(1, 100):
        name = path if number == 1 else f"{path.removesuffix('.md')}-{number}.md"
        file = root / name
        if not file.resolve().is_relative_to(root):
            raise NotAllowed(f"{name[:80]} lies outside the runbook folder.")
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8") as out:
                out.write(text)
        except FileExistsError:
            if file.is_file() and file.read_text(encoding="utf-8", errors="replace") == text:
                return f"{root.name}/{name}"  # an earlier try wrote it
            continue
        except OSError as error:
            raise NotAllowed(f"{root} cannot be written to: {error.strerror}.") from None
        return f"{root.name}/{name}"
    raise NotAllowed(f"{root / path} and its neighbours are all taken.")


def _looks(incident: Incident, seen: Diagnosis | None) -> list[str]:
    summaries = [f"{m.name} on {m.service}: {m.summary}".rstrip(": ") for m in incident.members]
    signs = [seen.symptom] if seen and seen.symptom else []
    logs = [e.text for e in seen.evidence if e.kind is EvidenceKind.LOG][:4] if seen else []
    return _items(dict.fromkeys((*summaries, *signs, *logs)))[:MOST]


def _queries(seen: Diagnosis | None) -> list[str]:
    """What was asked of metrics, logs and traces, with what it showed then."""
    told: list[str] = []
    for e in seen.evidence if seen else ():
        query = clean(redact(e.query)).strip()
        if e.kind in _QUERIED and query and len(query) <= LINE and "```" not in query and len(told) < MOST:
            language = "promql" if e.kind is EvidenceKind.METRIC else "text"
            told.append(f"{quoted(e.text)}\n\n```{language}\n{query}\n```\n")
    return list(dict.fromkeys(told))


def _done(facts: Facts) -> list[Action]:
    return [a for a in facts.actions if a.status is ActionStatus.SUCCEEDED]


def _action(action: Action) -> str:
    outcome = f": {action.outcome}" if action.outcome else ""
    return f"{action.kind.value} of {action.service} to {action.target}{outcome}"


def _minutes(incident: Incident) -> str:
    assert incident.resolved_at is not None  # noqa: S101  the caller looked
    return f"{max(1, round((incident.resolved_at - incident.opened_at).total_seconds() / 60))} min"


def _items(lines: Iterable[str]) -> list[str]:
    return [f"- {quoted(text)}" for text in lines if text and text.strip()][: 2 * MOST]


def quoted(text: str, most: int = LINE) -> str:
    """What somebody else worded, as one line of Markdown that leads nowhere and holds no markup of HTML."""
    plain = line(text, most)
    return re.sub(r"<(?=[A-Za-z/!?])", "< ", plain).replace("](", "] (")


def line(text: str, most: int = LINE) -> str:
    """One line without secrets, hidden characters and people's ids."""
    plain = _PERSON.sub("somebody", " ".join(redact(clean(text)).split()))
    return plain if len(plain) <= most else f"{plain[: most - 1].rstrip()}…"


def _yaml(value: object) -> str:
    """JSON is YAML, on one line."""
    return json.dumps(value, ensure_ascii=False)
