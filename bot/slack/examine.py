"""What a token can do at Slack, found out without posting anything."""

from collections.abc import Mapping
from dataclasses import dataclass

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.client import connect
from bot.slack.payload import Record, record, text
from bot.slack.refusals import call, translate

NOWHERE = "C0000000000"  # no channel is called so: a feature that is there answers that it does not find it
REFUSED = frozenset({"unknown_method", "missing_scope", "not_allowed_token_type", "feature_not_enabled", "access_denied"})
FEATURES: Mapping[str, str] = {
    "chat.startStream": "answers are posted whole when they are complete",
    "assistant.threads.setStatus": "threads do not show that an answer is being made",
    "assistant.threads.setSuggestedPrompts": "the agent panel offers no questions",
}


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a bot token speaks for, and the scopes that it was granted; None where Slack does not tell them."""

    user: str
    team: str
    scopes: frozenset[str] | None


class Examiner:
    """Questions to Slack about one bot token. Every method raises a BotError that says what to do."""

    def __init__(self, bot_token: str, api_url: str) -> None:
        self._client: AsyncWebClient = connect(bot_token, api_url)

    async def identity(self) -> Identity:
        """Who the token is, asked with auth.test."""
        try:
            answer = await self._client.auth_test()
        except SlackApiError as error:
            raise translate(error, "auth.test", "this workspace") from error
        body: Record = answer.data if isinstance(answer.data, Mapping) else {}
        granted = next((str(v) for k, v in answer.headers.items() if k.lower() == "x-oauth-scopes"), None)
        scopes = frozenset(s.strip() for s in granted.split(",") if s.strip()) if granted is not None else None
        return Identity(text(body, "user"), text(body, "team"), scopes)

    async def is_member(self, channel: str) -> bool:
        """The bot is in the channel with this id."""
        body = await call("conversations.info", channel, self._client.conversations_info(channel=channel))
        return record(body, "channel").get("is_member") is True

    async def refused(self, method: str) -> str:
        """The word with which Slack refuses a feature to this app, or "" where it is there."""
        try:
            await self._client.api_call(method, json={"channel": NOWHERE, "channel_id": NOWHERE, "thread_ts": "1.000001"})
        except SlackApiError as error:
            code = str(error.response.get("error") or "")
            return code if code in REFUSED else ""
        return ""


async def opens_a_socket(app_token: str, api_url: str) -> None:
    """Raise a BotError unless the app-level token may open a socket."""
    client = connect(None, api_url)
    await call("apps.connections.open", "this app", client.apps_connections_open(app_token=app_token))
