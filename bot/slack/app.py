"""The Slack app: handlers registered, and the door for signed HTTP requests. Socket Mode is in `socket`."""

from collections.abc import Awaitable, Callable, Collection

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.errors import BadSettings
from bot.flows.desk import Desk
from bot.slack import buttons, commands, home, mentions, submissions
from bot.slack.client import API_URL, connect
from bot.slack.front import Front, Stories
from bot.slack.payload import Record, text
from bot.slack.refusals import call

App = AsyncApp  # what the wiring holds without naming slack_bolt
LARGEST = 1_000_000


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
