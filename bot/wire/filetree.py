"""The documents among the files of a tree, and the settings of a source checked; shared by what keeps runbooks as files."""

from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from bot.errors import BadSettings
from bot.ports import RawDocument, Room
from bot.wire.trees import Tree

Model = TypeVar("Model", bound=BaseModel)

MEDIA = {
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".html": "text/html",
    ".htm": "text/html",
    ".pdf": "application/pdf",
    ".txt": "text/plain",
}
FRAMES = frozenset({"_sidebar", "_footer", "_header"})  # of a wiki: around every page


class Files:
    """Every readable file below a folder of a tree; the tree's own README tells how to write runbooks, it is none."""

    def __init__(self, tree: Tree, under: str = "") -> None:
        self._tree = tree
        self._under = under.strip("/")
        self.repository = tree.repository

    async def listing(self) -> Mapping[str, str]:
        """The files by their path below the folder."""
        return {self._within(p): version for p, version in (await self._tree.listing()).items() if self._is_document(p)}

    async def fetch(self, ref: str) -> RawDocument | None:
        """One file."""
        path = f"{self._under}/{ref}" if self._under else ref
        body = await self._tree.read(path)
        if body is None:
            return None
        return RawDocument(ref, "", body, media_type(ref), path=path, link=self._tree.link(path))

    async def renamed(self, since: str) -> tuple[str, Mapping[str, str]]:
        """What the tree says, for its files below the folder."""
        mark, moved = await self._tree.renamed(since)
        both = {old: new for old, new in moved.items() if self._is_document(old) and self._is_document(new)}
        return mark, {self._within(old): self._within(new) for old, new in both.items()}

    def _within(self, path: str) -> str:
        return path.removeprefix(f"{self._under}/") if self._under else path

    def _is_document(self, path: str) -> bool:
        if self._under and not path.startswith(f"{self._under}/"):
            return False
        within = PurePosixPath(self._within(path))
        hidden = any(part.startswith(".") for part in within.parts)
        frame = within.stem.lower() in FRAMES or str(within).lower() == "readme.md"
        return within.suffix.lower() in MEDIA and not hidden and not frame


def media_type(path: str) -> str:
    """What kind of document a file is, by its ending."""
    return MEDIA.get(PurePosixPath(path).suffix.lower(), "text/plain")


def checked(model: type[Model], values: Mapping[str, object], room: Room) -> Model:
    """The own values of a source. Raises BadSettings naming the source, the value and what would do; it repeats no value."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        there = ", ".join(model.model_fields)
        if first["type"] == "extra_forbidden":
            raise BadSettings(f"[knowledge.sources.{room.name}] has no setting {where!r}; there are {there}.") from None
        if first["type"] == "missing":
            raise BadSettings(f"[knowledge.sources.{room.name}] needs {where}; there are {there}.") from None
        at = f" {where}" if where else ""
        raise BadSettings(f"[knowledge.sources.{room.name}]{at}: {first['msg'].removeprefix('Value error, ')}.") from None
