"""Search by words: BM25 over several fields of a document, each with its own weight (BM25F).

Robertson, Zaragoza, Taylor: Simple BM25 extension to multiple weighted fields (CIKM 2004). What a word adds to a
document's score does not depend on the query, so it is worked out when the index is built; a query only adds up.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bot.knowledge.pieces import Tally

FIELDS = ("name", "title", "headings", "body")
UNKNOWN_PAIR = 0.3  # what a pair of Chinese, Japanese or Korean characters that no document has counts of an unknown word
FIRST_CJK = "\u3040"
Scores = NDArray[np.float64]
Fields = Mapping[str, Tally]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How much each field counts, how much its length matters, and how fast repetition saturates."""

    weights: Mapping[str, float]
    length: Mapping[str, float]
    saturation: float = 4.0


TUNING = Tuning(
    weights={"name": 8.0, "title": 6.0, "headings": 2.0, "body": 1.0},
    length={"name": 0.3, "title": 0.3, "headings": 0.5, "body": 0.6},
)


@dataclass(frozen=True, slots=True)
class _Posting:
    documents: NDArray[np.int32]
    adds: NDArray[np.float32]  # the share of the word's weight that each document earns, in [0, 1)
    weight: float  # inverse document frequency


class WordIndex:
    """Scores every document for a bag of words; immutable once built."""

    def __init__(self, documents: Sequence[Fields], tuning: Tuning = TUNING) -> None:
        self.size = len(documents)
        self._postings = _postings(documents, tuning)
        self.unknown = math.log(1 + (self.size + 0.5) / 0.5) if self.size else 1.0

    def scores(self, query: Mapping[str, float]) -> Scores:
        """One score per document in their order; `query` maps words to how much they count."""
        total = np.zeros(self.size)
        for word, counts in query.items():
            posting = self._postings.get(word)
            if posting is not None:
                total[posting.documents] += posting.adds * (posting.weight * counts)
        return total

    def most(self, query: Mapping[str, float]) -> float:
        """The score of an imaginary document that is all about this query; words that nobody uses count in full."""
        return sum(self.weighed(query).values())

    def weighed(self, query: Mapping[str, float]) -> dict[str, float]:
        """How much each word counts, times its inverse document frequency."""
        return {word: counts * self._weight(word) for word, counts in query.items()}

    def _weight(self, word: str) -> float:
        posting = self._postings.get(word)
        if posting is not None:
            return posting.weight
        # most pairs of characters reach over the border of two words, so one that nobody uses says little
        return self.unknown * (UNKNOWN_PAIR if word >= FIRST_CJK else 1.0)


def _postings(documents: Sequence[Fields], tuning: Tuning) -> dict[str, _Posting]:
    lengths = {f: [d[f].total if f in d else 0 for d in documents] for f in FIELDS}
    average = {f: (sum(lengths[f]) / max(1, sum(1 for n in lengths[f] if n))) or 1.0 for f in FIELDS}
    where: dict[str, list[int]] = {}
    adds: dict[str, list[float]] = {}
    for number, document in enumerate(documents):
        frequency: dict[str, float] = {}
        for field in FIELDS:
            b = tuning.length[field]
            norm = tuning.weights[field] / (1 - b + b * lengths[field][number] / average[field])
            for word, count in document[field].items() if field in document else ():
                frequency[word] = frequency.get(word, 0.0) + norm * count
        for word, tf in frequency.items():
            where.setdefault(word, []).append(number)
            adds.setdefault(word, []).append(tf / (tuning.saturation + tf))
    size = len(documents)
    return {
        word: _Posting(
            np.asarray(numbers, dtype=np.int32),
            np.asarray(adds[word], dtype=np.float32),
            math.log(1 + (size - len(numbers) + 0.5) / (len(numbers) + 0.5)),
        )
        for word, numbers in where.items()
    }
