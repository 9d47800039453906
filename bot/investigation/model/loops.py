"""A model that repeats itself is noticed while it does."""

_SHORTEST = 300  # characters that have to repeat before it counts as a loop
_TIMES = 6
_LONGEST = 200  # characters of one turn of the loop
_EVERY = 64  # characters between two looks


def loop_at(text: str) -> int | None:
    """Where the loop begins with which the text ends, after its first turn; None if it does not end with one."""
    for period in range(1, min(_LONGEST, len(text) // _TIMES) + 1):
        length = max(_SHORTEST, _TIMES * period)
        if length <= len(text) and text[-length:-period] == text[period - length :]:
            at = len(text) - length
            while at > 0 and text[at - 1] == text[at - 1 + period]:
                at -= 1
            return at + period
    return None


class Watch:
    """Follows an answer as it grows; `cut` says where it has to end: where it loops, or where it passes `most` characters."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._looked = 0

    def cut(self, text: str) -> int | None:
        """Where to cut, or None while the answer is sane; a cheap look every 64 characters."""
        if len(text) > self._most:
            return self._most
        if len(text) - self._looked < _EVERY:
            return None
        self._looked = len(text)
        return loop_at(text)


def usable(text: str) -> str:
    """The whole sentences of an answer that had to be cut, or "" if there are none worth reading."""
    end = max(text.rfind(mark) for mark in (". ", ".\n", "! ", "? ", "\n\n", "。")) + 1
    whole = text[:end].rstrip() if end else ""
    return whole if len(whole) >= 40 else ""
