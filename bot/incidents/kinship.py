"""How two services are related, in a sentence for people, and how much that weighs."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from bot.domain.service import Catalogue
from bot.incidents import weights
from bot.incidents.weights import CROWDED, DEEP, Tie

CALLS, THROUGH, SHARED = weights.CALLS.weight, weights.THROUGH.weight, weights.SHARED.weight


@dataclass(frozen=True, slots=True)
class Kin:
    """One service related to another: weight in (0, 1), the sentence, and the minutes after which it counts half.

    `needed`: the service asked about depends on this one. `directed`: one of them depends on the other.
    """

    weight: float
    sentence: str
    half: float
    needed: bool = False
    directed: bool = False


def kin(tie: Tie, sentence: str, *, needed: bool = False, directed: bool = False, among: int = 1) -> Kin:
    """A relation with the weight and the time of its kind; `among` so many of that kind, which each says less about."""
    return Kin(tie.weight, sentence, tie.half * min(1.0, weights.MANY / among), needed, directed or needed)


class Kinship:
    """The relations of a catalogue within a few hops of calls; computed per service when asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self._calls: dict[str, tuple[str, ...]] = {s.name: s.depends_on for s in catalogue.services.values()}
        self._callers: dict[str, list[str]] = {}
        for name, callees in self._calls.items():
            for callee in callees:
                self._callers.setdefault(callee, []).append(name)
        self._kin: dict[str, dict[str, Kin]] = {}
        self._wide: dict[str, dict[str, Kin]] = {}
        self._below: dict[str, frozenset[str]] = {}

    def knows(self, service: str) -> bool:
        """Somebody described this service."""
        return service in self._calls

    def of(self, service: str) -> Mapping[str, Kin]:
        """Every service related to this one within two hops, the strongest relation to each."""
        if service not in self._kin:
            self._kin[service] = self._find(service) if self.knows(service) else {}
        return self._kin[service]

    def wide(self, service: str) -> Mapping[str, Kin]:
        """Those of `of`, and what lies three calls away."""
        if service not in self._wide:
            self._wide[service] = self._far(service) | dict(self.of(service)) if self.knows(service) else {}
        return self._wide[service]

    def below(self, service: str) -> Set[str]:
        """All that a service depends on within `weights.DEEP` calls, without itself."""
        if service not in self._below:
            seen, ring = {service}, [service]
            for _ in range(DEEP):
                ring = [callee for here in ring for callee in self._calls.get(here, ()) if callee not in seen]
                seen.update(ring)
            self._below[service] = frozenset(seen - {service})
        return self._below[service]

    def in_line(self, a: str, b: str) -> bool:
        """They are the same, or one depends on the other: trouble of one explains trouble of the other."""
        return a == b or a in self.below(b) or b in self.below(a)

    def _find(self, here: str) -> dict[str, Kin]:
        found: dict[str, Kin] = {}

        def keep(name: str, relation: Kin) -> None:
            if name != here and (name not in found or found[name].weight < relation.weight):
                found[name] = relation

        callees, callers = self._calls.get(here, ()), self._callers.get(here, ())
        far_callees, far_callers = len(_beyond(callees, self._calls)), len(_beyond(callers, self._callers))
        for near in callees:
            keep(near, kin(weights.CALLS, f"{here} calls {near}", needed=True))
            for far in self._calls.get(near, ()):
                keep(far, kin(weights.THROUGH, f"{here} calls {far} through {near}", needed=True, among=far_callees))
        for near in callers:
            keep(near, kin(weights.CALLS, f"{near} calls {here}", directed=True))
            for far in self._callers.get(near, ()):
                keep(far, kin(weights.THROUGH, f"{far} calls {here} through {near}", directed=True, among=far_callers))
        for shared in callees:
            others = self._callers.get(shared, ())
            for other in others if len(others) <= CROWDED else ():
                keep(other, kin(weights.SHARED, f"{' and '.join(sorted((here, other)))} both call {shared}"))
        return found

    def _far(self, here: str) -> dict[str, Kin]:
        found: dict[str, Kin] = {}
        for ways, callee in ((self._calls, True), (self._callers, False)):
            among = len(_beyond(_beyond(ways.get(here, ()), ways), ways))
            for near in ways.get(here, ()):
                for between in ways.get(near, ()):
                    for far in ways.get(between, ()):
                        said = (
                            f"{here} calls {far} through {near} and {between}"
                            if callee
                            else f"{far} calls {here} through {between} and {near}"
                        )
                        found.setdefault(far, kin(weights.FAR, said, needed=callee, directed=True, among=among))
        found.pop(here, None)
        return found


def _beyond(services: Iterable[str], ways: Mapping[str, Sequence[str]]) -> set[str]:
    """What these lead to."""
    return {far for near in services for far in ways.get(near, ())}


_latest: list[Kinship] = []


def kinship_of(catalogue: Catalogue) -> Kinship:
    """The relations of this catalogue; those of the latest one asked for are remembered."""
    if not _latest or _latest[0].catalogue is not catalogue:
        _latest[:] = [Kinship(catalogue)]
    return _latest[0]
