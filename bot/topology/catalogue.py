"""services.yaml: the services that people described, checked with line numbers."""

import logging
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bot.domain.service import Catalogue, Service
from bot.errors import Fault
from bot.topology.backstage import read_backstage
from bot.topology.measured import MetricsEntry
from bot.topology.rulefile import BadRules, Lines, RuleFile, read_rules

log = logging.getLogger(__name__)
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]


class ServiceEntry(BaseModel):
    """One service as services.yaml writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Name
    title: str = ""
    owner: str = ""
    tier: Annotated[int, Field(ge=1, le=5)] = 3
    aliases: tuple[Name, ...] = ()
    depends_on: tuple[Name, ...] = ()
    repository: str = ""
    paths: tuple[Name, ...] = ()
    environments: tuple[Name, ...] = ("production",)
    deployer: str = ""
    external: bool = False
    metrics: MetricsEntry = MetricsEntry()


class ServicesFile(BaseModel):
    """services.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    services: tuple[ServiceEntry, ...] = ()


def catalogue_file(path: Path, backstage: Sequence[str] = ()) -> RuleFile[Catalogue]:
    """services.yaml at this path and Backstage's documents, kept current; a service that nobody described is created on sight.

    `backstage` are globs relative to the folder of services.yaml, such as "catalog/**/catalog-info.yaml".
    """

    def documents() -> tuple[Path, ...]:
        return tuple(sorted({file for pattern in backstage for file in path.parent.glob(pattern) if file.is_file()}))

    def read(text: str, file: str) -> Catalogue:
        return read_catalogue(text, file, read_backstage(documents()))

    return RuleFile(path, read, absent=lambda: read("", path.name), beside=documents)


def read_catalogue(text: str, file: str = "services.yaml", others: Sequence[Service] = ()) -> Catalogue:
    """The catalogue that the text describes, with `others` where it says nothing of them. Raises BadRules with every fault."""
    parsed, lines = read_rules(text, file, ServicesFile)
    names = {entry.name for entry in parsed.services}
    others = [service for service in others if service.name not in names]
    faults = [*_taken_twice(parsed, lines), *_dangling(parsed, lines, {service.name for service in others})]
    if faults:
        raise BadRules(sorted(faults, key=lambda fault: fault.line))
    catalogue = _built(parsed, others)
    for loop in loops(catalogue):
        log.warning("%s: %s depend on each other in a circle; causes among them are harder to tell apart", file, " → ".join(loop))
    return catalogue


def _built(parsed: ServicesFile, others: Sequence[Service]) -> Catalogue:
    names = {service.name: service.name for service in others}
    names |= {alias: entry.name for entry in parsed.services for alias in (entry.name, *entry.aliases)}
    services = {service.name: service for service in others}
    services |= {
        entry.name: Service(
            **entry.model_dump(exclude={"depends_on", "title", "metrics"}),
            metrics=entry.metrics.said(),
            title=entry.title or entry.name,
            depends_on=tuple(dict.fromkeys(names[target] for target in entry.depends_on)),
        )
        for entry in parsed.services
    }
    return Catalogue(services)


def _taken_twice(parsed: ServicesFile, lines: Lines) -> Iterable[Fault]:
    taken: dict[str, int] = {}
    for number, entry in enumerate(parsed.services):
        for place, name in (("name", entry.name), *(("aliases", alias) for alias in entry.aliases)):
            if name in taken:
                yield lines.fault(
                    f"{name} is already the name or an alias of the service in line {taken[name]}; choose another",
                    "services", number, place,
                )  # fmt: skip
            else:
                taken[name] = lines.of("services", number)


def _dangling(parsed: ServicesFile, lines: Lines, others: Collection[str]) -> Iterable[Fault]:
    names = {name: name for name in others}
    names |= {name: entry.name for entry in parsed.services for name in (entry.name, *entry.aliases)}
    for number, entry in enumerate(parsed.services):
        for place, target in enumerate(entry.depends_on):
            if target not in names:
                message = f"{entry.name} depends on {target}, which is not described; add it (external: true if not yours)"
            elif names[target] == entry.name:
                message = f"{entry.name} depends on itself; take it out"
            else:
                continue
            yield lines.fault(message, "services", number, "depends_on", place)


def loops(catalogue: Catalogue) -> tuple[tuple[str, ...], ...]:
    """Services that depend on each other in a circle, each circle once, its first service repeated at the end."""
    found: dict[frozenset[str], tuple[str, ...]] = {}
    done: set[str] = set()
    for start in catalogue.services:
        trail: list[tuple[str, list[str]]] = [(start, list(catalogue.services[start].depends_on))]
        while trail:
            here, left = trail[-1]
            if here in done or not left:
                done.add(here)
                trail.pop()
                continue
            there = left.pop(0)
            path = [name for name, _ in trail]
            if there in path:
                circle = path[path.index(there) :]
                found.setdefault(frozenset(circle), (*circle, there))
            elif there not in done:
                trail.append((there, list(catalogue.services[there].depends_on)))
    return tuple(found.values())
