"""The catalogue as the stories see it: what people declared, with what sources saw between services."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from bot.domain.service import Catalogue, ServiceGraph
from bot.domain.topology import EdgeOrigin, KnownCall
from bot.topology.merging import FADES, learned, merged


class Learning(StrEnum):
    """What edges may do that nobody declared.

    OFF: nothing. DIAGNOSIS: they lead an investigation and the impact of a change. EVERYTHING: they also group alerts,
    inhibit and explain them away, as declared ones do.
    """

    OFF = "off"
    DIAGNOSIS = "diagnosis"
    EVERYTHING = "everything"


class LiveCatalogue:
    """Call it for the catalogue: one and the same object until the files or the learned edges change."""

    def __init__(
        self, declared: Callable[[], Catalogue], learning: Learning = Learning.DIAGNOSIS, fades: timedelta = FADES
    ) -> None:
        self._declared = declared
        self._learning = learning
        self._fades = fades
        self._known: tuple[KnownCall, ...] = ()
        self._at: datetime | None = None
        self._made: tuple[Catalogue, tuple[KnownCall, ...], Catalogue] | None = None

    def __call__(self) -> Catalogue:
        """The catalogue as it is now."""
        plain = self._declared()
        if self._at is None or self._learning is Learning.OFF:
            return plain
        made = self._made
        if made is None or made[0] is not plain or made[1] is not self._known:
            made = self._made = (plain, self._known, self._whole(plain, self._at))
        return made[2]

    def learn(self, known: Sequence[KnownCall], now: datetime) -> None:
        """These calls were seen; what is the same as before changes nothing."""
        news = _shape(known) != _shape(self._known)
        if news or self._at is None or now - self._at > self._fades / 10:
            self._known, self._at = tuple(known), now

    def edges(self, known: Sequence[KnownCall], now: datetime) -> tuple[EdgeOrigin, ...]:
        """Every edge with its provenance, whatever edges may do."""
        return merged(self._declared(), known, now, self._fades)

    def _whole(self, plain: Catalogue, now: datetime) -> Catalogue:
        graph, outside = learned(merged(plain, self._known, now, self._fades))
        if self._learning is Learning.EVERYTHING:
            plain = _as_declared(plain, graph)
        return replace(plain, learned=graph, outside=outside)


def _shape(known: Sequence[KnownCall]) -> frozenset[tuple[str, str, bool]]:
    return frozenset((k.caller, k.callee, k.external) for k in known)


def _as_declared(catalogue: Catalogue, graph: ServiceGraph) -> Catalogue:
    """Learned edges between services of the catalogue count as declared ones."""

    def all_of(name: str) -> tuple[str, ...]:
        seen = (callee for callee in graph.callees(name) if callee in catalogue.services)
        return tuple(dict.fromkeys((*catalogue.services[name].depends_on, *seen)))

    return Catalogue({name: replace(s, depends_on=all_of(name)) for name, s in catalogue.services.items()})
