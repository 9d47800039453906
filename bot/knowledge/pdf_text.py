"""A program of its own: PDF on standard input, its text on standard output. Run by `reading`, under limits that hold it.

It imports nothing of the bot, so that it starts quickly and a file that breaks the parser breaks only this process.
Arguments: seconds of processor time, bytes of memory, pages, characters. Ends with 3 for a PDF that needs a password.
"""

import resource
import sys
from io import BytesIO

LOCKED = 3
BROKEN = 4


def main(seconds: int, memory: int, pages: int, characters: int) -> int:
    """Write the text of each page under a heading with its title, if it has one; the exit code."""
    from pypdf import PdfReader  # 25 megabytes, which the bot that starts this program does without
    from pypdf.errors import PyPdfError

    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    left = characters
    try:
        reader = PdfReader(BytesIO(sys.stdin.buffer.read()))
        if reader.is_encrypted and not reader.decrypt(""):
            return LOCKED
        title = (reader.metadata.title if reader.metadata else None) or ""
        sys.stdout.write(f"{' '.join(title.split())[:300]}\f")
        for _, page in zip(range(pages), reader.pages, strict=False):
            text = page.extract_text()[:left]
            left -= len(text)
            sys.stdout.write(text.strip() + "\n\n")
            if left <= 0:
                break
    except (PyPdfError, ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError, MemoryError, OSError):
        return BROKEN if left == characters else 0  # what was read so far is better than nothing
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8", errors="replace")  # type: ignore[union-attr]  # standard output is a text file
    sys.exit(main(*(int(argument) for argument in sys.argv[1:5])))
