"""A rule: a name, a class tag, the kinds of trouble it explains, and how it reads a change."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from bot.investigation.diff import Edit, Hunk, edits, parse
from bot.investigation.vocabulary import Kind

VAGUE = frozenset({Kind.ERRORS, Kind.LATENCY})  # every trouble shows as these


@dataclass(frozen=True, slots=True)
class ChangeFact:
    """Something that a change did, in words, with the kinds of trouble it can cause and how surely (0-1).

    `tells` are those of the kinds that point at this rather than at a hundred other things.
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
    tells: frozenset[Kind] = frozenset()


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
    """One way in which a change breaks things. What it brings about `beside` its own kinds, much else brings about too."""

    name: str
    tag: str
    explains: frozenset[Kind]
    find: Callable[[Text], Iterable[Found]]
    beside: frozenset[Kind] = frozenset()


def rule(
    name: str, tag: str, explains: Collection[Kind], find: Callable[[Text], Iterable[Found]], *, beside: Collection[Kind] = ()
) -> Rule:
    """A rule, with its kinds as sets."""
    return Rule(name, tag, frozenset((*explains, *beside)), find, frozenset((*VAGUE, *beside)) - frozenset(explains))


def read(text: Text, rules: Iterable[Rule], *, without: Collection[str] = ()) -> tuple[ChangeFact, ...]:
    """What the rules find in a change, the rules of the classes `without` left out; at most three facts per rule."""
    facts: list[ChangeFact] = []
    for r in rules:
        if r.tag in without:
            continue
        found = sorted(r.find(text), key=lambda f: -f.strength)[:3]
        for f in found:
            kinds = frozenset(f.explains) or r.explains
            facts.append(ChangeFact(f.text, r.name, r.tag, kinds, f.strength, f.named, f.path, kinds - r.beside - VAGUE))
    return tuple(facts)
