"""A rule: a name, a class tag, the kinds of trouble it explains, and how it reads a change."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from bot.investigation.diff import Edit, Hunk, edits, parse
from bot.investigation.vocabulary import Kind


@dataclass(frozen=True, slots=True)
class ChangeFact:
    """Something that a change did, in words, with the kinds of trouble it can cause and how surely (0-1).

    `named` are names that the trouble must mention (a table, a package, a variable) for the fact to count in full;
    empty where the fact speaks for itself.
    """

    text: str
    rule: str
    tag: str
    explains: frozenset[Kind]
    strength: float
    named: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class Text:
    """A change as rules read it."""

    hunks: tuple[Hunk, ...]
    edits: tuple[Edit, ...]
    files: tuple[str, ...]

    @staticmethod
    def of(diff: str, files: Sequence[str] = ()) -> "Text":
        """The change that a diff makes; formatting and comments are kept, rules look past them."""
        hunks = parse(diff, files)
        return Text(hunks, edits(hunks), tuple(dict.fromkeys((*files, *(h.path for h in hunks)))))


@dataclass(frozen=True, slots=True)
class Found:
    """What a rule found in a change, before it is tied to the rule."""

    text: str
    strength: float
    explains: Collection[Kind] = ()
    named: tuple[str, ...] = ()
    path: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which a change breaks things."""

    name: str
    tag: str
    explains: frozenset[Kind]
    find: Callable[[Text], Iterable[Found]]


def rule(name: str, tag: str, explains: Collection[Kind], find: Callable[[Text], Iterable[Found]]) -> Rule:
    """A rule, with its kinds as a set."""
    return Rule(name, tag, frozenset(explains), find)


def read(text: Text, rules: Iterable[Rule], *, without: Collection[str] = ()) -> tuple[ChangeFact, ...]:
    """What the rules find in a change, the rules of the classes `without` left out; at most three facts per rule."""
    facts: list[ChangeFact] = []
    for r in rules:
        if r.tag in without:
            continue
        found = sorted(r.find(text), key=lambda f: -f.strength)[:3]
        facts += [
            ChangeFact(f.text, r.name, r.tag, frozenset(f.explains) or r.explains, f.strength, f.named, f.path) for f in found
        ]
    return tuple(facts)
