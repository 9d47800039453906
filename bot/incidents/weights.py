"""How much each reason counts for two problems being one incident, and for how long: all in one place.

A tie's weight is the chance that one problem belongs to the other's incident if both begin at the same moment and nothing
else speaks for it; it halves with every half-life between their beginnings. What several problems of an incident say is put
together as chances that do not depend on each other ("noisy or": Pearl 1988, section 4.3.2), so two faint reasons make a
fair one. Orders of magnitude that follow from what the reasons mean, checked on three kinds of made-up days whose
assumptions differ (docs/noise-evaluation.md); none is read off one data set. The weaker a reason, the more often it holds
by chance, hence the sooner it fades.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tie:
    """A reason's weight, and the minutes after which it counts half."""

    weight: float
    half: float


SAID = Tie(0.99, 60)  # a person put these two problems together before: outweighs all that is guessed
SAME = Tie(0.95, 7)  # the same service: rules with a long `for:` speak up to a quarter of an hour after those without
CALLS = Tie(0.9, 5)  # one calls the other: a failure takes minutes to be seen by the caller's own rules
HOST = Tie(0.95, 4)  # the node has an alert of its own: what fails on it fails for that, whoever calls whom
ZONE = Tie(0.85, 3)  # the same of a zone
THROUGH = Tie(0.75, 3)  # two calls apart, and the one between is silent: it passed on what hit it, hence quickly
NAMED = Tie(0.75, 4)  # the alert's text names the other service: somebody wrote the rule with it in mind
CHANGED = Tie(0.7, 4)  # the same recent change touched both
FAR = Tie(0.6, 2)  # three calls apart: as above, and every service on the way multiplies the chance of coincidence
SHARED = Tie(0.6, 2)  # both call a third that says nothing itself: only what happens at once is its doing
PLACE = Tie(0.6, 4)  # the same database, queue or volume
TOLD = Tie(0.5, 5)  # the sender put them into one notification, of services that nobody described
ALIKE = Tie(0.5, 4)  # the same alert name, of services that nobody described
ALSO_THERE = Tie(0.5, 2)  # the same alert on one node
BESIDE = Tie(0.3, 1)  # different alerts of what happens to run on one node: not enough alone
IN_ZONE = Tie(0.3, 2)  # the same alert in one zone, for each service that has it: not enough alone
EVERYWHERE = Tie(0.15, 2)  # the same alert of any service, for each: many services at once have one cause

ENOUGH = 0.4  # from this chance on a problem joins an incident
NOTICED = 0.9  # ... a notice (SEV4): most of them mean nothing
SURE = 0.95  # ... and from this on at once; below, it may wait a moment whether it stays
BACKWARDS = 0.5  # a call counts so much less if the caller was first: trouble travels to whoever calls
SKEW = 60.0  # seconds by which clocks may differ before one was "first"
OVER = 0.5  # what a problem says that has cleared
AGED = 10.0  # minutes: an incident older than this takes less and less ...
AGE_HALF = 10.0  # ... half as much after so many more
AGAIN = Tie(0.95, 6)  # the same problem was part of it and cleared so long ago
BRIEFLY = 2.0  # minutes: what was quiet for no longer is where it was, whatever else speaks
REFIRED = 10.0  # minutes: what was quiet for longer is no mere flap of an incident about several services
MANY = 4  # two or three calls away from more services than this, and weight shrinks: with each, coincidence grows
CROWDED = 8  # what more services than this have in common says little about two of them
DEEP = 4  # a service explains another's trouble if that one depends on it within so many calls
