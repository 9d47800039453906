"""Files that the bot hands to Slack: pictures for its messages, texts for a thread.

Format: https://docs.slack.dev/messaging/working-with-files#uploading_files
"""

from slack_sdk.web.async_client import AsyncWebClient

from bot.domain.view import Place
from bot.errors import Unavailable
from bot.slack.payload import records, text
from bot.slack.refusals import call

MOST_BYTES = 5_000_000


async def upload(
    client: AsyncWebClient,
    name: str,
    content: bytes,
    *,
    title: str,
    alt: str = "",
    place: Place | None = None,
) -> str:
    """Slack keeps the file and says its id: in `place.thread` for all to see, or, without a place, for a message of ours to show.

    Raises Unavailable; ValueError for more than 5 MB.
    """
    if len(content) > MOST_BYTES:
        raise ValueError(f"{name} has {len(content)} bytes; a file of ours has at most {MOST_BYTES}")
    where = place.channel if place else "a message of the bot"
    sent = client.files_upload_v2(
        filename=name,
        content=content,
        title=title,
        alt_txt=alt or None,
        channel=place.channel if place else None,
        thread_ts=(place.thread or None) if place else None,
    )
    id = next((text(file, "id") for file in records(await call("files.upload", where, sent), "files")), "")
    if not id:
        raise Unavailable(f"Slack took {name} and did not say where it is. The bot tries again.")
    return id
