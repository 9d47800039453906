"""The Slack app: handlers registered, requests let in by Socket Mode or by signed HTTP."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection

import aiohttp
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.errors import BadSettings
from bot.flows.desk import Desk
from bot.slack import buttons, commands, home, mentions, submissions
from bot.slack.client import API_URL, connect, is_loopback
from bot.slack.front import Front, Stories
from bot.slack.payload import Record, text
from bot.slack.refusals import call, translate

log = logging.getLogger(__name__)
LARGEST = 1_000_000
PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)


def build_app(
    desk: Desk,
    stories: Stories,
    *,
    bot_token: str,
    signing_secret: str = "",
    api_url: str = API_URL,
    link_hosts: Collection[str] = (),
    client: AsyncWebClient | None = None,
) -> AsyncApp:
    """An app that hears commands, mentions, direct messages, buttons, modals and its home page."""
    speaking = client or connect(bot_token, api_url)
    app = AsyncApp(
        name="tocsin",
        client=connect(None, api_url),
        authorize=identify(speaking),
        signing_secret=signing_secret or None,
    )
    front = Front(desk, stories, speaking, frozenset(link_hosts))
    for room in (commands, mentions, buttons, submissions, home):
        room.register(app, front)
    return app


def identify(client: AsyncWebClient) -> Callable[..., Awaitable[AuthorizeResult]]:
    """Tells Bolt who the bot is; Slack is asked once, so that later acknowledgements wait for nothing."""
    known: list[Record] = []

    async def authorize(enterprise_id: str | None, team_id: str | None) -> AuthorizeResult:
        if not known:
            known.append(await call("auth.test", "this workspace", client.auth_test()))
        return AuthorizeResult(
            enterprise_id=enterprise_id,
            team_id=team_id,
            team=text(known[0], "team"),
            bot_user_id=text(known[0], "user_id"),
            bot_id=text(known[0], "bot_id"),
            bot_token=client.token,
        )

    return authorize


class SocketMode:
    """The connection that Slack's requests come through. Slack being down delays it and stops nothing else."""

    def __init__(self, app: AsyncApp, app_token: str, api_url: str = API_URL, ping_interval: float = 10) -> None:
        web = connect(None, api_url)
        self._handler = AsyncSocketModeHandler(app, app_token, web_client=web, ping_interval=ping_interval)
        if is_loopback(api_url):
            self._handler.client.proxy = None
        self._opening: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to connect, in the background, for as long as it takes."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name="slack socket mode")

    async def connected(self) -> bool:
        """Requests can come in now."""
        return bool(await self._handler.client.is_connected())

    async def stop(self) -> None:
        """Close the connection; a request that is being handled goes on."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.gather(self._opening, return_exceptions=True)
        await self._handler.client.close()  # type: ignore[no-untyped-call]  # slack_sdk leaves it untyped

    async def _open(self) -> None:
        pauses = iter(PAUSES)
        pause = PAUSES[-1]
        while True:
            try:
                await self._handler.client.connect()  # type: ignore[no-untyped-call]  # slack_sdk leaves it untyped
                return
            except SlackApiError as error:
                why = str(translate(error, "apps.connections.open", "this app"))
            except (TimeoutError, aiohttp.ClientError, OSError, SlackClientError) as error:
                why = type(error).__name__
            pause = next(pauses, pause)
            log.warning("slack socket mode not connected why=%s again_in=%s", why, pause)
            await asyncio.sleep(pause)


async def run_socket_mode(app: AsyncApp, app_token: str, api_url: str = API_URL) -> SocketMode:
    """A started connection; its `stop()` ends it. Raises BadSettings for a token that cannot be one."""
    if not app_token.startswith("xapp-"):
        raise BadSettings("SLACK_APP_TOKEN is not an app-level token; it begins with xapp- (connections:write).")
    socket = SocketMode(app, app_token, api_url)
    await socket.start()
    return socket


def http_route(app: AsyncApp, signing_secret: str, path: str = "/slack/events") -> Route:
    """The door for signed HTTP requests. Raises BadSettings without a secret: it would let anybody in."""
    if not signing_secret:
        raise BadSettings("Slack over HTTP needs SLACK_SIGNING_SECRET (Basic Information › App Credentials).")
    handler = AsyncSlackRequestHandler(app)

    async def receive(request: Request) -> Response:
        size = request.headers.get("content-length", "")
        if not size.isdigit() or int(size) > LARGEST:
            return PlainTextResponse("The request says no size, or is too large.", status_code=413)
        try:
            return await handler.handle(request)
        except UnicodeDecodeError:
            return PlainTextResponse("The body is not UTF-8.", status_code=400)

    return Route(path, receive, methods=["POST"])
