"""The steps that a section of a runbook tells to take, those that fit a question before others."""

import re
from collections.abc import Mapping

from bot.knowledge.query import words

MOST = 4
LONGEST = 240  # characters of a step

_ITEM = re.compile(r"^\s{0,8}(?:[-*+]|\d{1,3}[.)])[ \t]+(?:\[[ xX]\][ \t]+)?(\S.*)$")
_FENCE = re.compile(r"^\s{0,8}(`{3,}|~{3,})")
_PROMPT = re.compile(r"^\s*[$>]\s+")
_COMMENT = re.compile(r"^\s*(#|//)")


def steps(text: str, query: Mapping[str, float], most: int = MOST) -> tuple[str, ...]:
    """List items and commands of a section in their order, at most `most`; `query` says how much each word counts.

    A command is written between backticks. Where there are too many, those that share more of the question are kept, and the
    first ones where none does.
    """
    found = _all(text)
    if len(found) > most:

        def fits(place: int) -> float:
            return sum(query.get(word, 0.0) for word in set(words(found[place])))

        kept = sorted(range(len(found)), key=lambda place: (-fits(place), place))[:most]
        found = [found[place] for place in sorted(kept)]
    return tuple(found)


def _all(text: str) -> list[str]:
    found: list[str] = []
    fence = ""
    for line in text.split("\n"):
        mark = _FENCE.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        elif fence:
            if line.strip() and not _COMMENT.match(line):
                found.append(f"`{_short(_PROMPT.sub('', line).replace('`', chr(39)))}`")
        elif item := _ITEM.match(line):
            found.append(_short(item[1]))
    return list(dict.fromkeys(found))


def _short(line: str) -> str:
    line = " ".join(line.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1].rstrip()}…"
