"""Pages of Confluence: listed with their versions, fetched with body and labels."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from bot.domain.payload import Node
from bot.domain.vocabulary import link
from bot.errors import BadPayload, NotFound
from bot.ports import RawDocument
from bot.wire.rest import Rest

MOST_PAGES = 20_000
MOST_TURNS = 400  # of the leaf, per space
MOST_BODY = 2_000_000  # characters of storage format
DEEPEST = 20  # pages above a page


class ConfluenceSettings(BaseModel):
    """Nothing: each source has its own address and token."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ConfluenceSource(BaseModel):
    """The own values of [knowledge.sources.NAME] with kind = "confluence".

    `email` and `token` are an Atlassian account and its API token (cloud); a `token` alone is a personal access token (Data
    Center).
    `label` keeps to pages that carry it; `below` to the pages below this one, by its id.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://[^\s@?#]+$")
    spaces: tuple[str, ...] = Field(min_length=1, max_length=100)
    email: str = ""
    token: SecretStr | None = None
    label: str = ""
    below: str = Field("", pattern=r"^\d*$")
    timeout_seconds: float = Field(20, gt=0)

    @model_validator(mode="after")
    def _safely(self) -> "ConfluenceSource":
        parts = urlsplit(self.url)
        if parts.scheme != "https" and self.token and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
            raise ValueError("url has to begin with https://, since the token goes there")
        return self

    @property
    def cloud(self) -> bool:
        """Atlassian's cloud, not a server of one's own."""
        return bool(self.email) or str(urlsplit(self.url).hostname).endswith(".atlassian.net")


@dataclass(frozen=True, slots=True)
class Listed:
    """A page as a listing tells of it; `parent` is the id of the page above."""

    id: str
    title: str
    version: str
    parent: str = ""
    above: tuple[str, ...] = ()  # titles, where the listing has them


class Api(Protocol):
    """One of the two APIs."""

    def pages(self, space: str) -> AsyncIterator[Listed]:
        """The current pages of a space. Raises NotFound if there is no such space."""

    async def labelled(self, label: str, space: str) -> frozenset[str]:
        """The ids of the pages of a space that carry a label."""

    async def page(self, id: str) -> tuple[RawDocument, tuple[str, ...]]:
        """One page with its body in storage format, and its labels. Raises NotFound."""


def _rest(settings: ConfluenceSource, base: str, transport: httpx.AsyncBaseTransport | None) -> Rest:
    token = settings.token.get_secret_value() if settings.token else ""
    auth = (settings.email, token) if settings.email else None
    headers = {"authorization": f"Bearer {token}"} if token and auth is None else {}
    return Rest("Confluence", base, headers, auth=auth, timeout=settings.timeout_seconds, transport=transport)


def _next(answer: Node, name: str) -> str:
    """The value of this parameter in the link to the next leaf, "" at the end; the link itself is never followed."""
    return parse_qs(urlsplit(answer["_links"]["next"].text()).query).get(name, [""])[0][:4000]


class Cloud:
    """REST v2 of Atlassian's cloud; labels are searched by CQL of v1, which v2 cannot."""

    def __init__(self, settings: ConfluenceSource, transport: httpx.AsyncBaseTransport | None = None) -> None:
        base = settings.url.rstrip("/").removesuffix("/wiki")
        self._site = f"{base}/wiki"
        self._rest = _rest(settings, self._site, transport)

    async def pages(self, space: str) -> AsyncIterator[Listed]:
        """Leaf by leaf, by cursor."""
        found = await self._rest.get("/api/v2/spaces", keys=space, limit="1")
        id = next((s["id"].needed() for s in found["results"].items()), "")
        if not id:
            raise NotFound(f"Confluence shows us no space {space}; see whether the token's account may read it.")
        cursor: dict[str, str] = {}
        for _ in range(MOST_TURNS):
            leaf = await self._rest.get(f"/api/v2/spaces/{id}/pages", status="current", limit="250", **cursor)
            for page in leaf["results"].items():
                number = page["version"]["number"].text()
                yield Listed(page["id"].needed(), page["title"].text(), number, page["parentId"].text())
            after = _next(leaf, "cursor")
            if not after:
                return
            cursor = {"cursor": after}

    async def labelled(self, label: str, space: str) -> frozenset[str]:
        """By CQL."""
        return await _labelled(self._rest, label, space)

    async def page(self, id: str) -> tuple[RawDocument, tuple[str, ...]]:
        """Body and labels in one request."""
        page = await self._rest.get(f"/api/v2/pages/{id}", **{"body-format": "storage", "include-labels": "true"})
        if page["status"].text("current") != "current":
            raise NotFound(f"The page {id} is {page['status'].text()[:20]}.")
        labels = tuple(label["name"].text() for label in page["labels"]["results"].optional_items())
        return await asyncio.to_thread(_document, page, self._site, page["version"]["createdAt"].time()), labels


