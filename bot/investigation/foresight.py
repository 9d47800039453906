"""What a change could break before it ships: its facts, the knob of a past incident, runbooks that are missing."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from bot.domain.change import Commit
from bot.domain.document import Document
from bot.domain.service import Catalogue
from bot.investigation.diff import Edit, edits
from bot.investigation.nature import harmless
from bot.investigation.rules import RULES, ChangeFact, Text, read
from bot.investigation.vocabulary import Kind, kinds_of_text
from bot.signals.direction import words

STRONG = 0.4  # a fact that explains less is not worth a reviewer's time
MOST_FACTS = 8
MOST_KNOBS = 5
MOST_GAPS = 5
SHORTEST = 4  # letters of a key; a shorter one stands in half of all texts
_ORDER = {kind: number for number, kind in enumerate(Kind)}
_ABOUT = {rule.name: rule.explains for rule in RULES}
# Keys that every file has: alone they tell of no knob.
_PLAIN = frozenset(
    {
        "name",
        "version",
        "image",
        "value",
        "type",
        "kind",
        "title",
        "path",
        "host",
        "port",
        "default",
        "enabled",
        "data",
        "message",
    }
)


@dataclass(frozen=True, slots=True)
class Risk:
    """Something that a commit of the range does, and what trouble that can cause, in words for people."""

    text: str
    path: str
    commit: str
    rule: str
    strength: float
    troubles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PastCause:
    """A past incident with what is known of its cause: what was written, and what its change did."""

    name: str
    title: str
    services: tuple[str, ...]
    text: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class SameKnob:
    """The range turns what was turned when a past incident began."""

    incident: str
    title: str
    edit: str
    path: str
    why: str
    link: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """There is no runbook for this trouble of this service."""

    service: str
    trouble: str

    @property
    def sentence(self) -> str:
        """For people, without a full stop."""
        if self.trouble.startswith(("a ", "an ", "un")):
            return f"no runbook for {self.trouble} of {self.service}"
        return f"no runbook for {self.service} {self.trouble}"


def risks(commits: Iterable[Commit]) -> tuple[Risk, ...]:
    """What the commits do that is known to break things, the gravest first."""
    found: dict[tuple[str, str], Risk] = {}
    for commit in commits:
        for fact in read(_shipping(commit), RULES):
            if fact.strength >= STRONG:
                risk = Risk(fact.text, fact.path, commit.short, fact.rule, fact.strength, _troubles(fact))
                known = found.get((risk.text, risk.path))
                found[risk.text, risk.path] = risk if known is None or known.strength < risk.strength else known
    return tuple(sorted(found.values(), key=lambda r: (-r.strength, r.path, r.text)))[:MOST_FACTS]


def _shipping(commit: Commit) -> Text:
    """The part of a commit that can reach production: without its tests, documentation and checks."""
    text = Text.of(commit.diff, commit.files)
    hunks = tuple(h for h in text.hunks if not harmless(Text((), (), (h.path,)), ""))
    return Text(hunks, edits(hunks), tuple(f for f in text.files if not harmless(Text((), (), (f,)), "")))


def _troubles(fact: ChangeFact) -> tuple[str, ...]:
    """The troubles that a fact can cause, those first that its rule is about."""
    own = _ABOUT.get(fact.rule, frozenset())
    return tuple(kind.value for kind in sorted(fact.explains, key=lambda k: (k not in own, _ORDER[k])))


def same_knobs(commits: Iterable[Commit], services: Sequence[str], past: Iterable[PastCause]) -> tuple[SameKnob, ...]:
    """The edits whose key a past incident's cause names, if it was of the same service or names the same file."""
    turned = {(e.path, e.key, e.old, e.new): e for c in commits for e in _shipping(c).edits}
    found: dict[tuple[str, str], SameKnob] = {}
    for one in past:
        for edit in turned.values():
            why = _same(edit, services, one)
            if why and (one.name, edit.key) not in found:
                found[one.name, edit.key] = SameKnob(one.name, one.title, edit.text, edit.path, why, one.link)
    return tuple(found.values())[:MOST_KNOBS]


def _same(edit: Edit, services: Sequence[str], past: PastCause) -> str:
    if len(edit.key) < SHORTEST or edit.key.lower() in _PLAIN or not _named(edit.key, past.text):
        return ""
    file = edit.path.rsplit("/", 1)[-1]
    if file and re.search(rf"(?<![\w.-]){re.escape(file)}(?![\w-])", past.text):
        return f"its cause names {edit.key} and {file}"
    ours = [s for s in past.services if s in services]
    return f"its cause names {edit.key}, on {ours[0]} too" if ours else ""


def _named(key: str, text: str) -> bool:
    """The text has the key, as it is written or as its words: maxRetries, max_retries, "max retries"."""
    parts = [re.escape(word) for word in words(key)]
    if not parts:
        return False
    return re.search(rf"(?<![^\W_]){'[-_. ]?'.join(parts)}(?![^\W_])", text, re.IGNORECASE) is not None


def gaps(found: Iterable[Risk], services: Sequence[str], runbooks: Iterable[Document], catalogue: Catalogue) -> tuple[Gap, ...]:
    """The risks for whose troubles a changed service has no runbook at all, each by its nearest trouble, the gravest first."""
    books, grave = list(runbooks), list(found)
    missing: dict[Gap, None] = {}
    for service in services:
        own = [b for b in books if _about(b, service, catalogue)]
        covered = {kind.value for b in own for kind in kinds_of_text(f"{b.title}\n{b.text}")}
        for risk in grave:
            if risk.troubles and covered.isdisjoint(risk.troubles):
                missing[Gap(service, risk.troubles[0])] = None
    return tuple(missing)[:MOST_GAPS]


def _about(book: Document, service: str, catalogue: Catalogue) -> bool:
    names = {n.lower() for n in (service, *catalogue.get(service).aliases)}
    if names & {s.lower() for s in book.services}:
        return True
    return bool(names & set(re.split(r"[/\\]", book.path.lower())))
