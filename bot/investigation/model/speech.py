"""The words of an answer that people may hear, while they come: no thinking aloud, personal data put back."""

import re

from bot.redact import Veil

_HALF_TOKEN = re.compile(r"\[(?:[A-Z]{0,16}|[A-Z]{2,16}_\d{0,6})$")
_OPEN, _CLOSE = "<think>", "</think>"
_THOUGHT = re.compile(r"\A\s*<think>.*?(?:</think>|\Z)\s*", re.DOTALL)


def spoken(text: str) -> str:
    """The answer without the thoughts that some models put before it."""
    return _THOUGHT.sub("", text)


class Speech:
    """Chunks in, words out. `hold` is how many characters are kept back at first: words before a tool call are no answer."""

    def __init__(self, veil: Veil, hold: int = 0) -> None:
        self._veil = veil
        self._hold = hold
        self._waiting = ""
        self._begun = False
        self._silent = False

    def hush(self) -> None:
        """What waits was no answer, and what follows is none either."""
        self._silent = True

    def hear(self, piece: str) -> str:
        """What may be said now that this piece has come."""
        self._waiting += piece
        if self._silent or not self._may_begin():
            return ""
        half = _HALF_TOKEN.search(self._waiting)
        return self._say(half.start() if half else len(self._waiting))

    def end(self) -> str:
        """What is left to be said."""
        self._waiting = spoken(self._waiting) if not self._begun else self._waiting
        return "" if self._silent else self._say(len(self._waiting))

    def _may_begin(self) -> bool:
        if self._begun:
            return True
        start = self._waiting.lstrip()
        if _OPEN.startswith(start[: len(_OPEN)]) and _CLOSE not in start:
            return False
        said = spoken(self._waiting)
        if len(said) <= self._hold:
            return False
        self._waiting, self._begun = said, True
        return True

    def _say(self, until: int) -> str:
        now, self._waiting = self._waiting[:until], self._waiting[until:]
        return self._veil.reveal(now)
