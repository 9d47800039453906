"""Notion over real HTTP in its documented format."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.domain.document import DocumentKind
from bot.errors import BadPayload, BadSettings, NotAllowed, Unavailable
from bot.knowledge.reading import read
from bot.ports import Room
from connectors.notion import CONNECTOR, Notion, NotionSource
from tests.connectors.vendor import Vendor, a_vendor

SEARCH = "POST /v1/search"
TOKEN = "ntn_very-secret"


def rich(text: str, *, href: str | None = None, **marks: bool) -> list[dict[str, Any]]:
    return [{"type": "text", "plain_text": text, "href": href, "annotations": {"bold": False, "code": False, **marks}}]


def a_page(id: str, title: str, edited: str = "2025-03-01T10:00:00.000Z", **fields: Any) -> dict[str, Any]:
    properties = {"Name": {"id": "title", "type": "title", "title": rich(title)}, **fields.pop("properties", {})}
    return {
        "object": "page",
        "id": id,
        "last_edited_time": edited,
        "archived": False,
        "in_trash": False,
        "parent": {"type": "workspace", "workspace": True},
        "url": f"https://www.notion.so/{id}",
        "properties": properties,
        **fields,
    }


def a_block(kind: str, text: str = "", *, id: str = "b", children: bool = False, **fields: Any) -> dict[str, Any]:
    return {"object": "block", "id": id, "type": kind, "has_children": children, kind: {"rich_text": rich(text), **fields}}


def leaf(*results: object, after: str | None = None) -> dict[str, Any]:
    return {"object": "list", "results": list(results), "has_more": after is not None, "next_cursor": after}


def notion(vendor: Vendor, **fields: Any) -> Notion:
    return Notion(NotionSource(token=SecretStr(TOKEN), url=vendor.url, **fields), pause=0)


async def test_pages_are_listed_leaf_by_leaf_without_those_in_the_bin() -> None:
    with a_vendor() as vendor:
        vendor.says(SEARCH, leaf(a_page("p1", "Ops"), a_page("p3", "Old", in_trash=True), after="c2"))
        vendor.says(SEARCH, leaf(a_page("p2", "Lag", "2025-03-02T10:00:00.000Z", parent={"type": "page_id", "page_id": "p1"})))
        source = notion(vendor)
        assert await source.listing() == {"p1": "2025-03-01T10:00:00.000Z", "p2": "2025-03-02T10:00:00.000Z"}
        bodies = [a.body for a in vendor.asked]
        assert [b.get("start_cursor") for b in bodies if isinstance(b, dict)] == [None, "c2"]
        assert {a.headers["notion-version"] for a in vendor.asked} == {"2025-09-03"}
        assert {a.headers["authorization"] for a in vendor.asked} == {f"Bearer {TOKEN}"}


async def test_blocks_become_markdown_and_properties_say_whose_it_is() -> None:
    properties = {
        "Owner": {"type": "people", "people": [{"name": "Team Payments"}]},
        "Alerts": {"type": "multi_select", "multi_select": [{"name": "HighErrorRate"}]},
        "Service": {"type": "select", "select": {"name": "payments"}},
        "Last reviewed": {"type": "date", "date": {"start": "2025-03-01"}},
    }
    table = {"object": "block", "id": "t", "type": "table", "has_children": True, "table": {"table_width": 2}}
    row = {
        "object": "block",
        "id": "r",
        "type": "table_row",
        "has_children": False,
        "table_row": {"cells": [rich("A"), rich("B|C")]},
    }
    blocks = [
        a_block("heading_2", "Steps"),
        a_block("numbered_list_item", "Look", children=True, id="n1"),
        a_block("numbered_list_item", "Roll back"),
        a_block("to_do", "Page somebody", checked=True),
        a_block("code", "kubectl get pods\nx", language="bash"),
        a_block("callout", "Careful"),
        a_block("unsupported"),
        table,
    ]
    with a_vendor() as vendor:
        vendor.says(SEARCH, leaf(a_page("p1", "Payments errors", properties=properties)))
        vendor.says("GET /v1/blocks/p1/children", leaf(*blocks))
        vendor.says("GET /v1/blocks/n1/children", leaf(a_block("bulleted_list_item", "at the panel")))
        vendor.says("GET /v1/blocks/t/children", leaf(row))
        source = notion(vendor)
        await source.listing()
        raw = await source.fetch("p1")
    assert raw is not None
    document = await read(raw, DocumentKind.RUNBOOK, "notion/p1")
    assert document is not None
    assert (document.title, document.owner, document.services) == ("Payments errors", "Team Payments", ("payments",))
    assert (document.alerts, str(document.reviewed)) == (("HighErrorRate",), "2025-03-01")
    assert "## Steps\n1. Look\n  - at the panel\n2. Roll back\n- [x] Page somebody" in document.text.replace("\n\n", "\n")
    assert "```bash\nkubectl get pods\nx\n```" in document.text
    assert "| A | B\\|C |" in document.text


async def test_data_sources_are_asked_for_their_own_pages() -> None:
    with a_vendor() as vendor:
        vendor.says("POST /v1/data_sources/1f0d-2c3a/query", leaf(a_page("p1", "Ops")))
        assert list(await notion(vendor, data_sources=("1f0d-2c3a",)).listing()) == ["p1"]
        with pytest.raises(BadPayload, match="no id of a data source"):
            await notion(vendor, data_sources=("../users",)).listing()


async def test_a_page_that_is_no_longer_shared_is_gone() -> None:
    with a_vendor() as vendor:
        vendor.says(SEARCH, leaf(a_page("p1", "Ops")))
        source = notion(vendor)
        await source.listing()
        assert await source.fetch("p1") is None


@pytest.mark.parametrize(("status", "error"), [(401, NotAllowed), (403, NotAllowed), (429, Unavailable), (502, Unavailable)])
async def test_each_refusal_is_an_error_of_ours_without_the_token(status: int, error: type[Exception]) -> None:
    with a_vendor() as vendor:
        busy = {"Retry_After": "3"} if status == 429 else {}
        vendor.says(SEARCH, {"object": "error", "status": status}, status=status, **busy)
        with pytest.raises(error) as caught:
            await notion(vendor).listing()
        assert TOKEN not in repr(caught.value)


async def test_an_answer_that_is_no_list_is_told_by_its_path() -> None:
    with a_vendor() as vendor:
        vendor.says(SEARCH, {"object": "list"})
        with pytest.raises(BadPayload, match=r"\$\.results"):
            await notion(vendor).listing()


def test_a_source_without_a_token_is_refused() -> None:
    assert CONNECTOR.documents is not None
    with pytest.raises(BadSettings, match=r"\[knowledge.sources.ops\] needs token"):
        CONNECTOR.documents({}, Room("ops", Path("x"), Path("y")))