class DataCenter:
    """REST v1 of a server of one's own."""

    def __init__(self, settings: ConfluenceSource, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._site = settings.url.rstrip("/")
        self._rest = _rest(settings, self._site, transport)

    async def pages(self, space: str) -> AsyncIterator[Listed]:
        """Leaf by leaf, by number."""
        start = 0
        for _ in range(MOST_TURNS):
            asked = {"spaceKey": space, "type": "page", "status": "current", "limit": "100", "expand": "version,ancestors"}
            leaf = await self._rest.get("/rest/api/content", start=str(start), **asked)
            for page in leaf["results"].items():
                above = [(a["id"].text(), a["title"].text()) for a in page["ancestors"].optional_items()][-DEEPEST:]
                number = page["version"]["number"].text()
                parent = above[-1][0] if above else ""
                yield Listed(page["id"].needed(), page["title"].text(), number, parent, tuple(title for _, title in above))
            after = _next(leaf, "start")
            if not after.isdecimal() or int(after) <= start:
                return
            start = int(after)

    async def labelled(self, label: str, space: str) -> frozenset[str]:
        """By CQL."""
        return await _labelled(self._rest, label, space)

    async def page(self, id: str) -> tuple[RawDocument, tuple[str, ...]]:
        """Body and labels in one request."""
        page = await self._rest.get(f"/rest/api/content/{id}", expand="body.storage,version,metadata.labels")
        if page["status"].text("current") != "current":
            raise NotFound(f"The page {id} is {page['status'].text()[:20]}.")
        labels = tuple(label["name"].text() for label in page["metadata"]["labels"]["results"].optional_items())
        return await asyncio.to_thread(_document, page, self._site, page["version"]["when"].time()), labels


async def _labelled(rest: Rest, label: str, space: str) -> frozenset[str]:
    words = [word.replace("\\", "").replace('"', "") for word in (space, label)]
    cql = f'space = "{words[0]}" and type = page and label = "{words[1]}"'
    found: set[str] = set()
    place = {"start": "0"}
    for _ in range(MOST_TURNS):
        leaf = await rest.get("/rest/api/content/search", cql=cql, limit="100", **place)
        found |= {page["id"].needed() for page in leaf["results"].items()}
        name, after = next(((n, v) for n in ("cursor", "start") if (v := _next(leaf, n))), ("", ""))
        if not after or place == {name: after}:
            break
        place = {name: after}
    return frozenset(found)


def _document(page: Node, site: str, updated_at: datetime | None) -> RawDocument:
    storage = page["body"]["storage"]["value"].text()
    if len(storage) > MOST_BODY:
        raise BadPayload(f"the page has {len(storage)} characters; at most {MOST_BODY} are read", path=page.path)
    title = page["title"].text()
    where = page["_links"]["webui"].text()
    from connectors.confluence.storage import storage_to_html  # its parser is large: who reads no pages does not load it

    html, front = storage_to_html(storage)
    return RawDocument(
        ref=page["id"].needed(),
        title=title,
        body=html.encode("utf-8", "replace"),
        media_type="text/html",
        link=link(f"{site}{where}") if where.startswith("/") else "",
        updated_at=updated_at,
        front=front,
    )


class Pages:
    """ports.DocumentSource over the pages of some spaces."""

    def __init__(self, api: Api, settings: ConfluenceSource) -> None:
        self._api, self._settings = api, settings
        self._paths: dict[str, str] = {}

    async def listing(self) -> Mapping[str, str]:
        """The pages by id; the version changes when a page is edited, moved or called otherwise."""
        found: dict[str, Listed] = {}
        wanted: set[str] = set()
        for space in self._settings.spaces:
            async for page in self._api.pages(space):
                found[page.id] = page
                if len(found) >= MOST_PAGES:
                    break
            if self._settings.label:
                wanted |= await self._api.labelled(self._settings.label, space)
        above = {id: _above(page, found) for id, page in found.items()}
        kept = [id for id in found if (not self._settings.label or id in wanted) and self._lies_below(id, above[id])]
        self._paths = {id: "/".join((*(t for _, t in above[id]), found[id].title)) for id in kept}
        return {id: f"{found[id].version} {self._paths[id]}" for id in kept}

    async def fetch(self, ref: str) -> RawDocument | None:
        """One page; its labels may name service, alert and owner."""
        try:
            page, labels = await self._api.page(ref)
        except NotFound:
            return None
        front = {**_told_by(labels), **page.front}
        return replace(page, path=self._paths.get(ref, page.title), front=front)

    def _lies_below(self, id: str, above: tuple[tuple[str, str], ...]) -> bool:
        below = self._settings.below
        return not below or id == below or any(above_id == below for above_id, _ in above)


def _above(page: Listed, every: Mapping[str, Listed]) -> tuple[tuple[str, str], ...]:
    """The ids and titles of the pages above, the outermost first."""
    found: list[tuple[str, str]] = []
    seen, parent = {page.id}, page.parent
    while parent and parent not in seen and len(found) < DEEPEST:
        seen.add(parent)
        higher = every.get(parent)
        found.append((parent, higher.title if higher else ""))
        parent = higher.parent if higher else ""
    return tuple(reversed(found))


def _told_by(labels: tuple[str, ...]) -> dict[str, object]:
    """What labels such as service-payments, alert-highlatency and owner-team-payments say; Confluence lowers their case."""
    told: dict[str, list[str]] = {"services": [], "alerts": [], "owner": []}
    begins = {"service-": "services", "alert-": "alerts", "owner-": "owner", "team-": "owner"}
    for label in labels[:100]:
        for begin, word in begins.items():
            if label.startswith(begin) and label != begin:
                told[word].append(label if begin == "team-" else label.removeprefix(begin))
                break
    return {"services": told["services"], "alerts": told["alerts"], "owner": (told["owner"] or [""])[0]}
