"""Confluence's storage format becomes plain HTML: its macros, task lists, links and the page properties macro.

Format: https://confluence.atlassian.com/doc/confluence-storage-format-790796544.html
"""

import html
import re
from collections.abc import Iterator

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

MOST_MACROS = 1_000
_CDATA = re.compile(r"<!\[CDATA\[(.*?)\]\]>", re.DOTALL)
_KEYS = {
    **dict.fromkeys(("owner", "team", "owned by"), "owner"),
    **dict.fromkeys(("alert", "alerts", "alert name", "alert names"), "alerts"),
    **dict.fromkeys(("service", "services", "component"), "services"),
    **dict.fromkeys(("reviewed", "last reviewed", "last review", "review date"), "reviewed"),
}
_BOXES = frozenset({"info", "note", "tip", "warning", "panel"})
_CODE = frozenset({"code", "noformat"})
_EMPTY = frozenset({"toc", "toc-zone", "children", "pagetree", "recently-updated", "attachments", "anchor", "contentbylabel"})


def storage_to_html(storage: str) -> tuple[str, dict[str, object]]:
    """A page's storage format as HTML, and what its page properties macro says in the words of our front matter."""
    soup = BeautifulSoup(_CDATA.sub(lambda m: html.escape(m[1]), storage), "html.parser")
    front: dict[str, object] = {}
    macros = soup.find_all("ac:structured-macro")[:MOST_MACROS]
    for macro in reversed(macros):  # those within first
        if macro.get("ac:name") == "details":
            front = {**_properties(macro), **front}
        _replace(soup, macro)
    for tasks in reversed(soup.find_all("ac:task-list")):
        _tasks(soup, tasks)
    for tag in soup.find_all("ac:link"):
        _link(tag)
    for tag in soup.find_all(["ac:image", "ac:emoticon", "ac:placeholder", "ac:adf-attribute", "ac:adf-content", "ac:parameter"]):
        tag.extract()
    for tag in soup.find_all("time"):
        tag.replace_with(str(tag.get("datetime", "")))
    for tag in soup.find_all(re.compile(r"^(ac|ri|at):")):
        tag.unwrap()
    return str(soup), front


def _replace(soup: BeautifulSoup, macro: Tag) -> None:
    name = str(macro.get("ac:name", ""))
    given = {str(p.get("ac:name", "")): p.get_text() for p in macro.find_all("ac:parameter", recursive=False)}
    body = macro.find("ac:rich-text-body", recursive=False)
    plain = macro.find("ac:plain-text-body", recursive=False)
    if name in _CODE:
        code = soup.new_tag("code", attrs={"class": f"language-{given.get('language', '')}"})
        code.string = plain.get_text() if plain else ""
        block = soup.new_tag("pre")
        block.append(code)
        macro.replace_with(block)
    elif name == "status":
        macro.replace_with(f" {given.get('title', '')} ")
    elif name == "jira":
        macro.replace_with(f" {given.get('key', '')} ")
    elif body is None or name in _EMPTY:
        macro.replace_with(plain.get_text() if plain and name not in _EMPTY else "")
    else:
        box = soup.new_tag("blockquote" if name in _BOXES else "div")
        if title := given.get("title", "").strip():
            heading = soup.new_tag("p")
            strong = soup.new_tag("strong")
            strong.string = title
            heading.append(strong)
            box.append(heading)
        for child in list(body.children):
            box.append(child.extract())
        macro.replace_with(box)


def _tasks(soup: BeautifulSoup, tasks: Tag) -> None:
    items = soup.new_tag("ul")
    for task in tasks.find_all("ac:task", recursive=False):
        status, body = task.find("ac:task-status", recursive=False), task.find("ac:task-body", recursive=False)
        item = soup.new_tag("li")
        done = status is not None and status.get_text(strip=True) == "complete"
        item.append(NavigableString("[x] " if done else "[ ] "))
        for child in list(body.children) if body else ():
            item.append(child.extract())
        items.append(item)
    tasks.replace_with(items)


def _link(tag: Tag) -> None:
    """A link to another page by its title: its words, since its address is not in the text."""
    words = tag.find(["ac:link-body", "ac:plain-text-link-body"])
    page = tag.find("ri:page")
    text = words.get_text() if words else str(page.get("ri:content-title", "")) if page else ""
    tag.replace_with(text)


def _properties(macro: Tag) -> dict[str, object]:
    """The page properties macro holds a table whose first column, or first row, are names."""
    front: dict[str, object] = {}
    for name, cell in _cells(macro):
        key = _KEYS.get(" ".join(name.lower().rstrip(":").split()))
        texts = [" ".join(str(s).split()) for s in cell.stripped_strings]
        values = [v for text in texts for part in re.split(r"[,;]", text) if (v := part.strip())][:50]
        times = [str(t.get("datetime", "")) for t in cell.find_all("time")]
        if key is None or key in front or not (values or times):
            continue
        front[key] = values if key in ("alerts", "services") else (times or values)[0]
    return front


def _cells(macro: Tag) -> Iterator[tuple[str, Tag]]:
    rows = [row.find_all(["th", "td"], recursive=False) for row in macro.find_all("tr")]
    first = rows[0] if rows else []
    if len(rows) > 1 and len(first) > 1 and all(cell.name == "th" for cell in first):
        yield from ((head.get_text(" ", strip=True), cell) for head, cell in zip(first, rows[1], strict=False))
        return
    for row in rows:
        if len(row) > 1:
            yield row[0].get_text(" ", strip=True), row[1]
