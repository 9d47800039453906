"""A service, and the graph of who depends on whom."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class CloudResource:
    """One resource of CloudWatch: its namespace ("AWS/RDS") and the dimensions (name, value) that tell it from others."""

    namespace: str
    dimensions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class ServiceMetrics:
    """Where the numbers of a service are, as people described it; what is empty is found by conventions.

    `selector` are PromQL matchers in braces, `golden` pairs of a metric name and its PromQL, `datadog` tags ("service:cart").
    """

    selector: str = ""
    golden: tuple[tuple[str, str], ...] = ()
    datadog: tuple[str, ...] = ()
    cloudwatch: tuple[CloudResource, ...] = ()


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
    metrics: ServiceMetrics = ServiceMetrics()
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
    """All services that people described, and how they depend on each other; every question costs one look.

    `learned` are calls that nobody declared and that were seen, `outside` the names of what was seen outside the estate.
    """

    services: Mapping[str, Service] = field(default_factory=dict)
    learned: ServiceGraph = field(default_factory=ServiceGraph)
    outside: frozenset[str] = frozenset()
    _named: Mapping[str, Service] = field(init=False, repr=False, compare=False)
    _spelt: Mapping[str, Service | None] = field(init=False, repr=False, compare=False)
    _shipped: Mapping[str, tuple[Service, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        named: dict[str, Service] = dict(self.services)
        spelt: dict[str, Service | None] = {}
        shipped: dict[str, tuple[Service, ...]] = {}
        for service in self.services.values():
            for alias in service.aliases:
                named.setdefault(alias, service)
            if service.repository:
                key = repository_name(service.repository)
                shipped[key] = (*shipped.get(key, ()), service)
        for name, service in named.items():
            key = spelling(name)
            spelt[key] = service if spelt.get(key, service) is service else None  # two services: it says nothing
        for name, index in (("_named", named), ("_spelt", spelt), ("_shipped", shipped)):
            object.__setattr__(self, name, index)

    @property
    def graph(self) -> ServiceGraph:
        """The dependencies that the services declare."""
        return ServiceGraph({s.name: s.depends_on for s in self.services.values()})

    @property
    def whole(self) -> ServiceGraph:
        """What is declared and what was learned, for those who look for causes and for what a change reaches."""
        declared = self.graph.calls
        names = dict.fromkeys((*declared, *self.learned.calls))
        return ServiceGraph({n: tuple(dict.fromkeys((*declared.get(n, ()), *self.learned.callees(n)))) for n in names})

    @property
    def external(self) -> frozenset[str]:
        """The names of everything outside the estate, described or only seen; nobody has its telemetry."""
        return self.outside | {s.name for s in self.services.values() if s.external}

    def resolve(self, name: str) -> Service | None:
        """The service of this name or alias, or None."""
        return self._named.get(name)

    def spelt(self, name: str) -> Service | None:
        """The one service of this name or alias in another spelling: other case, "_", "." or a space for "-"."""
        return self._spelt.get(spelling(name))

    def of_spelling(self, plain: str) -> Service | None:
        """The same for what `spelling` made already."""
        return self._spelt.get(plain)

    def of_repository(self, repository: str) -> tuple[Service, ...]:
        """The services of a repository, as `repository_name` writes it."""
        return self._shipped.get(repository, ())

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


def repository_name(url: str) -> str:
    """How a repository is told apart, "acme/cart", whether its URL or its name is given."""
    bare = url.strip().lower().removesuffix("/").removesuffix(".git")
    if "://" in bare:
        return bare.partition("://")[2].partition("/")[2]
    return bare.partition(":")[2] if bare.startswith("git@") else bare


_ALIKE = str.maketrans("_. ", "---")


def spelling(name: str) -> str:
    """A name as its spellings have it in common: "Cart_API" and "cart-api" are one."""
    return name.lower().translate(_ALIKE)
