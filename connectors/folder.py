"""A folder of this machine as a source of documents: Markdown, HTML, PDF and plain text."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from bot.ports import Connector, DocumentSource, Room
from bot.wire.filetree import Files, checked
from bot.wire.trees import FolderTree

NAME = "folder"


class FolderSettings(BaseModel):
    """Nothing: a folder is named by the source."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class FolderSource(BaseModel):
    """The own values of [knowledge.sources.NAME] with kind = "folder"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path


def _documents(values: Mapping[str, object], room: Room) -> DocumentSource:
    settings = checked(FolderSource, values, room)
    return Files(FolderTree(room.base / settings.path))


CONNECTOR = Connector(
    name=NAME,
    title="Folder",
    settings=FolderSettings,
    help='No secret. [knowledge.sources.NAME] kind = "folder", path = "/srv/runbooks".',
    documents=_documents,
)
