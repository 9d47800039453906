"""HTML becomes Markdown: a page's own text, without menus, scripts and what is hidden.

Also a program of its own (HTML on standard input), so that a large page is read under limits; it imports nothing of the bot.
Arguments: seconds of processor time, bytes of memory.
"""

import re
import resource
import sys

from bs4 import BeautifulSoup, Tag
from markdownify import MarkdownConverter

MOST_HTML = 2_000_000  # bytes
DEEPEST = 100  # elements within elements; the text of deeper ones is kept without its form
INDENTED = 12  # of them that write something before each of their lines: so many times the page, and each time anew
_INDENTS = frozenset({"blockquote", "ul", "ol", "li", "dl", "dd"})
_NO_TEXT = ("script", "style", "noscript", "template", "iframe", "object", "svg", "canvas", "form", "nav", "head")
_GAP = re.compile(rb"[ \t\r\n\f]{200,}")  # the converter takes the square of the spaces that stand together
_FRAME = ("header", "footer", "aside")  # around a page's own text


def html_to_markdown(body: bytes) -> tuple[str, str]:
    """The title and the Markdown of a page; what lies too deep keeps its words only."""
    soup = BeautifulSoup(_closed(_GAP.sub(_cut, body[:MOST_HTML])), "html.parser")
    title = soup.title.get_text(" ", strip=True)[:300] if soup.title else ""
    for tag in soup.find_all(_hidden):
        tag.extract()
    main = soup.find("main") or soup.find(None, {"role": "main"}) or soup.find("article") or soup.body or soup
    for tag in main.find_all(_FRAME) if isinstance(main, Tag) and main.name not in ("main", "article") else ():
        tag.extract()
    if _too_deep(main):
        return title, main.get_text("\n", strip=True)
    converter = MarkdownConverter(heading_style="ATX", bullets="-", code_language_callback=_language, escape_misc=False)
    text = converter.convert_soup(main)
    return title, "\n".join(line.rstrip() for line in text.split("\n")).strip()


def _cut(gap: re.Match[bytes]) -> bytes:
    return gap[0][:200]


def _closed(body: bytes) -> bytes:
    """Without comments that never end: the parser looks for the end of each in all that follows."""
    begun = body.find(b"<!--", body.rfind(b"-->") + 1)
    return body if begun < 0 else body[:begun]


def _hidden(tag: Tag) -> bool:
    style = str(tag.get("style", "")).replace(" ", "").lower()
    return tag.name in _NO_TEXT or tag.has_attr("hidden") or "display:none" in style or "visibility:hidden" in style


def _too_deep(top: Tag) -> bool:
    """Some element lies deeper than `DEEPEST`, or than `INDENTED` of those that indent."""
    level = [(top, 0)]
    for _ in range(DEEPEST):
        level = [(c, within + (c.name in _INDENTS)) for tag, within in level for c in tag.children if isinstance(c, Tag)]
        if not level:
            return False
        if any(within > INDENTED for _, within in level):
            return True
    return True


def _language(pre: Tag) -> str:
    """The language of a code block, as highlighters write it."""
    within = pre.find("code")
    classes = [str(c) for tag in (pre, within) if isinstance(tag, Tag) for c in tag.get_attribute_list("class") if c]
    return next((c.partition("-")[2] for c in classes if c.startswith(("language-", "lang-"))), "")[:30]


def main(seconds: int, memory: int) -> int:
    """Write the title and the Markdown; the exit code."""
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    title, text = html_to_markdown(sys.stdin.buffer.read())
    sys.stdout.write(f"{' '.join(title.split())}\f{text}")
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]  # standard output is a text file
    sys.exit(main(*(int(argument) for argument in sys.argv[1:3])))
