"""Backstage TechDocs: the pages of MkDocs folders, in a folder of this machine or in a Git repository.

A site is a folder with mkdocs.yml; where catalog-info.yaml has the annotation backstage.io/techdocs-ref, it names the site and
its entity gives owner and service. Format: https://backstage.io/docs/features/techdocs/ and
https://www.mkdocs.org/user-guide/configuration/.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import Any

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from bot.domain.vocabulary import link
from bot.plain_yaml import BadYaml, documents
from bot.ports import Connector, DocumentSource, RawDocument, Room
from bot.wire.filetree import Files, checked, media_type
from bot.wire.trees import FolderTree, GitTree, Remote, Tree

NAME = "techdocs"
MOST_SITES = 500
MOST_NAV = 5_000
LARGEST = 500_000  # bytes of a YAML file
REF = "backstage.io/techdocs-ref"


class TechDocsSettings(BaseModel):
    """Nothing: the sites are named by the source."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TechDocsSource(BaseModel):
    """The own values of [knowledge.sources.NAME] with kind = "techdocs": a `path`, or a `url` of a repository."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path | None = None
    url: str = ""
    branch: str = ""
    token: SecretStr | None = None
    backstage_url: str = ""  # "https://backstage.example.com": links lead there

    @model_validator(mode="after")
    def _one_place(self) -> "TechDocsSource":
        if (self.path is None) == (not self.url):
            raise ValueError("set either path, a folder of this machine, or url, a Git repository")
        return self


@dataclass(frozen=True, slots=True)
class Site:
    """One MkDocs site: the folder of its mkdocs.yml, that of its pages, and what is known of it."""

    folder: str
    docs: str
    name: str = ""
    titles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # page -> its titles in the menu, outermost first
    owner: str = ""
    service: str = ""
    entity: str = ""  # "default/component/payments"


class TechDocs:
    """ports.DocumentSource and ports.Renames over the sites of a tree."""

    def __init__(self, tree: Tree, backstage_url: str = "") -> None:
        self._tree = tree
        self._base = link(backstage_url).rstrip("/")
        self._files = Files(tree)
        self._sites: Mapping[str, Site] = {}
        self.repository = tree.repository

    async def listing(self) -> Mapping[str, str]:
        """The pages of every site; their versions change with what menu and catalogue say of them as well."""
        files = await self._tree.listing()
        sites = await self._find(files)
        self._sites = {page: site for page in await self._files.listing() if (site := _site_of(page, sites))}
        return {page: f"{files[page]}.{_digest(self._front(page))}" for page in self._sites}

    async def fetch(self, ref: str) -> RawDocument | None:
        """One page."""
        body = await self._tree.read(ref)
        site = self._sites.get(ref)
        if body is None or site is None:
            return None
        titles = site.titles.get(_within(ref, site), ())
        where = "/".join((site.name or site.folder, *(titles or (_within(ref, site),))))
        title = titles[-1] if titles else ""
        found = RawDocument(ref, title, body, media_type(ref), path=where, link=self._link(ref, site))
        return replace(found, front=self._front(ref))

    async def renamed(self, since: str) -> tuple[str, Mapping[str, str]]:
        """What the tree says."""
        return await self._files.renamed(since)

    def _front(self, page: str) -> dict[str, object]:
        site = self._sites[page]
        titles = "/".join(site.titles.get(_within(page, site), ()))
        services = [site.service] if site.service else []
        return {"owner": site.owner, "services": services, "menu": titles}

    def _link(self, page: str, site: Site) -> str:
        if not (self._base and site.entity):
            return self._tree.link(page)
        within = PurePosixPath(_within(page, site))
        at = str(within.parent) if within.stem == "index" else str(within.with_suffix(""))
        return f"{self._base}/docs/{site.entity}/{'' if at == '.' else f'{at}/'}"

    async def _find(self, files: Mapping[str, str]) -> list[Site]:
        """Every site of the tree, the deepest folder first."""
        entities: dict[str, Mapping[str, Any]] = {}
        for path in [p for p in files if PurePosixPath(p).name in ("catalog-info.yaml", "catalog-info.yml")][:MOST_SITES]:
            for entity in await self._yaml(path):
                for folder in _named_by(entity, path):
                    entities.setdefault(folder, entity)
        sites = []
        for path in [p for p in files if PurePosixPath(p).name in ("mkdocs.yml", "mkdocs.yaml")][:MOST_SITES]:
            folder = _folder(path)
            config = next(iter(await self._yaml(path)), {})
            sites.append(_site(folder, config, entities.get(folder, {})))
        return sorted(sites, key=lambda site: -len(site.docs))

    async def _yaml(self, path: str) -> list[Mapping[str, Any]]:
        body = await self._tree.read(path) or b""
        try:
            return [d for d in documents(body[:LARGEST], patient=True) if isinstance(d, dict)]
        except BadYaml:
            return []  # the site is still there, without its menu


def _folder(path: str) -> str:
    parent = str(PurePosixPath(path).parent)
    return "" if parent == "." else parent


def _named_by(entity: Mapping[str, Any], path: str) -> Iterator[str]:
    """The folder of the site that an entity's annotation names: `dir:.` or `dir:./docs-of-payments`, as Backstage reads it."""
    metadata = entity.get("metadata")
    annotations = metadata.get("annotations") if isinstance(metadata, dict) else None
    ref = annotations.get(REF) if isinstance(annotations, dict) else None
    if isinstance(ref, str) and ref.startswith("dir:"):
        parts = PurePosixPath(_folder(path), ref.removeprefix("dir:").strip()).parts
        if ".." not in parts:
            yield "/".join(part for part in parts if part not in (".", "/"))


