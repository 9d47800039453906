"""Backstage's catalogue documents as services: Components and Resources, with what annotations tell.

Format: https://backstage.io/docs/features/software-catalog/descriptor-format. References to entities that no document
describes are left out; a document that is no Backstage entity is a fault with its line.
"""

import logging
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from bot.domain.service import Service
from bot.errors import Fault
from bot.topology.rulefile import BadRules

log = logging.getLogger(__name__)

LARGEST = 1_000_000  # bytes of one file
_SOURCE = re.compile(r"url:https?://[^/]+/(?P<project>[^/]+/[^/]+)(?:/(?:-/)?(?:tree|blob)/[^/]+/(?P<path>[^?#]*))?")
SLUGS = ("github.com/project-slug", "gitlab.com/project-slug", "bitbucket.org/project-slug")
OURS = "tocsin.dev/"  # annotations of ours: tier, aliases, environments, deployer, paths
Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]


class Metadata(BaseModel):
    """The part of `metadata` that we read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    title: Text = ""
    annotations: Mapping[str, str] = Field(default_factory=dict)


class Spec(BaseModel):
    """The part of `spec` that we read."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    owner: Text = ""
    dependsOn: tuple[Text, ...] = ()
    providesApis: tuple[Text, ...] = ()
    consumesApis: tuple[Text, ...] = ()


class Entity(BaseModel):
    """One document."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    apiVersion: Annotated[str, StringConstraints(pattern=r"^backstage\.io/")]
    kind: str
    metadata: Metadata
    spec: Spec = Spec()


@dataclass(frozen=True, slots=True)
class Described:
    """One entity and where it stands."""

    entity: Entity
    file: str
    line: int


def read_backstage(files: Iterable[Path]) -> tuple[Service, ...]:
    """The services that these files describe. Raises BadRules with every fault of every file."""
    faults: list[Fault] = []
    found = [d for file in files for d in _documents(file, faults)]
    seen: dict[str, Described] = {}
    for described in found:
        if described.entity.kind not in ("Component", "Resource"):
            continue
        name = described.entity.metadata.name
        if name in seen:
            first = f"{seen[name].file}:{seen[name].line}"
            faults.append(Fault(described.file, described.line, f"{name} is described already in {first}; keep one"))
        seen.setdefault(name, described)
    if faults:
        raise BadRules(faults)
    entities = [d.entity for d in seen.values()]
    providers = {_name(api): e.metadata.name for e in entities for api in e.spec.providesApis}
    return tuple(_service(entity, frozenset(seen), providers) for entity in entities)


def _documents(file: Path, faults: list[Fault]) -> Iterator[Described]:
    try:
        text = file.read_text(encoding="utf-8")
        if len(text) > LARGEST:
            raise BadRules([Fault(file.name, 1, f"is longer than {LARGEST:,} characters; split it")])
        nodes = [node for node in yaml.compose_all(text, yaml.SafeLoader) if node is not None]
    except (OSError, UnicodeDecodeError) as error:
        faults.append(Fault(file.name, 1, f"cannot be read: {error}"))
        return
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        faults.append(Fault(file.name, mark.line + 1 if mark else 1, f"is not YAML: {str(error)[:200]}"))
        return
    except BadRules as error:
        faults += error.faults
        return
    for node in nodes:
        line = node.start_mark.line + 1
        try:
            yield Described(Entity.model_validate(_plain(node)), file.name, line)
        except yaml.YAMLError as error:
            faults.append(Fault(file.name, line, f"cannot be read: {str(error)[:200]}"))
        except ValidationError as error:
            first = error.errors(include_url=False, include_context=False)[0]
            where = ".".join(str(step) for step in first["loc"]) or "the document"
            message = f"is no Backstage entity: {where}: {first['msg'][:1].lower()}{first['msg'][1:]}"
            faults.append(Fault(file.name, line, message))


def _plain(node: yaml.Node) -> object:
    """A document's value, by the safe loader's own rules."""
    return yaml.SafeLoader("").construct_document(node)


def _service(entity: Entity, known: frozenset[str], providers: Mapping[str, str]) -> Service:
    metadata, spec, notes = entity.metadata, entity.spec, entity.metadata.annotations
    asked = [*map(_name, spec.dependsOn), *(providers.get(_name(api), "") for api in spec.consumesApis)]
    depends_on = tuple(dict.fromkeys(n for n in asked if n in known and n != metadata.name))
    if missing := sorted({n for n in asked if n and n not in known}):
        log.info("%s depends on %s, which no document describes", metadata.name, ", ".join(missing[:5]))
    repository, path = _source(notes)
    tier = notes.get(OURS + "tier", "3")
    return Service(
        name=metadata.name,
        title=metadata.title or metadata.name,
        owner=_name(spec.owner),
        tier=int(tier) if tier in "12345" and len(tier) == 1 else 3,
        aliases=_aliases(metadata),
        depends_on=depends_on,
        repository=repository,
        paths=_listed(notes.get(OURS + "paths", "")) or ((path,) if path else ()),
        environments=_listed(notes.get(OURS + "environments", "")) or ("production",),
        deployer=notes.get(OURS + "deployer", "").strip(),
        external=entity.kind == "Resource",
    )


def _source(notes: Mapping[str, str]) -> tuple[str, str]:
    """The repository's full name, and the folder in it."""
    slug = next((notes[key] for key in SLUGS if notes.get(key)), "")
    match = _SOURCE.match(notes.get("backstage.io/source-location", ""))
    if match is None:
        return slug, ""
    return slug or match["project"].removesuffix(".git"), (match["path"] or "").strip("/")


def _aliases(metadata: Metadata) -> tuple[str, ...]:
    """What alerts may call it: its Kubernetes id, and what people listed."""
    listed = (
        metadata.annotations.get("backstage.io/kubernetes-id", ""),
        *_listed(metadata.annotations.get(OURS + "aliases", "")),
    )
    return tuple(dict.fromkeys(a for a in listed if a and a != metadata.name))


def _listed(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _name(reference: str) -> str:
    """The name in an entity reference: "group:default/team-payments" is "team-payments"."""
    return reference.rpartition(":")[2].rpartition("/")[2].strip()
