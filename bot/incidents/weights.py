"""How much each reason counts for two problems being one incident, and for how long: all in one place.

Orders of magnitude that follow from what the reasons mean, not from any data set. The stronger weight wins where several
incidents could take a problem; the share of the correlation window (15 minutes unless set otherwise) says how far apart in
time two problems may begin and still be linked by this. The weaker a reason, the more often it holds by chance, hence the
closer in time it has to be: to join what does not belong together is the worse mistake for whoever reads the card.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tie:
    """A reason's weight, and the share of the window for which it holds."""

    weight: float
    share: float


SAID = Tie(2.0, 1.0)  # a person put these two problems together before: outweighs all that is guessed
SAME = Tie(1.0, 1.0)  # the same service: rules with a long `for:` speak up to a quarter of an hour after those without
CALLS = Tie(0.9, 2 / 3)  # one calls the other: a failure takes minutes to be seen by the caller's own rules
THROUGH = Tie(0.75, 1 / 3)  # two calls apart, and the one between is silent: it passed on what hit it, hence quickly
NAMED = Tie(0.7, 1 / 3)  # the alert's text names the other service: somebody wrote the rule with it in mind
FAR = Tie(0.6, 1 / 5)  # three calls apart: as above, and every service on the way multiplies the chance of coincidence
CHANGED = Tie(0.6, 1 / 3)  # the same recent change touched both
SHARED = Tie(0.55, 1 / 10)  # both call a third that says nothing itself: only what happens at once is its doing
HOST = Tie(0.95, 1 / 3)  # the node has an alert of its own: what fails on it fails for that, whoever calls whom
PLACE = Tie(0.5, 1 / 3)  # the same database or queue, or the same alert on one node: its own alert is often slower
BESIDE = Tie(0.45, 1 / 10)  # different alerts of what happens to run on one node: only at the same moment
TOLD = Tie(0.4, 1 / 3)  # the sender put them into one notification, of services that nobody described
ALIKE = Tie(0.4, 1 / 5)  # the same alert name, of services that nobody described

FADE = 0.3  # a link at the end of its time weighs this much less than one at the same moment
BACKWARDS = 1 / 3  # ... and for so much of its time only if the caller was first: trouble travels to whoever calls
MANY = 4  # two or three calls away from more services than this, and time shrinks: with each, coincidence grows
OVER = 1 / 3  # ... and holds for so much of its time only, once the problem that it leads to has cleared
CROWDED = 8  # what more services than this have in common says little about two of them
DEEP = 4  # a service explains another's trouble if that one depends on it within so many calls
