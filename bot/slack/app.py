"""The Slack app: handlers registered, and the door for signed HTTP requests. Socket Mode is in `socket`."""

from collections.abc import Awaitable, Callable, Collection

from slack_bolt.adapter.starlette.async_handler import AsyncSlackRequestHandler
from slack_bolt.async_app import AsyncApp, AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bot.errors import BadSettings
from bot.flows.desk import Desk
from bot.slack import buttons, commands, home, linking, mentions, orders, panel, reactions, regroup, shortcuts, submissions
from bot.slack.client import API_URL, connect
from bot.slack.front import Front, Stories
from bot.slack.refusals import call

App = AsyncApp  # what the wiring holds without naming slack_bolt
ROOMS = (commands, mentions, buttons, submissions, orders, regroup, linking, shortcuts, reactions, panel, home)
Next = Callable[[], Awaitable[BoltResponse]]
LARGEST = 1_000_000


def build_app(
    desk: Desk,
    stories: Stories,
    *,
    bot_token: str,
    signing_secret: str = "",
    api_url: str = API_URL,
    link_hosts: Collection[str] = (),
    pin_emoji: str = "pushpin",
    client: AsyncWebClient | None = None,
) -> AsyncApp:
    """An app that hears commands, mentions, direct messages, buttons, modals, shortcuts, reactions and its home page."""
    speaking = client or connect(bot_token, api_url)
    app = AsyncApp(
        name="tocsin",
        token=speaking.token,
        before_authorize=known_to_slack(speaking),
        signing_secret=signing_secret or None,
    )
    # Given a client, Bolt would look for a token in the environment too and warn; so its own client is set up like ours.
    own = app.client
    own.base_url, own.timeout, own.proxy, own.retry_handlers = speaking.base_url, speaking.timeout, speaking.proxy, []
    front = Front(desk, stories, speaking, frozenset(link_hosts), pin_emoji)
    for room in ROOMS:
        room.register(app, front)
    return app


def known_to_slack(client: AsyncWebClient) -> Callable[[AsyncBoltRequest, Next], Awaitable[BoltResponse]]:
    """Lets requests in once Slack says who the bot is. Raises Unavailable before that, and Slack sends them again.

    Bolt's own check would acknowledge, and so lose, what comes while Slack does not answer.
    """
    known = False

    async def check(req: AsyncBoltRequest, next: Next) -> BoltResponse:  # noqa: ARG001  Bolt passes by these names
        nonlocal known
        if not known:
            await call("auth.test", "this workspace", client.auth_test())
            known = True
        return await next()

    return check


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
