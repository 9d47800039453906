"""What people said of two problems: that they are one incident, or have nothing to do with each other."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from bot.domain.incident import Incident


@dataclass(frozen=True, slots=True)
class Belonging:
    """A person's word on two problems (fingerprints), by merging, splitting or "not related"; `first` < `second`.

    `deed` is the id of what they did, by which all that it said is taken back at once.
    """

    first: str
    second: str
    related: bool
    by: str
    at: datetime
    deed: str


def belonging(a: str, b: str, *, related: bool, by: str, at: datetime, deed: str) -> Belonging:
    """The two in their order."""
    return Belonging(min(a, b), max(a, b), related, by, at, deed)


@dataclass(frozen=True, slots=True)
class Belongings:
    """All that was said, from each problem's side; of two words on the same pair the later one counts."""

    together: Mapping[str, frozenset[str]] = field(default_factory=dict)
    apart: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def judged(self) -> frozenset[str]:
        """The problems of which anything was said."""
        return frozenset((*self.together, *self.apart))

    @property
    def known(self) -> frozenset[str]:
        """The problems that somebody put together with another."""
        return frozenset(self.together)


def belongings(said: Iterable[Belonging]) -> Belongings:
    """What was said, as correlation asks it."""
    latest: dict[tuple[str, str], bool] = {}
    for one in sorted(said, key=lambda word: word.at):
        latest[one.first, one.second] = one.related
    sides: dict[bool, dict[str, set[str]]] = {True: {}, False: {}}
    for (first, second), related in latest.items():
        sides[related].setdefault(first, set()).add(second)
        sides[related].setdefault(second, set()).add(first)
    together, apart = ({name: frozenset(others) for name, others in sides[side].items()} for side in (True, False))
    return Belongings(together, apart)


@dataclass(frozen=True, slots=True)
class Regrouping:
    """Two incidents made one, or one made two, by a person; with how both were, so that it can be taken back.

    `source` gave its problems `moved` and its `tickets` (tracker and name) to `target`. A split's target was new:
    `target_before` is None.
    """

    id: str
    split: bool
    at: datetime
    by: str
    source_before: Incident
    target_id: str
    target_before: Incident | None
    moved: tuple[str, ...]
    undone_at: datetime | None = None
    tickets: tuple[tuple[str, str], ...] = ()
