"""What a past incident and a new one have in common besides words: services, neighbours, alerts, what had been changed.

There is no labelled set for this; the weights are set by judgement and held to a made-up estate (tests/knowledge/test_kinship.py):
the same service counts more than a neighbour, a neighbour more than a service of the same kind.
"""

from collections.abc import Sequence

import numpy as np

from bot.domain.document import Document, DocumentKind, Inquiry
from bot.knowledge.query import normal
from bot.knowledge.words import Scores

SHARED_SERVICES = 3.0  # added to the odds of a past incident, times the overlap of its services with those in question
SHARED_ALERT = 1.0  # if the same alert fired then


class Kinship:
    """What past incidents are about besides their words, ready to be compared; documents of other kinds are kin of nothing."""

    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = [(n, d, frozenset(map(normal, d.alerts))) for n, d in enumerate(documents) if _past(d)]
        self._size = len(documents)

    def odds(self, inquiry: Inquiry) -> Scores:
        """What is added to the logarithm of the odds that each document is like the inquiry; zero for all but incidents."""
        odds = np.zeros(self._size)
        wanted, name = set(inquiry.services), normal(inquiry.name)
        for number, document, alerts in self._documents:
            theirs = set(document.services)
            if theirs and wanted:
                odds[number] += SHARED_SERVICES * len(wanted & theirs) / len(wanted | theirs)
            if name and name in alerts:
                odds[number] += SHARED_ALERT
        return odds


def _past(document: Document) -> bool:
    return document.kind is DocumentKind.INCIDENT
