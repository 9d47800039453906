"""How much of a text that is still being written may be shown already.

Whoever shows it shows `sanitise(text[:showable(text)])`, so at every moment what stands there is the sanitised form of
something the model said; what is held back here only keeps later words from changing how earlier ones were read.
"""

import re

from bot.slack.sanitise import split

_SPAN = re.compile(r"(`+)(?!`)[^\n]*?[^`\n]\1(?!`)")
_LINK = re.compile(r"\[[^\[\]\n]*\](?:\([^()\n]*\)|(?=[^(]))")
_ANGLE = re.compile(r"<[^<>\n]*>")
_OPENED = re.compile(r"`|\[|<(?=\S|\Z)")
_MAYBE_FENCE = re.compile(r" {0,3}[`~]")
LONGEST_HELD = 500  # a mark that nobody closes does not stop the text for ever


def showable(text: str) -> int:
    """The length of the beginning that is decided: whole words, no mark opened that is not closed yet."""
    word = max(text.rfind(" "), text.rfind("\n")) + 1
    line = text.rfind("\n") + 1
    seen = text[:line] if _MAYBE_FENCE.match(text, line) else text
    is_code, last = split(seen)[-1]
    end = min(word, line if is_code else len(seen))
    if not is_code:
        last = last[last.rfind("\n\n") + 1 :]
        end = min(end, len(seen) - len(last) + _undecided(last, word - len(seen) + len(last)))
    return end if len(text) - end <= LONGEST_HELD else max(end, word)


def _undecided(paragraph: str, end: int) -> int:
    """Where the first mark begins that is not closed before `end`; `end` if there is none."""
    for mark in (_SPAN, _LINK, _ANGLE):
        for found in mark.finditer(paragraph):
            if found.start() < end < found.end():
                end = found.start()
        paragraph = mark.sub(lambda found: " " * len(found[0]), paragraph)
    opened = _OPENED.search(paragraph, 0, max(end, 0))
    return opened.start() if opened is not None else end
