"""Socket Mode: the connection that Slack's requests come through, kept up for as long as the bot runs."""

import asyncio
import logging
import re

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.socket_mode.aiohttp import SocketModeClient

from bot.errors import BadSettings
from bot.slack.client import API_URL, connect, is_loopback
from bot.slack.refusals import translate

log = logging.getLogger(__name__)
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds between attempts
ATTEMPT = 30.0
WATCH = 10.0
_SECRET = re.compile(r"xox[a-z]-[\w-]+|xapp-[\w-]+|(?<=ticket=)[^&\s'\"]+")


class SocketMode:
    """One connection. Slack being down delays it and stops nothing else.

    The SDK reconnects by itself, but with an address that may have run out; so the connection is watched, and one that
    stays away is opened anew with a fresh address.
    """

    def __init__(
        self, app: AsyncApp, app_token: str, api_url: str = API_URL, *, ping_interval: float = 10, watch: float = WATCH
    ) -> None:
        if not app_token.startswith("xapp-"):
            raise BadSettings("SLACK_APP_TOKEN is not an app-level token; it begins with xapp- (connections:write).")
        self._app, self._token, self._api_url = app, app_token, api_url
        self._ping_interval, self._watch = ping_interval, watch
        self._client: SocketModeClient | None = None
        self._keeper: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to connect, in the background, for as long as it takes."""
        if self._keeper is None:
            self._client = self._new_client()
            self._keeper = asyncio.create_task(self._keep(self._client), name="slack socket mode")

    async def connected(self) -> bool:
        """Requests can come in now."""
        return self._client is not None and bool(await self._client.is_connected())

    async def stop(self) -> None:
        """Close the connection; a request that is being handled goes on."""
        if self._keeper is None or self._client is None:
            return
        self._keeper.cancel()
        await asyncio.gather(self._keeper, return_exceptions=True)
        await self._client.close()  # type: ignore[no-untyped-call]  # slack_sdk leaves it untyped

    def _new_client(self) -> SocketModeClient:
        quiet = logging.getLogger("bot.slack.sdk")
        quiet.addFilter(without_secrets)
        web = connect(None, self._api_url)
        handler = AsyncSocketModeHandler(self._app, self._token, quiet, web, ping_interval=self._ping_interval)
        if is_loopback(self._api_url):
            handler.client.proxy = None
        return handler.client

    async def _keep(self, client: SocketModeClient) -> None:
        await self._open(client)
        absent = 0
        while True:
            await asyncio.sleep(self._watch)
            absent = 0 if await self.connected() else absent + 1
            if absent >= 2:  # once may be the SDK's own change from one connection to the next
                await self._open(client)
                absent = 0

    async def _open(self, client: SocketModeClient) -> None:
        attempt = 0
        while True:
            try:
                async with asyncio.timeout(ATTEMPT):
                    await client.connect_to_new_endpoint(force=True)
                return
            except SlackApiError as error:
                why = str(translate(error, "apps.connections.open", "this app"))
            except (TimeoutError, aiohttp.ClientError, OSError, SlackClientError) as error:
                why = type(error).__name__
            pause = PAUSES[min(attempt, len(PAUSES) - 1)]
            attempt += 1
            log.warning("slack socket mode not connected why=%s again_in=%s", why, pause)
            await asyncio.sleep(pause)


def without_secrets(record: logging.LogRecord) -> bool:
    """The SDK logs addresses whole, with the ticket that opens a connection; ours go without, and without tracebacks."""
    failed = f" ({record.exc_info[0].__name__})" if record.exc_info and record.exc_info[0] else ""
    record.msg = _SECRET.sub("[secret]", record.getMessage()) + failed
    record.args, record.exc_info, record.exc_text = (), None, None
    return True
