"""A brain without intelligence: it picks the first suspect and quotes the evidence; it says what it read and nothing else."""

import re
from collections.abc import Sequence

from bot.demo.standin.forms import Wish, fill
from bot.demo.standin.notes import Notes, Piece, form, handed_in, notes
from bot.demo.standin.scripted import Asked, Scripted

QUOTES = 3
LONGEST = 160
PAUSE = 0.03  # seconds between words, so that people see them come
_WORD = re.compile(r"[a-z0-9]{3,}")


def extract(asked: Asked) -> Scripted:
    """The first suspect with its evidence in the asked form; for a question, the evidence that shares most words with it."""
    read = notes(asked)
    wanted = form(asked)
    if wanted is None:
        said = quoted(close_to(read.question, read.evidence))
        return Scripted(" ".join(f"{words} [{label}]." for words, label in said) or "I do not know.", between=PAUSE)
    first = read.suspects[0] if read.suspects else None
    said = quoted(_named(first, read) if first else read.evidence)
    labels = [*(s.label for s in read.suspects), "undetermined"]
    reason = said[0][0] if said else "Nothing was found."
    return handed_in(asked, fill(wanted, Wish(labels, said, reason)), PAUSE / 3)


def close_to(question: str, evidence: Sequence[Piece]) -> list[Piece]:
    """The evidence, what shares most words with the question first."""
    words = set(_WORD.findall(question.lower()))
    return sorted(evidence, key=lambda piece: -len(words & set(_WORD.findall(piece.text.lower()))))


def quoted(pieces: Sequence[Piece]) -> list[tuple[str, str]]:
    """The beginnings of the first pieces, each with its id."""
    return [(_beginning(piece.text), piece.label) for piece in pieces[:QUOTES] if piece.text.strip()]


def _named(suspect: Piece, read: Notes) -> list[Piece]:
    return [piece for piece in read.evidence if piece.label in suspect.names] or list(read.evidence)


def _beginning(text: str) -> str:
    line = " ".join(text.split())
    return (line if len(line) <= LONGEST else line[:LONGEST].rsplit(" ", 1)[0]).rstrip(".:;, ")
