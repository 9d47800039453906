"""Pages of any kind become documents: HTML and PDF by well-kept parsers, within bounds of size, depth, time and memory."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

from bot.domain.document import Document, DocumentKind
from bot.errors import BotError
from bot.knowledge import pdf_text
from bot.knowledge.documents import parse
from bot.ports import RawDocument

VERSION = "1"  # of this reading: another one has every copy made anew
MOST_BYTES = 20_000_000  # of one page
MOST_CHARACTERS = 400_000  # of one document
LARGE = 60_000  # bytes of HTML; more are read by a process of their own
LONG = 2_000  # bytes of one tag; the parser looks at longer ones again and again
OPEN = 1_000  # elements that are begun more often than ended
SECONDS = 20  # of processor time
MEMORY = 768 << 20
PDF_PAGES = 400


class Unreadable(BotError):
    """A page that is there but cannot be read: a locked or broken PDF, HTML that takes too long."""


async def read(raw: RawDocument, kind: DocumentKind, slug: str) -> Document | None:
    """A page as a document whose id is `slug`; None if there is nothing to read. Raises Unreadable."""
    if len(raw.body) > MOST_BYTES:
        raise Unreadable(f"the page has {len(raw.body)} bytes; at most {MOST_BYTES} are read")
    title, text = await _markdown(raw)
    front: dict[str, object] = {"title": title, "link": raw.link}
    front |= {key: value for key, value in raw.front.items() if value}
    front |= {"title": raw.title} if raw.title else {}
    path = raw.path or raw.title or raw.ref
    document = await asyncio.to_thread(parse, text[:MOST_CHARACTERS], path, kind, front)
    return None if document is None else replace(document, id=slug, updated=raw.updated_at)


async def _markdown(raw: RawDocument) -> tuple[str, str]:
    if raw.media_type == "application/pdf":
        return await _apart("pdf_text.py", raw.body, PDF_PAGES, MOST_CHARACTERS)
    if raw.media_type != "text/html":
        return "", raw.body[: 4 * MOST_CHARACTERS].decode("utf-8", "replace").removeprefix("\ufeff")
    if len(raw.body) > LARGE or _tangled(raw.body):
        return await _apart("html_text.py", raw.body)
    from bot.knowledge.html_text import html_to_markdown  # its parser is large: who reads no such pages does not load it

    return await asyncio.to_thread(html_to_markdown, raw.body)


def _tangled(body: bytes) -> bool:
    """A small page that would take long: tags without an end, or one in another a thousand times."""
    longest = max(len(part) - begin for part in body.split(b">") if (begin := part.find(b"<")) >= 0) if b"<" in body else 0
    return longest > LONG or body.count(b"<") - 2 * body.count(b"</") > OPEN


async def _apart(program: str, body: bytes, *limits: int) -> tuple[str, str]:
    """The title and the text that a process of its own reads out of a page, held to time and memory. Raises Unreadable."""
    arguments = map(str, (SECONDS, MEMORY, *limits))
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", str(Path(__file__).with_name(program)), *arguments,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(3 * SECONDS):
            said, _ = await process.communicate(body)
    except TimeoutError:
        raise Unreadable(f"the page was not read within {3 * SECONDS} s") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode == pdf_text.LOCKED:
        raise Unreadable("the PDF needs a password")
    title, _, text = said.decode("utf-8", "replace").partition("\f")
    if process.returncode != 0 and not text.strip():
        raise Unreadable("the page cannot be read: it is broken, or takes more time or memory than is allowed")
    return title, text.strip()
