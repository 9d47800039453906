"""Notion: the pages that an integration may read, as Markdown.

Format: https://developers.notion.com/reference. Version 2025-09-03, in which databases hold data sources.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Final

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.domain.payload import Node
from bot.domain.vocabulary import link
from bot.errors import BadPayload, NotFound
from bot.ports import Connector, DocumentSource, RawDocument, Room
from bot.wire.filetree import checked
from bot.wire.rest import Rest

NAME = "notion"
VERSION: Final = "2025-09-03"
MOST_PAGES = 20_000
MOST_TURNS = 400  # of the leaf, per question
MOST_BLOCKS = 5_000  # of one page
DEEPEST = 8  # blocks within blocks
PAUSE = 0.34  # seconds between two requests: Notion allows three a second on average
_PROPERTIES = {
    **dict.fromkeys(("owner", "team"), "owner"),
    **dict.fromkeys(("alert", "alerts", "alert name", "alert names"), "alerts"),
    **dict.fromkeys(("service", "services", "component"), "services"),
    **dict.fromkeys(("reviewed", "last reviewed", "last review", "review date"), "reviewed"),
}


class NotionSettings(BaseModel):
    """Nothing: each source has its own token."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NotionSource(BaseModel):
    """The own values of [knowledge.sources.NAME] with kind = "notion".

    Without `data_sources` all pages that the integration was shared with; with them, the pages of these databases' data sources.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    token: SecretStr
    data_sources: tuple[str, ...] = Field((), max_length=100)
    url: str = Field("https://api.notion.com", pattern=r"^https://[^\s@?#]+$|^http://(127\.0\.0\.1|localhost)(:\d+)?$")
    timeout_seconds: float = Field(20, gt=0)


class Notion:
    """ports.DocumentSource over the pages of a workspace."""

    def __init__(self, settings: NotionSource, transport: httpx.AsyncBaseTransport | None = None, pause: float = PAUSE) -> None:
        headers = {"authorization": f"Bearer {settings.token.get_secret_value()}", "notion-version": VERSION}
        self._rest = Rest("Notion", settings.url, headers, timeout=settings.timeout_seconds, transport=transport)
        self._sources = settings.data_sources
        self._pages: dict[str, Node] = {}
        self._pause = pause
        self._turn = asyncio.Lock()

    async def listing(self) -> Mapping[str, str]:
        """The pages by id; the version is the time of the last edit."""
        self._pages = {}
        for path, body in self._questions():
            async for page in self._each("POST", path, body):
                if page["object"].text() == "page" and not (page["archived"].value or page["in_trash"].value):
                    self._pages[page["id"].needed()] = page
                if len(self._pages) >= MOST_PAGES:
                    break
        return {id: page["last_edited_time"].needed() for id, page in self._pages.items()}

    async def fetch(self, ref: str) -> RawDocument | None:
        """One page with its blocks as Markdown; its properties may name owner, services and alerts."""
        page = self._pages.get(ref)
        if page is None:
            return None
        lines: list[str] = []
        try:
            await self._blocks(ref, 0, lines, [MOST_BLOCKS])
        except NotFound:
            return None
        return RawDocument(
            ref=ref,
            title=_title(page),
            body="\n".join(lines).encode("utf-8", "replace"),
            path=self._path(page),
            link=link(page["url"].text()),
            updated_at=page["last_edited_time"].time(),
            front=dict(_front(page)),
        )

    def _questions(self) -> Iterator[tuple[str, dict[str, object]]]:
        for id in self._sources:
            if not id.replace("-", "").isalnum():
                raise BadPayload("this is no id of a data source", path=id[:40])
            yield f"/v1/data_sources/{id}/query", {}
        if not self._sources:
            yield "/v1/search", {"filter": {"property": "object", "value": "page"}}

    async def _each(self, method: str, path: str, body: Mapping[str, object] | None = None) -> AsyncIterator[Node]:
        """Every result, leaf by leaf."""
        cursor = ""
        for _ in range(MOST_TURNS):
            place = {"page_size": 100} | ({"start_cursor": cursor} if cursor else {})
            if body is None:
                leaf = await self._ask(method, path, None, {key: str(value) for key, value in place.items()})
            else:
                leaf = await self._ask(method, path, {**body, **place}, {})
            for result in leaf["results"].items():
                yield result
            cursor = leaf["next_cursor"].text()
            if not leaf["has_more"].value or not cursor:
                return

    async def _ask(self, method: str, path: str, body: object, params: Mapping[str, str]) -> Node:
        async with self._turn:
            answer = await self._rest.send(method, path, body, params=params or None)
            await asyncio.sleep(self._pause)
        return answer

    async def _blocks(self, id: str, depth: int, lines: list[str], left: list[int]) -> None:
        number = 0
        async for block in self._each("GET", f"/v1/blocks/{id}/children"):
            left[0] -= 1
            if left[0] < 0:
                return
            kind = block["type"].text()
            number = number + 1 if kind == "numbered_list_item" else 0
            lines += _lines(kind, block[kind], number, depth)
            if block["has_children"].value and depth < DEEPEST and kind not in ("child_page", "child_database"):
                await self._blocks(block["id"].needed(), depth + (kind in _LISTS), lines, left)

    def _path(self, page: Node) -> str:
        """The titles of the pages above, as far as they are ours to read, and its own."""
        titles, seen = [_title(page)], {page["id"].text()}
        while (above := page["parent"]["page_id"].text()) in self._pages and above not in seen and len(titles) < DEEPEST:
            seen.add(above)
            page = self._pages[above]
            titles.append(_title(page))
        return "/".join(reversed(titles))


def _words(rich: Node) -> str:
    """Rich text as Markdown."""
    return "".join(_marked(part) for part in rich.optional_items())


def _marked(part: Node) -> str:
    text, marks, href = part["plain_text"].text(), part["annotations"], link(part["href"].text())
    if marks["code"].value and text.strip():
        text = f"`{text}`"
    elif marks["bold"].value and text.strip():
        text = f"**{text.strip()}**{' ' if text.endswith(' ') else ''}"
    return f"[{text}]({href})" if href and text else text


_LISTS = frozenset({"bulleted_list_item", "numbered_list_item", "to_do", "toggle"})
_PREFIX: Mapping[str, Callable[[Node, int], str]] = {
    "heading_1": lambda _, __: "# ",
    "heading_2": lambda _, __: "## ",
    "heading_3": lambda _, __: "### ",
    "bulleted_list_item": lambda _, __: "- ",
    "numbered_list_item": lambda _, number: f"{number}. ",
    "to_do": lambda node, _: "- [x] " if node["checked"].value else "- [ ] ",
    "toggle": lambda _, __: "- ",
    "quote": lambda _, __: "> ",
    "callout": lambda _, __: "> ",
    "paragraph": lambda _, __: "",
}


def _lines(kind: str, node: Node, number: int, depth: int) -> list[str]:
    """One block as lines of Markdown; a kind without words is none."""
    indent = "  " * depth
    if kind == "code":
        code = "".join(part["plain_text"].text() for part in node["rich_text"].optional_items())
        return [
            "",
            f"{indent}```{node['language'].text()[:30]}",
            *(indent + line for line in code.split("\n")),
            f"{indent}```",
            "",
        ]
    if kind == "table_row":
        return ["| " + " | ".join(_words(cell).replace("|", "\\|") for cell in node["cells"].optional_items()) + " |"]
    if kind in ("bookmark", "embed", "link_preview"):
        url = link(node["url"].text())
        return [f"{indent}<{url}>"] if url else []
    if kind == "divider":
        return ["", "---", ""]
    if kind not in _PREFIX:
        return []
    text = _words(node["rich_text"])
    if not text.strip():
        return [""]
    said = f"{indent}{_PREFIX[kind](node, number)}{text}"
    return [said] if kind in _LISTS else ["", said]


def _title(page: Node) -> str:
    properties = page["properties"].value
    for name in properties if isinstance(properties, dict) else ():
        prop = page["properties"][name]
        if prop["type"].text() == "title":
            return " ".join("".join(part["plain_text"].text() for part in prop["title"].optional_items()).split())[:300]
    return ""


def _front(page: Node) -> Iterator[tuple[str, object]]:
    """Properties of a database's page whose names are words of our front matter."""
    properties = page["properties"].value
    for name in properties if isinstance(properties, dict) else ():
        word = _PROPERTIES.get(" ".join(str(name).lower().split()))
        values = [v for v in _values(page["properties"][name]) if v][:50] if word else []
        if word and values:
            yield word, values if word in ("alerts", "services") else values[0]


def _values(prop: Node) -> list[str]:
    kind = prop["type"].text()
    value = prop[kind]
    if kind == "multi_select":
        return [one["name"].text() for one in value.optional_items()]
    if kind in ("select", "status"):
        return [value["name"].text()]
    if kind == "people":
        return [one["name"].text() for one in value.optional_items()]
    if kind == "date":
        return [value["start"].text()]
    if kind == "rich_text":
        return [part.strip() for part in "".join(p["plain_text"].text() for p in value.optional_items()).split(",")]
    return []


def _documents(values: Mapping[str, object], room: Room) -> DocumentSource:
    return Notion(checked(NotionSource, values, room))


CONNECTOR = Connector(
    name=NAME,
    title="Notion",
    settings=NotionSettings,
    help='[knowledge.sources.NAME] kind = "notion", token of an internal integration that the pages are shared with.',
    documents=_documents,
)
