"""Things the app gets in exchange for an interaction: trigger ids and response URLs. Both run out."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.workspace.errors import SlackError
from bot.workspace.state import Clock

TRIGGER_LIFE = timedelta(seconds=3)
RESPONSE_URL_LIFE = timedelta(minutes=30)
RESPONSE_URL_USES = 5


@dataclass(slots=True)
class Trigger:
    """The right to open one view for this person. `view_id` is the modal it was issued from."""

    user: str
    issued: datetime
    view_id: str | None
    used: bool = False


@dataclass(slots=True)
class ResponseUrl:
    """The right to answer where something happened; `ts` is the message that a button was on."""

    user: str
    channel: str
    ts: str | None
    thread_ts: str | None
    issued: datetime
    uses: int = 0


class Exchange:
    """Issues trigger ids and response URLs, and says when they are spent."""

    def __init__(self, clock: Clock, base_url: str, team_id: str) -> None:
        self._clock = clock
        self._base_url = base_url
        self._team_id = team_id
        self._triggers: dict[str, Trigger] = {}
        self._urls: dict[str, ResponseUrl] = {}

    def trigger(self, user: str, view_id: str | None = None) -> str:
        number = secrets.randbelow(10**13)
        ident = f"{number}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._triggers[ident] = Trigger(user, self._clock(), view_id)
        return ident

    def redeem(self, ident: str) -> Trigger:
        """The trigger, once, within three seconds of the interaction."""
        trigger = self._triggers.get(ident)
        if trigger is None:
            raise SlackError("invalid_trigger_id")
        if trigger.used:
            raise SlackError("exchanged_trigger_id")
        if self._clock() - trigger.issued > TRIGGER_LIFE:
            raise SlackError("expired_trigger_id")
        trigger.used = True
        return trigger

    def response_url(self, user: str, channel: str, ts: str | None = None, thread_ts: str | None = None) -> str:
        token = secrets.token_urlsafe(24)
        self._urls[token] = ResponseUrl(user, channel, ts, thread_ts, self._clock())
        return f"{self._base_url}/response/{self._team_id}/{token}"

    def use(self, token: str) -> ResponseUrl:
        """The response URL behind this token: five times, for thirty minutes."""
        url = self._urls.get(token)
        if url is None:
            raise SlackError("invalid_token", status=404)
        if self._clock() - url.issued > RESPONSE_URL_LIFE:
            raise SlackError("expired_url", status=404)
        if url.uses >= RESPONSE_URL_USES:
            raise SlackError("used_url", status=404)
        url.uses += 1
        return url
