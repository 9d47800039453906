"""A change of the shop's source, as data: who, why, which text becomes which."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Author:
    """A person or bot that commits and deploys."""

    name: str
    login: str

    @property
    def email(self) -> str:
        return f"{self.login}@shop.example"


INES = Author("Ines Duarte", "ines-d")
MAREK = Author("Marek Novak", "mnovak")
PRIYA = Author("Priya Raman", "priya-r")
TOM = Author("Tom Okafor", "tokafor")
YUKI = Author("Yuki Tanaka", "ytanaka")
DEPLOYER = Author("Deploy Bot", "shop-deploy[bot]")


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` occurs exactly once in the file and becomes `new`; without `old`, the file is created."""

    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Change:
    """One commit to be made. `service` is what ships with it; None means that nothing is deployed."""

    key: str
    service: str | None
    message: str
    author: Author
    edits: tuple[Edit, ...]
    guilty: bool = False


class EditDoesNotApply(Exception):
    """The file does not hold the text that an edit replaces."""

    def __init__(self, edit: Edit, count: int) -> None:
        super().__init__(f"{edit.path}: the text to replace occurs {count} times, expected once: {edit.old[:60]!r}")


def applied(text: str, edit: Edit) -> str:
    """The file's text after the edit.

    Raises EditDoesNotApply unless the old text occurs exactly once.
    """
    count = text.count(edit.old)
    if count != 1:
        raise EditDoesNotApply(edit, count)
    return text.replace(edit.old, edit.new)


def undone(edit: Edit) -> Edit:
    """The edit that takes `edit` back."""
    return Edit(edit.path, edit.new, edit.old)
