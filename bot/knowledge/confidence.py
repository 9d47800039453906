"""How sure a search is: enough to push a page to people, to offer it as possible, or to say that there is none.

A few figures decide that do not depend on how a document fares against its rivals: what one section of it has of the
question's words, less what nine in ten documents have; the longest run of the question's words that stands in it; its name,
as far as the question says it; the words of labels, which tell of the technology; and the cosine of its nearest piece. For
runbooks the numbers are a logistic fit over real alerts with and without a runbook, chosen by cross-validation
(docs/benchmarks.md). Past incidents are told in prose that shares few words with an alert; there is no labelled set of alerts
for them, so their numbers are set by judgement: what all of the text covers and its cosine, and the same services count like
much text.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.domain.document import DocumentKind, Inquiry
from bot.knowledge.words import Scores


@dataclass(frozen=True, slots=True)
class Confidence:
    """The odds as a straight line, and from where on something is shown or offered."""

    weights: Mapping[str, float]  # of the figures; "name" and "labels" are parts of the likeness
    intercept: float
    named: float  # added for an alert with a name: more to be alike by, so the same likeness tells less
    rivals: float  # the share of the surest of the first few in the decision; the rest is the first one's
    shown: float
    beside: float  # shown beside a first one that is
    possible: float
    asked: float  # like `possible`, for a person who asks: a wrong page costs them a glance, silence more

    def parts(self, inquiry: Inquiry, figures: Mapping[str, Scores]) -> dict[str, Scores]:
        """What each figure adds to the logarithm of the odds that each document is about this."""
        added = {name: weight * figures[name] for name, weight in self.weights.items()}
        start = self.intercept + (self.named if inquiry.name else 0.0)
        return added | {"start": np.full(len(figures["coverage"]), start)}

    def shows(self, odds: Sequence[float]) -> bool:
        """Whether a search with these logarithms of odds, in the order of its ranking, shows anything."""
        if not odds:
            return False
        both = (1 - self.rivals) * odds[0] + self.rivals * max(odds[:FIRST])
        return both >= math.log(self.shown / (1 - self.shown))

    def offered(self, inquiry: Inquiry) -> float:
        """At least this sure: offered as a possible match."""
        return self.possible if inquiry.name or inquiry.labels else self.asked


_RUNBOOKS = Confidence(
    weights={"beyond": 4.6, "run": 5.5, "name": 7.5, "labels": 15.3, "cosine": 9.4},
    intercept=-9.9,
    named=-1.1,
    rivals=0.5,
    shown=0.42,
    beside=0.01,
    possible=0.10,
    asked=0.01,
)
_WORDS = {"beyond": 6.4, "run": 6.5, "name": 11.9, "labels": 25.0}
_INCIDENTS = Confidence(
    weights={"coverage": 8.0, "cosine": 10.0},
    intercept=-5.5,
    named=0.0,
    rivals=0.0,
    shown=0.50,
    beside=0.50,
    possible=0.15,
    asked=0.15,
)
_JUDGES = {
    (DocumentKind.RUNBOOK, True): _RUNBOOKS,
    (DocumentKind.RUNBOOK, False): replace(_RUNBOOKS, weights=_WORDS, intercept=-5.8, shown=0.56, beside=0.02, possible=0.20),
    (DocumentKind.INCIDENT, True): _INCIDENTS,
    (DocumentKind.INCIDENT, False): replace(_INCIDENTS, weights={"coverage": 14.0}, intercept=-3.4),
}

FIRST = 3  # of a ranking, as many as a card shows
FOLDER_ODDS = 2.0  # added to the odds of a document whose folder a label names, by judgement


def judge(kind: DocumentKind, *, by_meaning: bool) -> Confidence:
    """The judgement for documents of this kind, with vectors or by words only."""
    return _JUDGES[kind, by_meaning]
