"""The newest choice in each open form: answers to older ones come too late and must not overwrite it."""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass, field

KEPT = 500  # forms; one that was closed is never heard of again


@dataclass
class _Form:
    newest: float = 0.0
    hash: str = ""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


class Choices:
    """What this process knows of the forms that people have open.

    Slack refuses an update with an old hash, so an answer that comes after a newer one is refused there; but if the older
    answer comes first, the newer one would be refused with the hash it was asked with. So the hash of our own latest update
    counts, updates of one form go one after the other, and an older answer ends as soon as a newer choice is known.
    """

    def __init__(self) -> None:
        self._forms: OrderedDict[str, _Form] = OrderedDict()

    def chosen(self, view_id: str, at: float) -> bool:
        """A choice was made at this time (Slack's); False if a newer one is known."""
        form = self._of(view_id)
        if at < form.newest:
            return False
        form.newest = at
        return True

    def is_newest(self, view_id: str, at: float) -> bool:
        """No newer choice has been made in this form."""
        return self._of(view_id).newest <= at

    def turn(self, view_id: str) -> asyncio.Lock:
        """Held while this form is updated."""
        return self._of(view_id).turn

    def hash(self, view_id: str, told: str) -> str:
        """The hash of the form after our latest update, else the one that Slack told."""
        return self._of(view_id).hash or told

    def updated(self, view_id: str, hash: str) -> None:
        """Our update was taken."""
        if hash:
            self._of(view_id).hash = hash

    def _of(self, view_id: str) -> _Form:
        form = self._forms.pop(view_id, None) or _Form()
        self._forms[view_id] = form
        while len(self._forms) > KEPT:
            self._forms.popitem(last=False)
        return form
