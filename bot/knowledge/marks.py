"""What a document shares with a question beyond single words: neighbouring words, parts of its name, its title.

Each mark (a pair of neighbours, a run of letters, a word) is kept as the checksum of its text, once a document, in one sorted
array: half a million pairs of a thousand documents take 4 MB. Rare marks count more, as rare words do.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.query import normal

Marks = NDArray[np.uint32]  # sorted, each once
Scores = NDArray[np.float64]

LETTERS = 4  # in a run of letters
COMMON = 0.25  # of the weight of a mark that no document has


def word_marks(words: Iterable[str]) -> Marks:
    """One mark a word."""
    return _marks(words)


def pair_marks(words: Sequence[str]) -> Marks:
    """One mark for each two words that follow each other."""
    return _marks(_pairs(words))


def pairs_in_order(words: Sequence[str]) -> list[int]:
    """The marks of each two words that follow each other, as they follow each other."""
    return [crc32(pair.encode()) for pair in _pairs(words)]


def letter_marks(text: str) -> Marks:
    """One mark for each run of letters, across spaces and punctuation: "crash looping" and "CrashLooping" have the same."""
    plain = normal(text)
    return _marks(plain[i : i + LETTERS] for i in range(max(1, len(plain) - LETTERS + 1))) if plain else _marks(())


def _pairs(words: Sequence[str]) -> Iterator[str]:
    return (f"{one} {other}" for one, other in pairwise(words))


def _marks(texts: Iterable[str]) -> Marks:
    return np.unique(np.fromiter((crc32(text.encode()) for text in texts), dtype=np.uint32))


class MarkIndex:
    """Compares every document's marks with a question's; immutable once built."""

    def __init__(self, documents: Sequence[Marks]) -> None:
        self.size = len(documents)
        self._unknown = math.log(1 + (self.size + 0.5) / 0.5)
        every = np.concatenate([np.empty(0, dtype=np.uint32), *documents])
        order = np.argsort(every, kind="stable")
        self._owners: NDArray[np.int32] = np.repeat(np.arange(self.size, dtype=np.int32), [len(d) for d in documents])[order]
        self._marks, self._starts, counts = np.unique(every[order], return_index=True, return_counts=True)
        self._ends = self._starts + counts
        self._weights = np.log(1 + (self.size + 0.5 - np.minimum(counts, self.size)) / (counts + 0.5))
        self._mass, self._square = np.zeros(self.size), np.zeros(self.size)
        np.add.at(self._mass, self._owners, np.repeat(self._weights, counts))
        np.add.at(self._square, self._owners, np.repeat(self._weights**2, counts))

    def asked(self, question: Marks) -> Scores:
        """The share of the question's marks, by weight, that each document has, in [0, 1]."""
        hits, of, _ = self._hits(question, 1)
        return hits / of if of else hits

    def held(self, words: Mapping[str, float]) -> Scores:
        """The sum of the given weights of those words that each document has; its marks are words."""
        total = np.zeros(self.size)
        for word, weight in words.items():
            total[self._having(crc32(word.encode()))] += weight
        return total

    def in_a_row(self, question: Iterable[int]) -> NDArray[np.int64]:
        """How many marks that follow each other in the question each document has, at most."""
        most, now, last = (np.zeros(self.size, dtype=np.int64) for _ in range(3))
        for place, mark in enumerate(question, 1):
            having = self._having(mark)
            now[having] = np.where(last[having] == place - 1, now[having], 0) + 1
            last[having] = place
            most[having] = np.maximum(most[having], now[having])
        return most

    def told(self, question: Marks) -> Scores:
        """The share of each document's marks that the question has; every document counts as having a common mark more."""
        return self._hits(question, 1)[0] / (self._mass + COMMON * self._unknown)

    def alike(self, question: Marks) -> Scores:
        """The cosine of each document's marks and the question's, in [0, 1]."""
        hits, _, of = self._hits(question, 2)
        norms = np.sqrt(self._square * of)
        return np.divide(hits, norms, out=np.zeros(self.size), where=norms > 0)

    def _having(self, mark: int) -> NDArray[np.int32]:
        """The documents that have a mark."""
        place = int(np.searchsorted(self._marks, np.uint32(mark)))
        known = place < len(self._marks) and self._marks[place] == mark
        return self._owners[self._starts[place] : self._ends[place]] if known else self._owners[:0]

    def _hits(self, question: Marks, power: int) -> tuple[Scores, float, float]:
        """The weight that each document shares with the question; the question's whole weight, and the sum of its squares."""
        hits = np.zeros(self.size)
        if not len(self._marks):
            return hits, 0.0, 0.0
        places = np.minimum(np.searchsorted(self._marks, question), len(self._marks) - 1)
        known = self._marks[places] == question
        weights = np.where(known, self._weights[places], self._unknown)
        for place in places[known]:
            hits[self._owners[self._starts[place] : self._ends[place]]] += self._weights[place] ** power
        return hits, float(weights.sum()), float((weights**2).sum())
