"""A lesson under weights: who would be first, whether that is right, whether somebody would be convicted."""

from bot.domain.evidence import Candidate
from bot.domain.learning import Weights
from bot.investigation.learning.lessons import NOBODY, Lesson
from bot.investigation.verdict import convicts
from bot.investigation.weights import weighed


def ranked(lesson: Lesson, weights: Weights) -> list[Candidate]:
    """The suspects under these weights, best first."""
    return sorted((weighed(c, weights) for c in lesson.suspects), key=lambda c: (-c.score, c.key))


def right(order: list[Candidate], lesson: Lesson) -> bool:
    """The first of them did it."""
    return lesson.culprit != NOBODY and order[0].key == lesson.culprit


def convicted(order: list[Candidate], lesson: Lesson, weights: Weights) -> bool:
    """The first of them would be convicted."""
    return not lesson.operational and convicts(order, weights)


def good(order: list[Candidate], lesson: Lesson, weights: Weights) -> bool:
    """People would be led right: the culprit is first, or nobody is convicted where no suspect did it."""
    return not convicted(order, lesson, weights) if lesson.culprit == NOBODY else right(order, lesson)
