"""How two services are related, in a sentence for people, and how much that weighs."""

from collections.abc import Mapping
from dataclasses import dataclass

from bot.domain.service import Catalogue

CALLS, THROUGH, SHARED = 0.9, 0.75, 0.55
CROWDED = 8  # what more services than this depend on says little about two of them


@dataclass(frozen=True, slots=True)
class Kin:
    """One service related to another: weight in (0, 1), the sentence, and the share of the time window that it earns.

    `needed`: the service asked about depends on this one.
    """

    weight: float
    sentence: str
    share: float = 1.0
    needed: bool = False


class Kinship:
    """The relations of a catalogue within two hops of calls; computed per service when asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._calls: dict[str, tuple[str, ...]] = {s.name: s.depends_on for s in catalogue.services.values()}
        self._callers: dict[str, list[str]] = {}
        for name, callees in self._calls.items():
            for callee in callees:
                self._callers.setdefault(callee, []).append(name)
        self._kin: dict[str, dict[str, Kin]] = {}

    def knows(self, service: str) -> bool:
        """Somebody described this service."""
        return service in self._calls

    def of(self, service: str) -> Mapping[str, Kin]:
        """Every service related to this one, the strongest relation to each."""
        if service not in self._kin:
            self._kin[service] = self._find(service) if self.knows(service) else {}
        return self._kin[service]

    def _find(self, here: str) -> dict[str, Kin]:
        found: dict[str, Kin] = {}

        def keep(name: str, kin: Kin) -> None:
            if name != here and (name not in found or found[name].weight < kin.weight):
                found[name] = kin

        callees, callers = self._calls.get(here, ()), self._callers.get(here, ())
        for near in callees:
            keep(near, Kin(CALLS, f"{here} calls {near}", needed=True))
            for far in self._calls.get(near, ()):
                keep(far, Kin(THROUGH, f"{here} calls {far} through {near}", needed=True))
        for near in callers:
            keep(near, Kin(CALLS, f"{near} calls {here}"))
            for far in self._callers.get(near, ()):
                keep(far, Kin(THROUGH, f"{far} calls {here} through {near}"))
        for shared in callees:
            others = self._callers.get(shared, ())
            for other in others if len(others) <= CROWDED else ():
                keep(other, Kin(SHARED, f"{' and '.join(sorted((here, other)))} both call {shared}", 1 / 3))
        return found
