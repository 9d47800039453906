"""A service, and the graph of who depends on whom."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Service:
    """One deployable part of the estate, or an outside provider (`external`)."""

    name: str
    title: str = ""
    owner: str = ""
    tier: int = 3
    aliases: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()
    repository: str = ""
    paths: tuple[str, ...] = ()
    environments: tuple[str, ...] = ("production",)
    deployer: str = ""
    external: bool = False
    catalogued: bool = True  # False: created on sight of an event that named it


@dataclass(frozen=True, slots=True)
class ServiceGraph:
    """Who calls whom: `calls[a]` are the services that `a` depends on."""

    calls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def callees(self, name: str) -> tuple[str, ...]:
        """The services that `name` depends on directly."""
        return tuple(self.calls.get(name, ()))

    def callers(self, name: str) -> tuple[str, ...]:
        """The services that depend on `name` directly."""
        return tuple(sorted(a for a, callees in self.calls.items() if name in callees))

    def upstreams(self, name: str, depth: int = 3) -> dict[str, int]:
        """Everything `name` depends on within `depth` hops, with the hops; `name` itself is 0 hops away."""
        return self._walk(name, depth, self.callees)

    def dependants(self, name: str, depth: int = 3) -> dict[str, int]:
        """Everything that depends on `name` within `depth` hops, with the hops; `name` itself is 0 hops away."""
        return self._walk(name, depth, self.callers)

    def distance(self, a: str, b: str) -> int | None:
        """Hops between two services along calls in either direction; None without a path."""
        seen = self._walk(a, 99, lambda n: (*self.callees(n), *self.callers(n)))
        return seen.get(b)

    def related(self, a: str, b: str, depth: int = 2) -> bool:
        """One depends on the other within `depth` hops, or both depend on one thing within that."""
        if b in self.upstreams(a, depth) or a in self.upstreams(b, depth):
            return True
        return bool(set(self.upstreams(a, depth)) & set(self.upstreams(b, depth)))

    def _walk(self, start: str, depth: int, step: Callable[[str], Iterable[str]]) -> dict[str, int]:
        seen, queue = {start: 0}, deque([start])
        while queue:
            here = queue.popleft()
            if seen[here] >= depth:
                continue
            for there in step(here):
                if there not in seen:
                    seen[there] = seen[here] + 1
                    queue.append(there)
        return seen


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All services that people described, and how they depend on each other."""

    services: Mapping[str, Service] = field(default_factory=dict)

    @property
    def graph(self) -> ServiceGraph:
        """The dependencies that the services declare."""
        return ServiceGraph({s.name: s.depends_on for s in self.services.values()})

    def resolve(self, name: str) -> Service | None:
        """The service of this name or alias, or None."""
        if name in self.services:
            return self.services[name]
        return next((s for s in self.services.values() if name in s.aliases), None)

    def get(self, name: str) -> Service:
        """The service of this name or alias; one nobody described is created on sight."""
        return self.resolve(name) or Service(name=name, catalogued=False)

    def shipping(self, repository: str, files: Iterable[str]) -> tuple[str, ...]:
        """The services that files of a repository ship with, by their declared paths."""
        files = tuple(files)
        return tuple(
            s.name
            for s in self.services.values()
            if s.repository == repository and any(f == p or f.startswith(p.rstrip("/") + "/") for f in files for p in s.paths)
        )
