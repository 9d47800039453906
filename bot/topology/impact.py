"""What a service, or a change of it, can reach: those that depend on it."""

from collections.abc import Iterable
from dataclasses import dataclass

from bot.domain.service import Catalogue

DEPTH = 3


@dataclass(frozen=True, slots=True)
class Impact:
    """What stands behind some services: dependants with their hops (0 = changed itself), owners, the most important tier."""

    hops: dict[str, int]
    owners: tuple[str, ...]
    tier: int

    @property
    def dependants(self) -> tuple[str, ...]:
        """The services that depend on the changed ones, the nearest first."""
        return tuple(sorted((n for n, h in self.hops.items() if h), key=lambda n: (self.hops[n], n)))

    def sentence(self) -> str:
        """What people are told of it."""
        changed = ", ".join(sorted(n for n, h in self.hops.items() if not h)) or "nothing known"
        if not self.dependants:
            return f"{changed}: nothing known depends on it"
        shown = ", ".join(self.dependants[:5])
        more = f" and {len(self.dependants) - 5} more" if len(self.dependants) > 5 else ""
        return f"{changed}: {shown}{more} depend on it"


def impact(catalogue: Catalogue, services: Iterable[str], depth: int = DEPTH) -> Impact:
    """What these services can reach within `depth` hops of calls."""
    graph = catalogue.graph
    hops: dict[str, int] = {}
    for name in services:
        for reached, away in graph.dependants(catalogue.get(name).name, depth).items():
            hops[reached] = min(away, hops.get(reached, away))
    known = [catalogue.get(name) for name in hops]
    owners = tuple(dict.fromkeys(s.owner for s in known if s.owner))
    return Impact(hops, owners, min((s.tier for s in known), default=3))
