"""What a workspace is made of: people, channels, an app and its secrets."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Schema = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Persona:
    """A person whom the page can speak as."""

    id: str
    name: str
    real_name: str
    title: str
    tz: str = "UTC"
    is_admin: bool = False

    @property
    def email(self) -> str:
        return f"{self.name}@example.com"


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """A public channel that exists from the start; every persona is a member of it."""

    id: str
    name: str
    topic: str = ""
    bot_is_member: bool = True


@dataclass(frozen=True, slots=True)
class BotUser:
    """The app under test, as the workspace knows it."""

    user_id: str = "U0TOCSIN"
    bot_id: str = "B0TOCSIN"
    app_id: str = "A0TOCSIN"
    name: str = "tocsin"
    real_name: str = "Tocsin"
    icon: str = "🔔"


@dataclass(frozen=True, slots=True)
class UserGroup:
    """A group of people that can be mentioned by its handle."""

    id: str
    handle: str
    name: str
    users: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SlashCommand:
    """A command that the page completes while a person types."""

    name: str
    description: str
    usage: str = ""


@dataclass(frozen=True, slots=True)
class Shortcut:
    """An entry of the message menu (`kind="message"`) or of the composer's menu (`kind="global"`)."""

    callback_id: str
    name: str
    kind: str = "message"


PERSONAS = (
    Persona("U0ONCALL", "olivia", "Olivia", "on call"),
    Persona("U0APPROVER", "amir", "Amir", "approver", is_admin=True),
    Persona("U0OUTSIDER", "otto", "Otto", "outsider"),
)
CHANNELS = (
    ChannelSpec("C0INCIDENTS", "incidents", "One card per incident; the thread holds the detail"),
    ChannelSpec("C0ALERTS", "alerts", "What the monitors say"),
    ChannelSpec("C0PAYMENTS", "payments", "The payments team"),
)
GROUPS = (UserGroup("S0ONCALL", "oncall", "On call", ("U0ONCALL",)),)
EVENTS = frozenset(
    {
        "app_mention",
        "message",
        "reaction_added",
        "reaction_removed",
        "app_home_opened",
        "member_joined_channel",
    }
)


SCOPES = (
    "app_mentions:read",
    "assistant:write",
    "channels:history",
    "channels:read",
    "chat:write",
    "commands",
    "files:write",
    "groups:history",
    "groups:read",
    "im:history",
    "reactions:read",
    "usergroups:read",
    "users:read",
    "users:read.email",
)


def _secret(prefix: str) -> str:
    return prefix + secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class WorkspaceConfig:
    """Everything a workspace needs; nothing is read from the environment.

    Secrets that are not given are random. `block_schema` is a JSON schema with a `Payload` root (`blocks`, `view`,
    `metadata`); sizes are enforced with or without it. `retry_delays` are the seconds before each further delivery of
    an event nobody acknowledged. `scopes` are told in a header, not enforced.
    """

    port: int = 8333
    host: str = "127.0.0.1"
    team_id: str = "T0TOCSIN"
    team_name: str = "Tocsin Shop"
    channels: tuple[ChannelSpec, ...] = CHANNELS
    personas: tuple[Persona, ...] = PERSONAS
    groups: tuple[UserGroup, ...] = GROUPS
    bot: BotUser = BotUser()
    bot_token: str = field(default_factory=lambda: _secret("xoxb-"), repr=False)
    app_token: str = field(default_factory=lambda: _secret("xapp-1-"), repr=False)
    signing_secret: str = field(default_factory=lambda: _secret(""), repr=False)
    events_url: str | None = None
    panel_url: str | None = None
    panel_title: str = "Control panel"
    commands: tuple[SlashCommand, ...] = ()
    shortcuts: tuple[Shortcut, ...] = ()
    events: frozenset[str] = EVENTS
    scopes: tuple[str, ...] = SCOPES
    block_schema: Schema | None = field(default=None, repr=False)
    enforce_rate: bool = False
    ack_seconds: float = 3.0
    retry_delays: tuple[float, ...] = (0.0, 60.0, 300.0)

    @property
    def base_url(self) -> str:
        """The page's address without a slash at the end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def settings_lines(config: WorkspaceConfig) -> list[str]:
    """The environment lines that connect a bot to this workspace. They hold its secrets."""
    return [
        f"SLACK_BOT_TOKEN={config.bot_token}",
        f"SLACK_APP_TOKEN={config.app_token}",
        f"SLACK_SIGNING_SECRET={config.signing_secret}",
        f"TOCSIN_SLACK_API_URL={config.base_url}/api/",
    ]
