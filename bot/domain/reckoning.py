"""How a verdict fell: what it needed and had, the other causes that were considered, whose own the trouble is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Bar:
    """Something that a conviction needs: so many points, and how many there were."""

    name: str
    needed: float
    had: float

    @property
    def met(self) -> bool:
        """It was reached."""
        return self.had >= self.needed


@dataclass(frozen=True, slots=True)
class Considered:
    """An operational cause that passed its checks: how surely (0-1), what it cites, and what became of it."""

    name: str
    text: str
    strength: float
    cites: tuple[str, ...] = ()
    outcome: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the trouble is a service's own, in [0, 1], and why."""

    service: str
    score: float
    text: str = ""


@dataclass(frozen=True, slots=True)
class Reckoning:
    """What `--explain` shows beside the candidates. `suspects` and `ruled_out` count all, kept or not.

    `chance` is how often a lead like this was right, where that was learned.
    """

    bars: tuple[Bar, ...] = ()
    considered: tuple[Considered, ...] = ()
    nodes: tuple[Share, ...] = ()
    suspects: int = 0
    ruled_out: int = 0
    weights: str = "shipped"
    chance: float | None = None
