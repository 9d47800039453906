"""Documents come from folders of Markdown, or from incidents whose cause a person confirmed; sections have anchors."""

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType

from bot.domain.document import Document, DocumentKind
from bot.knowledge.header import header
from bot.knowledge.headings import heading
from bot.plain_yaml import BadYaml, document
from bot.redact import clean, redact

log = logging.getLogger(__name__)

Source = Callable[[], Iterable[Document]]

LARGEST_FILE = 2_000_000  # bytes; longer files are read up to here
LARGEST_FRONT_MATTER = 16_000  # characters
MOST_FILES = 50_000
LARGEST_NUMBER = 10**100

_FACTS = ("severity", "started", "resolved", "cause", "change", "fix", "confirmed_by")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})")
_MARKUP = re.compile(r"[`*]|!?\[([^\]\[]{0,300})\]\([^()\s]{0,500}(?: \"[^\"]{0,200}\")?\)")
_ACTIONS = re.compile(r"^actions[ \t]*:", re.MULTILINE)
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a document under one heading; `anchor` is what GitHub makes of the heading ("" before the first)."""

    heading: str
    anchor: str
    text: str


def markdown_folder(folder: Path, kind: DocumentKind) -> Source:
    """A source that reads every Markdown file below `folder`; a missing folder has no documents.

    A file that looks untouched is not read again.
    """
    known: dict[Path, tuple[tuple[int, int, int], Document | None]] = {}

    def read() -> Iterator[Document]:
        before = dict(known)
        known.clear()
        for path in _markdown_files(folder):
            stamp = _stamp(path)
            found = before.get(path)
            if found is None or found[0] != stamp:
                found = (stamp, _read_file(folder, path, kind))
            known[path] = found
            if found[1] is not None:
                yield found[1]

    return read


def _stamp(path: Path) -> tuple[int, int, int]:
    """Changes when the file does, as far as the file system tells."""
    try:
        told = path.stat()
    except OSError:
        return (0, 0, 0)
    return (told.st_mtime_ns, told.st_ctime_ns, told.st_size)


def _markdown_files(folder: Path) -> list[Path]:
    root = folder.resolve()
    found = (p for p in sorted(root.rglob("*.md")) if p.is_file() and p.resolve().is_relative_to(root))
    # the folder's own README tells how to write runbooks; it is none
    return [p for _, p in zip(range(MOST_FILES), found, strict=False) if p != root / "README.md"]


def _read_file(folder: Path, path: Path, kind: DocumentKind) -> Document | None:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE).decode("utf-8", "replace")
    except OSError as error:
        log.warning("%s cannot be read (%s); it is left out of the search.", path, error.strerror)
        return None
    root = folder.resolve()
    return parse(raw, f"{root.name}/{path.relative_to(root).as_posix()}", kind)


def parse(raw: str, path: str, kind: DocumentKind, given: Mapping[str, object] = MappingProxyType({})) -> Document | None:
    """One Markdown file as a document, without secrets and hidden characters; None if there is nothing to read.

    Front matter counts before `given`, what is known of the page in the same words, and that before the lines below its first
    heading. Front matter that is no YAML mapping is logged and the rest of the file is still searchable.
    """
    raw = redact(clean(raw.replace("\r\n", "\n")))
    front, text = _front_matter(raw, path)
    if not text.strip() and not front:
        return None
    if front.get("draft") is True:  # it is nobody's knowledge until a person takes the mark away
        return None
    front = {**header(text), **_without_secrets(given), **front}
    stem = path.rsplit("/", 1)[-1].removesuffix(".md")
    title = _line(front.get("title")) or _first_heading(text) or stem
    name = _line(front.get("id")) if kind is DocumentKind.INCIDENT else ""
    return Document(
        id=f"{kind.value}:{name or path}",
        kind=kind,
        title=title,
        text=text.strip("\n"),
        path=path,
        link=_line(front.get("link")),
        services=_lines(front.get("services")),
        alerts=_lines(front.get("alerts")),
        owner=_line(front.get("owner")),
        reviewed=_day(front.get("reviewed")),
        actions=_typed_actions(raw) if kind is DocumentKind.RUNBOOK else "",
        facts={key: _line(front[key]) for key in _FACTS if front.get(key) is not None},
    )


def _without_secrets(given: Mapping[str, object]) -> dict[str, object]:
    def safe(value: object) -> object:
        return redact(clean(value)) if isinstance(value, str) else value

    return {
        k: [safe(v) for v in value] if isinstance(value, list | tuple) else safe(value) for k, value in given.items() if value
    }


def sections(text: str) -> tuple[Section, ...]:
    """The Markdown cut at its headings, in order; headings inside code blocks are none."""
    found: list[Section] = []
    used: dict[str, int] = {}
    said, anchor, fence = "", "", ""
    lines: list[str] = []

    def close() -> None:
        body = "\n".join(lines).strip()
        if body or said:
            found.append(Section(said, anchor, body))
        lines.clear()

    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and (not fence or (mark[1][0] == fence[0] and len(mark[1]) >= len(fence))):
            fence = "" if fence else mark[1]
        title = "" if fence or mark else heading(line)
        if not title:
            lines.append(line)
            continue
        close()
        said = _plain(title)
        anchor = _anchor(said, used)
    close()
    return tuple(found)


def _anchor(heading: str, used: dict[str, int]) -> str:
    base = _NOT_IN_ANCHOR.sub("", heading.lower()).replace(" ", "-")
    seen = used.get(base, 0)
    used[base] = seen + 1
    return f"{base}-{seen}" if seen else base


def _plain(heading: str) -> str:
    return _MARKUP.sub(lambda m: m[1] or "", heading).strip()


def _first_heading(text: str) -> str:
    first = next((s for s in sections(text[:20_000]) if s.heading), None)
    return first.heading if first else ""


def _front_matter(raw: str, path: str) -> tuple[Mapping[str, object], str]:
    if not raw.startswith("---\n"):
        return {}, raw
    end = raw.find("\n---", 3, LARGEST_FRONT_MATTER)
    if end < 0:
        return {}, raw
    body = raw[end + 4 :].partition("\n")[2]
    try:
        front = document(raw[4 : end + 1])
    except BadYaml as error:
        line = (error.line or 0) + 2
        log.warning("%s:%d: the front matter is not valid YAML; the file is searched without it.", path, line)
        return {}, body
    if front is None:
        return {}, body
    if not isinstance(front, dict):
        log.warning("%s:2: the front matter is no list of `key: value` lines; the file is searched without it.", path)
        return {}, body
    return {key: value for key, value in front.items() if isinstance(key, str)}, body


def _typed_actions(raw: str) -> str:
    """The front matter as it is written, if it speaks of actions, so that what is wrong with them can be told by its line."""
    end = raw.find("\n---", 3, LARGEST_FRONT_MATTER) if raw.startswith("---\n") else -1
    front = raw[4 : end + 1] if end >= 0 else ""
    return front if _ACTIONS.search(front) else ""


def _line(value: object) -> str:
    """One scalar of the front matter as text; anything else is nothing."""
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, int) and abs(value) > LARGEST_NUMBER:  # Python refuses to write out very long ones
        return ""
    if isinstance(value, str | int | float | date):
        return " ".join(str(value).split())[:1_000]
    return ""


def _lines(value: object) -> tuple[str, ...]:
    items = value if isinstance(value, list) else [value]
    return tuple(dict.fromkeys(line for item in items[:200] if (line := _line(item))))


def _day(value: object) -> date | None:
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(_line(value)) if value is not None else None
    except ValueError:
        return None
