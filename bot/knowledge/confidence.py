"""How sure a search is: enough to push a page to people, to offer it as possible, or to say that there is none.

A few figures decide that do not depend on a document's rivals: the share of the question's weight in words that one section
of it has, those parts of its likeness that stand by themselves (`likeness.OWN`), the words of labels once more (which tell of
the technology), and the cosine of its nearest piece. For runbooks the numbers are a logistic fit over real alerts with and
without a runbook, chosen by cross-validation (docs/benchmarks.md). Past incidents are told in prose that shares few words with
an alert; there is no labelled set of alerts for them, so their numbers are set by judgement: what all of the text covers and
its cosine, and the same services count like much text.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bot.domain.document import DocumentKind, Inquiry
from bot.knowledge.words import Scores


@dataclass(frozen=True, slots=True)
class Confidence:
    """The odds as a straight line, and from where on something is shown or offered."""

    coverage: float  # of the whole document
    section: float
    likeness: float
    labels: float
    cosine: float
    intercept: float
    named: float  # added for an alert with a name: more to be alike by, so the same likeness tells less
    rivals: float  # the share of the surest of the first few in the decision; the rest is the first one's
    shown: float
    beside: float  # shown beside a first one that is
    possible: float
    asked: float  # like `possible`, for a person who asks: a wrong page costs them a glance, silence more

    def parts(
        self, inquiry: Inquiry, coverage: Scores, section: Scores, likeness: Scores, labels: Scores, cosine: Scores
    ) -> dict[str, Scores]:
        """What each figure adds to the logarithm of the odds that each document is about this."""
        return {
            "coverage": self.coverage * coverage,
            "section": self.section * section,
            "likeness": self.likeness * likeness,
            "labels": self.labels * labels,
            "cosine": self.cosine * cosine,
            "start": np.full(len(cosine), self.intercept + (self.named if inquiry.name else 0.0)),
        }

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
    coverage=0.0,
    section=4.6,
    likeness=5.7,
    labels=6.5,
    cosine=9.2,
    intercept=-9.8,
    named=-1.1,
    rivals=0.5,
    shown=0.37,
    beside=0.01,
    possible=0.10,
    asked=0.01,
)
_INCIDENTS = Confidence(
    coverage=8.0,
    section=0.0,
    likeness=0.0,
    labels=0.0,
    cosine=10.0,
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
    (DocumentKind.RUNBOOK, False): replace(
        _RUNBOOKS, section=5.8, likeness=7.9, labels=16.0, cosine=0.0, intercept=-5.7, shown=0.54, beside=0.02, possible=0.20
    ),
    (DocumentKind.INCIDENT, True): _INCIDENTS,
    (DocumentKind.INCIDENT, False): replace(_INCIDENTS, coverage=14.0, cosine=0.0, intercept=-3.4),
}

FIRST = 3  # of a ranking, as many as a card shows
FOLDER_ODDS = 2.0  # added to the odds of a document whose folder a label names, by judgement


def judge(kind: DocumentKind, *, by_meaning: bool) -> Confidence:
    """The judgement for documents of this kind, with vectors or by words only."""
    return _JUDGES[kind, by_meaning]
