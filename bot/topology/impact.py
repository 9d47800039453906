"""What a change of a service may reach: everything that depends on it, by hops and by tier."""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass

from bot.domain.service import Catalogue

HOPS = 2
CRITICAL = 1  # the tier of what must not fail


@dataclass(frozen=True, slots=True)
class Dependant:
    """A service that depends on what changes, `hops` calls away; `tier` 0 where nobody described it.

    `declared`: every call on the way was written down by people, not only seen.
    """

    name: str
    hops: int
    tier: int
    owner: str = ""
    declared: bool = True


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom a change may reach within `hops` calls, the nearest and most critical first."""

    services: tuple[str, ...]
    hops: int
    dependants: tuple[Dependant, ...] = ()

    @property
    def critical(self) -> tuple[Dependant, ...]:
        """Those of tier 1."""
        return tuple(d for d in self.dependants if d.tier == CRITICAL)

    @property
    def sentence(self) -> str:
        """For people, without a full stop: "12 services within two hops, 3 of tier 1"."""
        if not self.dependants:
            return "no service is known to depend on it"
        count, within = len(self.dependants), {1: "one hop", 2: "two hops", 3: "three hops"}.get(self.hops, f"{self.hops} hops")
        critical = f", {len(self.critical)} of tier {CRITICAL}" if self.critical else f", none of tier {CRITICAL}"
        return f"{count} {'service' if count == 1 else 'services'} within {within}{critical}"

    @property
    def by_hops(self) -> tuple[tuple[int, tuple[Dependant, ...]], ...]:
        """The same, one entry per number of hops."""
        there = sorted({d.hops for d in self.dependants})
        return tuple((hops, tuple(d for d in self.dependants if d.hops == hops)) for hops in there)

    @property
    def tiers(self) -> tuple[tuple[int, int], ...]:
        """How many of each tier, the most critical first; 0 stands for what nobody described and comes last."""
        return tuple(sorted(Counter(d.tier for d in self.dependants).items(), key=lambda t: (t[0] == 0, t[0])))


def reach(catalogue: Catalogue, services: Collection[str], hops: int = HOPS) -> Reach:
    """Whom a change of these services may reach: their callers, declared and learned, and the callers of those."""
    changed = tuple(dict.fromkeys(catalogue.get(name).name for name in services))
    near = _nearest(catalogue.whole.dependants, changed, hops)
    declared = _nearest(catalogue.graph.dependants, changed, hops)
    found = []
    for name, away in near.items():
        service = catalogue.resolve(name)
        if name not in changed and name not in catalogue.external:
            tier, owner = (service.tier, service.owner) if service else (0, "")
            found.append(Dependant(name, away, tier, owner, declared.get(name, hops + 1) <= away))
    return Reach(changed, hops, tuple(sorted(found, key=lambda d: (d.hops, d.tier or 9, d.name))))


def _nearest(of: Callable[[str, int], dict[str, int]], services: Collection[str], hops: int) -> dict[str, int]:
    near: dict[str, int] = {}
    for service in services:
        for name, away in of(service, hops).items():
            near[name] = min(away, near.get(name, away))
    return near
