"""How sure a search is: enough to push a page to people, to offer it as possible, or to say that there is none.

Three figures decide that do not depend on a document's rivals: the share of the question's weight in words that the document
covers, those parts of its likeness that stand by themselves (`likeness.OWN`), and the cosine of its nearest piece. For
runbooks the numbers are a logistic fit over real alerts with and without a runbook, chosen by cross-validation
(docs/benchmarks.md). Past incidents are told in prose that shares few words with an alert; there is no labelled set of alerts
for them, so their numbers are set by judgement: the same services count like much text.
"""

from dataclasses import dataclass

from bot.domain.document import DocumentKind, Inquiry
from bot.knowledge.words import Scores


@dataclass(frozen=True, slots=True)
class Confidence:
    """The odds as a straight line, and from where on something is shown or offered."""

    coverage: float
    likeness: float
    cosine: float
    intercept: float
    named: float  # added for an alert with a name: more to be alike by, so the same likeness tells less
    shown: float
    beside: float  # shown beside a first one that is
    possible: float
    asked: float  # like `possible`, for a person who asks: a wrong page costs them a glance, silence more

    def odds(self, inquiry: Inquiry, coverage: Scores, likeness: Scores, cosine: Scores) -> Scores:
        """The logarithm of the odds that each document is about this."""
        start = self.intercept + (self.named if inquiry.name else 0.0)
        return self.coverage * coverage + self.likeness * likeness + self.cosine * cosine + start

    def offered(self, inquiry: Inquiry) -> float:
        """At least this sure: offered as a possible match."""
        return self.possible if inquiry.name or inquiry.labels else self.asked


_JUDGES = {
    (DocumentKind.RUNBOOK, True): Confidence(
        8.1, 8.3, 11.2, -11.7, named=-1.5, shown=0.58, beside=0.01, possible=0.10, asked=0.01
    ),
    (DocumentKind.RUNBOOK, False): Confidence(
        10.7, 9.9, 0.0, -6.5, named=-1.0, shown=0.60, beside=0.02, possible=0.20, asked=0.01
    ),
    (DocumentKind.INCIDENT, True): Confidence(
        8.0, 0.0, 10.0, -5.5, named=0.0, shown=0.50, beside=0.50, possible=0.15, asked=0.15
    ),
    (DocumentKind.INCIDENT, False): Confidence(
        14.0, 0.0, 0.0, -3.4, named=0.0, shown=0.50, beside=0.50, possible=0.15, asked=0.15
    ),
}

FOLDER_ODDS = 2.0  # added to the odds of a document whose folder a label names, by judgement


def judge(kind: DocumentKind, *, by_meaning: bool) -> Confidence:
    """The judgement for documents of this kind, with vectors or by words only."""
    return _JUDGES[kind, by_meaning]
