"""A heading of Markdown: a line that begins with one to six hashes."""

import re

LONGEST = 400  # characters; a longer line is a paragraph that begins with a hash
_BEGIN = re.compile(r"^ {0,3}#{1,6}[ \t]+(?=\S)")


def heading(line: str) -> str:
    """What the line is the heading of, without the hashes that may close it; "" where it is none.

    By hand: a pattern for the end of the line takes the cube of its spaces.
    """
    begin = _BEGIN.match(line)
    if begin is None:
        return ""
    words = line[begin.end() :].rstrip(" \t")
    said = words.rstrip("#").rstrip(" \t") or words[0]
    return said if len(said) <= LONGEST else ""
