"""How like a question every document is: a sum of parts, each of which can be shown to people who ask why.

The shares were fitted so as to place the right page first as often as possible; they were chosen on real alerts and reports
that took no part in the fit (docs/benchmarks.md). Neighbouring words in the same order tell most: they are what an alert's
text and a page about it have in common when both were written by the same people.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.domain.document import DocumentKind, Inquiry
from bot.knowledge.marks import MarkIndex, Marks, letter_marks, pair_marks, pairs_in_order, word_marks
from bot.knowledge.pieces import Indexed, Part, folder
from bot.knowledge.query import Shaped, label_names, normal
from bot.knowledge.words import Scores, WordIndex

Mask = NDArray[np.bool_]

BEST = 100  # how many of a list take part in its scaling
NAME_COUNTS = 2.0  # a word of the alert's name counts so many times
REPEATED_COUNTS = 0.3  # each repetition of a word in the text
_ALERT = {"words": 0.27, "name": 0.48, "pairs": 0.70, "letters": 0.24, "section": 0.18, "head": 0.09, "labels": 0.19}
_REPORT = {"words": 0.28, "pairs": 0.96, "letters": 0.42, "section": 0.14, "head": 0.20}
SHARES = {
    (DocumentKind.RUNBOOK, True): _ALERT,
    (DocumentKind.RUNBOOK, False): {"words": 0.28, "name": 0.42, "pairs": 0.67, "letters": 0.42, "labels": 0.12},
    (DocumentKind.INCIDENT, True): _REPORT,
    (DocumentKind.INCIDENT, False): {"words": 0.60, "pairs": 1.00},
}
FOLDER = 0.35  # added to the documents of a folder that a label names
OTHERS = 90  # percent of all documents that a section has to beat
USUAL = 0.15  # what the ninth in ten of a large corpus has of a question
FEW = 100  # as many documents as that count for: a small corpus does not tell by itself what is usual


class Likeness:
    """Compares all documents of a snapshot with a question."""

    def __init__(self, kind: DocumentKind, documents: Sequence[Indexed]) -> None:
        self._kind = kind
        self.size = len(documents)
        self._words = WordIndex([one.fields for one in documents])
        self._names = MarkIndex([name for one in documents for name in one.names])
        self._named_by = np.repeat(np.arange(self.size), [len(one.names) for one in documents])
        self._pairs = MarkIndex([one.pairs for one in documents])
        self._letters = MarkIndex([one.letters for one in documents])
        self._sections = MarkIndex([section for one in documents for section in one.sections])
        self._section_of = np.repeat(np.arange(self.size), [len(one.sections) for one in documents])
        self._folders: dict[str, list[int]] = {}
        for number, one in enumerate(documents):
            if name := normal(folder(one.document)):
                self._folders.setdefault(name, []).append(number)

    def coverage(self, shaped: Shaped) -> Scores:
        """The share of the question's weight in words that each document covers, in [0, 1]."""
        query = weights(shaped)
        return self._words.scores(query) / max(self._words.most(query), 1e-9)

    def section(self, shaped: Shaped) -> Scores:
        """The share of the question's weight in words that one section of each document has, in [0, 1]."""
        asked = self._words.weighed(weights(shaped))
        best = np.zeros(self.size)
        np.maximum.at(best, self._section_of, self._sections.held(asked) / max(sum(asked.values()), 1e-9))
        return best

    def beyond(self, shaped: Shaped, among: Mask) -> Scores:
        """What one section of each document has more of the question's weight than nine in ten documents have in theirs."""
        section, size = self.section(shaped), int(among.sum())
        others = float(np.percentile(section[among], OTHERS)) if size else USUAL
        return section - (size * others + FEW * USUAL) / (size + FEW)

    def run(self, shaped: Shaped) -> Scores:
        """The longest run of the question's words that stand like that in each document, as a share of them, in [0, 1]."""
        asked = shaped.text or shaped.name
        said = self._words.scores(dict.fromkeys(asked, 1.0)) > 0
        return (self._pairs.in_a_row(pairs_in_order(asked)) + said) / max(2, len(asked))

    def pairs(self, shaped: Shaped) -> Scores:
        """The share of the question's pairs of neighbouring words that each document has, in [0, 1]."""
        return self._pairs.asked(np.union1d(pair_marks(shaped.text), pair_marks(shaped.name)))

    def parts(
        self, shaped: Shaped, inquiry: Inquiry, coverage: Scores, pairs: Scores, cosine: Mapping[Part, Scores] | None, among: Mask
    ) -> dict[str, Scores]:
        """What each part adds to the likeness of each document; `among` are those that scores are scaled against."""
        found = {
            "words": _min_max(coverage, among),
            "name": self._told(shaped),
            "pairs": pairs,
            "letters": self._letters.alike(_letters_of(shaped, inquiry)),
            "labels": self._words.scores(dict.fromkeys(shaped.labels, 1.0)) / self._words.unknown,
        }
        if cosine is not None:
            found |= {part.value: _min_max(cosine[part], among) for part in (Part.SECTION, Part.HEAD)}
        shares = SHARES[self._kind, cosine is not None]
        return {name: share * found[name] for name, share in shares.items()} | {"folder": FOLDER * self._named(inquiry)}

    def _told(self, shaped: Shaped) -> Scores:
        """The largest share of any of its names that the question has, for each document."""
        told = np.zeros(self.size)
        np.maximum.at(told, self._named_by, self._names.told(word_marks((*shaped.text, *shaped.name))))
        return told

    def _named(self, inquiry: Inquiry) -> Scores:
        named = np.zeros(self.size)
        for name in label_names(inquiry.labels):
            named[self._folders.get(name, [])] = 1.0
        return named


def weights(shaped: Shaped) -> dict[str, float]:
    """How much each word of a question counts."""
    found = {word: 1 + REPEATED_COUNTS * (n - 1) for word, n in Counter(shaped.text).items()}
    for word in set(shaped.name):
        found[word] = found.get(word, 0.0) + NAME_COUNTS
    return found


def _letters_of(shaped: Shaped, inquiry: Inquiry) -> Marks:
    return letter_marks(" ".join((inquiry.name[:300], *shaped.text)))


def _min_max(scores: Scores, among: Mask) -> Scores:
    """The best hundred of some scaled to [0, 1], everything else 0."""
    scaled = np.zeros(len(scores))
    mine = np.flatnonzero(among)
    if not len(mine):
        return scaled
    best = mine[np.argsort(-scores[mine], kind="stable")[:BEST]]
    low, high = float(scores[best[-1]]), float(scores[best[0]])
    if high > low:
        scaled[best] = np.maximum(0.0, (scores[best] - low) / (high - low))
    return scaled
