"""Confluence: the pages of spaces as documents, by REST v2 of the cloud or REST v1 of Data Center.

Format: https://developer.atlassian.com/cloud/confluence/rest/v2/ and https://docs.atlassian.com/ConfluenceServer/rest/latest/.
"""

from collections.abc import Mapping

from bot.ports import Connector, DocumentSource, Room
from bot.wire.filetree import checked
from connectors.confluence.pages import Cloud, ConfluenceSettings, ConfluenceSource, DataCenter, Pages

NAME = "confluence"


def _documents(values: Mapping[str, object], room: Room) -> DocumentSource:
    settings = checked(ConfluenceSource, values, room)
    return Pages(Cloud(settings) if settings.cloud else DataCenter(settings), settings)


CONNECTOR = Connector(
    name=NAME,
    title="Confluence",
    settings=ConfluenceSettings,
    help='[knowledge.sources.NAME] kind = "confluence", url, email and token (cloud) or token alone (Data Center), spaces.',
    documents=_documents,
)
