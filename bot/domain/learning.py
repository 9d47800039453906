"""What confirmed causes teach: how much each rule counts, and how often a lead of so many points was right."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

LEAST, MOST = 0.5, 1.5  # times what a rule gives as shipped
SHIPPED_NAME = "shipped"


@dataclass(frozen=True, slots=True)
class Calibration:
    """How often the first suspect is right when it leads by so many points: 1 / (1 + exp(-(intercept + slope * lead)))."""

    intercept: float
    slope: float
    widest: float = 8.0  # points of lead beyond which more says no more

    def chance(self, lead: float) -> float:
        """In (0, 1)."""
        return 1 / (1 + math.exp(-(self.intercept + self.slope * max(0.0, min(lead, self.widest)))))


@dataclass(frozen=True, slots=True)
class Weights:
    """What the points of rules are multiplied by, and what a conviction and its words need; as shipped by default.

    `rules` holds multipliers by a rule's name, 1 for those that are missing. `margin` is the lead, in points, that a conviction
    needs if that is more than the shipped one. With `strict` only what the shipped points convict too is convicted.
    """

    version: str = SHIPPED_NAME
    rules: Mapping[str, float] = field(default_factory=dict)
    margin: float = 0.0
    calibration: Calibration | None = None
    strict: bool = True

    def of(self, rule: str) -> float:
        """What the points of this rule are multiplied by."""
        return min(MOST, max(LEAST, self.rules.get(rule, 1.0)))


SHIPPED = Weights()


@dataclass(frozen=True, slots=True)
class HeldBack:
    """How weights did on incidents that they were not fitted on, and how the shipped ones did on the same.

    Counts of incidents; `gained` are those that only the learned weights have right, `lost` those that only the shipped ones
    have. `loss` is the mean logarithmic loss of the stated chance, -1 where it was not compared.
    """

    incidents: int
    right: int
    right_shipped: int
    gained: int
    lost: int
    convicted: int
    convicted_shipped: int
    wrongly: int
    wrongly_shipped: int
    loss: float = -1.0
    loss_shipped: float = -1.0


@dataclass(frozen=True, slots=True)
class Learned:
    """One attempt to learn: the weights, from how many incidents, how they did where they were held back, what became of it.

    `basis` is a hash of the lessons, so that the same ones are not learned from twice. `number` is 0 for the shipped weights.
    """

    number: int
    at: datetime
    weights: Weights
    incidents: int
    adopted: bool
    reason: str
    basis: str = ""
    later: HeldBack | None = None  # fitted on the earlier incidents, tried on the later ones
    folds: HeldBack | None = None  # each incident tried by weights that were fitted without it
    pinned: bool = False  # a person chose these; nothing that is learned replaces them

    def as_number(self, number: int) -> "Learned":
        """The same attempt under a number, which names its weights."""
        return replace(self, number=number, weights=replace(self.weights, version=f"w{number}"))

    def refused(self, reason: str) -> "Learned":
        """The same attempt, not in force for this reason."""
        return replace(self, adopted=False, reason=reason)
