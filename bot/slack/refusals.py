"""What Slack's refusals mean for us: try again later, somebody must do something, or a mistake of ours."""

import re
from collections.abc import Awaitable, Mapping

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web.async_slack_response import AsyncSlackResponse
from slack_sdk.webhook.webhook_response import WebhookResponse

from bot.errors import BotError, NotAllowed, NotFound, Unavailable

BUSY = frozenset({"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"})
GONE = frozenset(
    {
        "message_not_found",
        "thread_not_found",
        "cant_update_message",
        "edit_window_closed",
        "message_not_in_streaming_state",
    }
)
LAYOUT = frozenset({"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long"})
CLOSED = frozenset({"not_found", "hash_conflict", "expired_trigger_id", "trigger_expired", "exchanged_trigger_id"})
KEYS = frozenset({"invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"})
UNSHOWN = "Slack refused what the bot wanted to show. The incident itself is unaffected."
_TOKEN = re.compile(r"xox[a-z]-[\w-]+|xapp-[\w-]+")


class LayoutRefused(BotError):
    """Slack does not take the blocks; the same in plain words may pass."""


class StillStreaming(Unavailable):
    """The message cannot be edited before its stream is stopped."""


async def call(method: str, where: str, answer: Awaitable[AsyncSlackResponse]) -> Mapping[str, object]:
    """The body of Slack's answer to one call; a refusal or silence is raised as one of our errors."""
    try:
        body = (await answer).data
    except SlackApiError as error:
        raise translate(error, method, where) from error
    except (TimeoutError, aiohttp.ClientError, OSError, SlackClientError) as error:
        raise Unavailable(
            f"Slack did not answer {method} for {where} ({type(error).__name__}). The bot tries again.",
            for_people="Slack did not answer. Try again in a moment.",
        ) from error
    return body if isinstance(body, Mapping) else {}


async def send(answer: Awaitable[WebhookResponse]) -> None:
    """One message to the address that came with a command. Raises Unavailable if it was not taken."""
    try:
        response = await answer
    except (TimeoutError, aiohttp.ClientError, OSError, SlackClientError) as error:
        raise Unavailable(f"Slack did not take an answer to a command ({type(error).__name__}).") from error
    if response.status_code != 200:
        raise Unavailable(f"Slack did not take an answer to a command (HTTP {response.status_code}).")


def translate(error: SlackApiError, method: str, where: str) -> BotError:
    """One of our errors, which says what to do; tokens never appear in it."""
    response = error.response
    data = getattr(response, "data", None)
    body: Mapping[str, object] = data if isinstance(data, Mapping) else {}
    status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0) or 0)
    code = str(body.get("error") or "")
    if status == 429 or status >= 500 or not code or code in BUSY:
        why = f"HTTP {status}" if status and status != 200 else code or "no readable answer"
        return Unavailable(
            f"Slack does not take {method} for {where} now ({why}). The bot tries again.",
            for_people="Slack is busy. Try again in a moment.",
            retry_after=_retry_after(response),
        )
    return _refusal(code, _detail(body), method, where)


def _refusal(code: str, detail: str, method: str, where: str) -> BotError:
    said = f"Slack refused {method} for {where}: {code}{detail}."
    if code in ("not_in_channel", "user_not_in_channel"):
        return NotAllowed(f"{said} The bot is not a member there. Invite it in that channel: /invite @tocsin")
    if code == "channel_not_found":
        advice = "There is no such channel, or the bot may not see it. Check the name in routing.yaml"
        return NotFound(f"{said} {advice}; for a private channel invite the bot in it: /invite @tocsin")
    if code in ("is_archived", "restricted_action"):
        return NotAllowed(f"{said} Unarchive the channel, let apps post there, or name another one in routing.yaml.")
    if code in ("users_not_found", "user_not_found"):
        return NotFound(f"{said} Nobody in this workspace has that address or id.")
    if code in GONE:
        return NotFound(f"{said} The message is gone or can no longer be changed.")
    if code in LAYOUT:
        return LayoutRefused(said, for_people=UNSHOWN)
    if code == "streaming_state_conflict":
        return StillStreaming(f"{said} Its stream must be stopped first.")
    if code in CLOSED:
        words = "Slack took too long to open that form. Try again."
        return NotFound(f"{said} The view is closed or changed, or its trigger is over three seconds old.", for_people=words)
    if code in KEYS:
        words = "The bot cannot speak to Slack: its token is not valid. Tell whoever runs it."
        return Unavailable(f"{said} Check SLACK_BOT_TOKEN; what waits is posted once it is valid.", for_people=words)
    if code == "missing_scope":
        words = "The bot lacks a permission in Slack. Tell whoever runs it."
        return Unavailable(f"{said} Add the scope to the app and install it again; what waits is posted then.", for_people=words)
    return BotError(said, for_people=UNSHOWN)


def _detail(body: Mapping[str, object]) -> str:
    parts = [str(body[k]) for k in ("needed", "errors") if body.get(k)]
    metadata = body.get("response_metadata")
    if isinstance(metadata, Mapping) and metadata.get("messages"):
        parts.append(str(metadata["messages"]))
    return f" ({_TOKEN.sub('[token]', '; '.join(parts))[:400]})" if parts else ""


def _retry_after(response: object) -> float | None:
    headers = getattr(response, "headers", None)
    if not isinstance(headers, Mapping):
        return None
    told = next((v for k, v in headers.items() if str(k).lower() == "retry-after"), None)
    try:
        return min(max(float(str(told)), 0.0), 3600.0) if told is not None else None
    except ValueError:
        return None