def _site(folder: str, config: Mapping[str, Any], entity: Mapping[str, Any]) -> Site:
    docs = config.get("docs_dir")
    below = docs.strip("/.") if isinstance(docs, str) and ".." not in docs else "docs"
    metadata = entity.get("metadata") if isinstance(entity.get("metadata"), dict) else {}
    spec = entity.get("spec") if isinstance(entity.get("spec"), dict) else {}
    name, kind = _text(metadata, "name"), _text(entity, "kind")
    space = _text(metadata, "namespace") or "default"
    return Site(
        folder=folder,
        docs="/".join(part for part in (folder, below or "docs") if part),
        name=_text(config, "site_name"),
        titles=dict(islice(_menu(config.get("nav"), ()), MOST_NAV)),
        owner=_text(spec, "owner").rpartition("/")[2].rpartition(":")[2],
        service=name if kind.lower() == "component" else "",
        entity=f"{space}/{kind.lower()}/{name}" if name and kind else "",
    )


def _text(values: object, key: str) -> str:
    value = values.get(key) if isinstance(values, dict) else None
    return " ".join(value.split())[:200] if isinstance(value, str) else ""


def _menu(nav: object, above: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Each page that the menu names with the titles on the way to it."""
    if not isinstance(nav, list) or len(above) > 10:
        return
    for entry in nav[:MOST_NAV]:
        for title, below in entry.items() if isinstance(entry, dict) else ():
            titles = (*above, " ".join(str(title).split())[:200])
            if isinstance(below, str):
                yield below.removeprefix("./"), titles
            yield from _menu(below, titles)


def _site_of(page: str, sites: Sequence[Site]) -> Site | None:
    return next((site for site in sites if page.startswith(f"{site.docs}/")), None)


def _within(page: str, site: Site) -> str:
    return page.removeprefix(f"{site.docs}/")


def _digest(front: Mapping[str, object]) -> str:
    return hashlib.sha256(repr(sorted(front.items())).encode()).hexdigest()[:8]


def _documents(values: Mapping[str, object], room: Room) -> DocumentSource:
    settings = checked(TechDocsSource, values, room)
    if settings.path is not None:
        return TechDocs(FolderTree(room.base / settings.path), settings.backstage_url)
    token = settings.token.get_secret_value() if settings.token else ""
    return TechDocs(GitTree(Remote(settings.url, settings.branch, token), room.own / "clone"), settings.backstage_url)


CONNECTOR = Connector(
    name=NAME,
    title="Backstage TechDocs",
    settings=TechDocsSettings,
    help='[knowledge.sources.NAME] kind = "techdocs", path = "/srv/docs" or url = "https://github.com/acme/docs.git".',
    documents=_documents,
)
