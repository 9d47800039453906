"""A vendor's JSON read safely: every step knows its path, and what is not as documented is a BadPayload that names it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NoReturn

from bot.domain.vocabulary import identity
from bot.errors import BadPayload

MOST_TEXTS = 1000  # of one object: nobody writes more labels by hand, and each costs time further on
LONGEST_GLIMPSE = 40  # characters of a value, or entries, in an error
ODD_YEARS = (1, 1970)  # "0001-01-01T00:00:00Z" is how Go writes "never"


class Node:
    """One value of a JSON document and its path; nothing is ever changed in it."""

    __slots__ = ("path", "value")

    def __init__(self, value: object, path: str = "$") -> None:
        self.value = value
        self.path = path

    def __getitem__(self, key: str) -> "Node":
        """The value under a key; one that is not there, or whose parent is no object, is a Node of None."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Node(value, f"{self.path}.{key}")

    def __bool__(self) -> bool:
        return bool(self.value)

    def object(self) -> "Node":
        """Itself. Raises BadPayload unless it is an object."""
        return self if isinstance(self.value, dict) else self._wrong("an object")

    def items(self) -> Iterator["Node"]:
        """The values of a list. Raises BadPayload unless it is one."""
        if not isinstance(self.value, list):
            self._wrong("a list")
        return (Node(value, f"{self.path}[{n}]") for n, value in enumerate(self.value))

    def optional_items(self) -> Iterator["Node"]:
        """The values of a list; none where there is no list."""
        return self.items() if isinstance(self.value, list) else iter(())

    def text(self, default: str = "") -> str:
        """A string, or a number as one; the default where there is neither. Never holds what cannot be stored."""
        if isinstance(self.value, str):
            return scrubbed(self.value)
        if isinstance(self.value, int | float) and not isinstance(self.value, bool):
            return str(self.value)
        return default

    def needed(self) -> str:
        """A string that is not empty. Raises BadPayload."""
        return self.text().strip() or self._wrong("a text that is not empty")

    def texts(self) -> dict[str, str]:
        """An object of strings; values that are neither strings, numbers nor booleans are left out.

        Of an absurd number the usual ones (`identity`) are read first, then the others in their order.
        """
        if not isinstance(self.value, dict):
            return {}
        pairs = self.value if len(self.value) <= MOST_TEXTS else identity(self.value, MOST_TEXTS)
        found = {}
        for key, value in pairs.items():
            if isinstance(value, str):
                found[key if key.isascii() and "\0" not in key else scrubbed(str(key))] = (
                    value if value.isascii() and "\0" not in value else scrubbed(value)
                )
            elif isinstance(value, bool):
                found[scrubbed(str(key))] = str(value).lower()
            elif isinstance(value, int | float):
                found[scrubbed(str(key))] = str(value)
        return found

    def time(self) -> datetime | None:
        """A time in RFC 3339 or seconds since 1970, UTC; None where there is none, or Go's zero time.

        Raises BadPayload for what is neither.
        """
        value = self.value
        try:
            if isinstance(value, int | float) and not isinstance(value, bool):
                at = datetime.fromtimestamp(value, tz=UTC)
            elif isinstance(value, str) and value:
                at = datetime.fromisoformat(value)
                at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
            elif value in (None, ""):
                return None
            else:
                self._wrong("a time like 2026-11-22T12:00:00Z")
            return None if at.year in ODD_YEARS else at.astimezone(UTC)
        except (ValueError, OverflowError, OSError):
            self._wrong("a time like 2026-11-22T12:00:00Z")

    def _wrong(self, wanted: str) -> NoReturn:
        if self.value is None:
            raise BadPayload(f"there is nothing here; {wanted} is documented", path=self.path)
        raise BadPayload(f"{scrubbed(_glimpse(self.value))} is here; {wanted} is documented", path=self.path)


def _glimpse(value: object) -> str:
    """The kind of a value, and the value if it is short; of a long one no more than tells nobody a secret that was cut in two."""
    kind = type(value).__name__
    if isinstance(value, dict | list) and len(value) > LONGEST_GLIMPSE:
        return f"{kind} of {len(value)}"
    text = str(value)
    return f"{kind} {text!r}" if len(text) <= LONGEST_GLIMPSE else f"{kind} {text[:8] + '…'!r}"


def read_json(body: bytes) -> Node:
    """The body as JSON. Raises BadPayload if it is none, or an absurd one."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadPayload(f"this is not JSON: {str(error)[:100]}") from None
    return Node(value)


def scrubbed(text: str) -> str:
    """The text without half characters and null characters, which no database takes."""
    if text.isascii():
        return text.replace("\0", "")
    return text.encode("utf-8", "replace").decode("utf-8").replace("\0", "")
