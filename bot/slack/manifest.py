"""The Slack app as a manifest: what the bot hears and calls, which scopes that takes, and why.

Format: docs.slack.dev/reference/app-manifest; scopes: docs.slack.dev/reference/scopes and each method's page. A test compares
the tables here with what the code of this room calls and registers.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.errors import BadSettings
from bot.slack.vocabulary import COMMANDS, SHORTCUT_OPEN, SHORTCUT_PIN, SHORTCUTS

Json = dict[str, object]
PATH = "/slack/events"


@dataclass(frozen=True, slots=True)
class Need:
    """Scopes that something takes, and what for."""

    scopes: tuple[str, ...]
    why: str


@dataclass(frozen=True, slots=True)
class Heard:
    """An event the bot handles: the subscriptions that bring it, the scopes they take, and what for."""

    subscriptions: tuple[str, ...]
    scopes: tuple[str, ...]
    why: str


METHODS: Mapping[str, Need] = {
    "apps.connections.open": Need((), "opens the socket; taken by the app-level token (connections:write)"),
    "assistant.threads.setStatus": Need(("assistant:write",), "shows in a thread that an answer is being made"),
    "assistant.threads.setSuggestedPrompts": Need(("assistant:write",), "offers questions worth asking in the agent panel"),
    "assistant.threads.setTitle": Need(("assistant:write",), "names a conversation in the agent panel"),
    "auth.test": Need((), "asks who the bot is"),
    "chat.appendStream": Need(("chat:write",), "streams an answer"),
    "chat.getPermalink": Need((), "links pointers and timelines to messages"),
    "chat.postEphemeral": Need(("chat:write",), "answers one person alone"),
    "chat.postMessage": Need(("chat:write",), "posts cards, evidence, plans and answers"),
    "chat.startStream": Need(("chat:write",), "begins a streamed answer"),
    "chat.stopStream": Need(("chat:write",), "ends a streamed answer"),
    "chat.update": Need(("chat:write",), "keeps cards current in place"),
    "conversations.history": Need(
        ("channels:history", "groups:history", "im:history"), "looks for a message of the bot's own whose answer was lost"
    ),
    "conversations.info": Need(("channels:read", "groups:read"), "tells `tocsin doctor` whether the bot is in a channel"),
    "conversations.list": Need(("channels:read", "groups:read"), "finds the channels that routing.yaml names"),
    "conversations.replies": Need(
        ("channels:history", "groups:history", "im:history"), "reads a message that somebody pins, and finds lost answers"
    ),
    "files.completeUploadExternal": Need(("files:write",), "shows a picture or a drafted runbook in a thread"),
    "files.getUploadURLExternal": Need(("files:write",), "hands over a picture or a drafted runbook"),
    "usergroups.list": Need(("usergroups:read",), "tells which runbooks a person may see that are kept to user groups"),
    "users.info": Need(("users:read",), "reads a person's time zone, so that “today” is theirs"),
    "users.lookupByEmail": Need(("users:read", "users:read.email"), "finds the person whom a pager or rota names as on call"),
    "views.open": Need((), "opens forms"),
    "views.publish": Need((), "shows the home page"),
    "views.update": Need((), "fills forms"),
}
EVENTS: Mapping[str, Heard] = {
    "app_home_opened": Heard(("app_home_opened",), (), "somebody opened the home page or the agent panel"),
    "app_mention": Heard(("app_mention",), ("app_mentions:read",), "somebody asked the bot in a channel"),
    "assistant_thread_started": Heard((), (), "older apps only; with agent_view Slack sends app_home_opened instead"),
    "message": Heard(
        ("message.im", "message.channels", "message.groups"),
        ("im:history", "channels:history", "groups:history"),
        "somebody wrote to the bot directly, or an app posted an alert where `/tocsin listen here on` was said; all else in "
        "channels is passed over unread",
    ),
    "reaction_added": Heard(("reaction_added",), ("reactions:read",), "somebody pinned a message with an emoji"),
}
TYPED: Mapping[str, tuple[str, str]] = {
    "incident": (
        "Look at an incident, or move it on",
        "list | show | ack | resolve | silence | unsilence | catchup | timeline | map | unmatched | automation off|on|status",
    ),
    "deploy": (
        "Deploy a version",
        "<service> <version> [environment] [--dry-run] | status | history | cancel | explain | lock | unlock | "
        "freeze | unfreeze; nothing opens a form",
    ),
    "rollback": ("Go back to an earlier version", "<service> [version] [environment] [--dry-run]; nothing opens a form"),
    "runbook": ("Find the runbook that fits", "<question>"),
    "tocsin": (
        "The bot itself",
        "help | status | route <service> | delivery | noise | model on|off|status | budget [INC-n] | listen here on|off",
    ),
}
CHOSEN: Mapping[str, str] = {
    SHORTCUT_OPEN: "Open an incident from this message",
    SHORTCUT_PIN: "Pin this message to its incident's timeline",
}
PROMPTS = (
    ("What changed today?", "What changed today?"),
    ("What is open?", "Which open incidents are there?"),
    ("Have we seen this before?", "Have we seen this before?"),
)
DESCRIPTION = "Turns alerts and deployments into explained incidents"
LONG_DESCRIPTION = (
    "Tocsin folds alerts into one card per incident, names the likeliest cause with its evidence, finds the runbook and the "
    "past incident that fit, proposes a rollback that a person approves, and remembers the confirmed cause. It answers questions "
    "about changes, incidents and runbooks in threads and direct messages."
)


def scopes() -> tuple[str, ...]:
    """The bot token's scopes, each once, sorted."""
    needed = {s for need in METHODS.values() for s in need.scopes} | {s for heard in EVENTS.values() for s in heard.scopes}
    return tuple(sorted({*needed, "commands"}))  # slash commands and message shortcuts take `commands`


def manifest(url: str = "") -> Json:
    """The manifest: for Socket Mode, or with `url` (https, where Slack reaches the bot) for signed HTTP requests.

    Raises BadSettings for an address that Slack would not take.
    """
    door = _door(url)
    return {
        "_metadata": {"major_version": 2, "minor_version": 1},
        "display_information": {
            "name": "Tocsin",
            "description": DESCRIPTION,
            "long_description": LONG_DESCRIPTION,
            "background_color": "#1d2b3a",
        },
        "features": _features(door),
        "oauth_config": {"scopes": {"bot": list(scopes())}},
        "settings": {
            "event_subscriptions": {
                **({"request_url": door} if door else {}),
                "bot_events": sorted({name for heard in EVENTS.values() for name in heard.subscriptions}),
            },
            "interactivity": {
                "is_enabled": True,
                **({"request_url": door, "message_menu_options_url": door} if door else {}),
            },
            "org_deploy_enabled": False,
            "socket_mode_enabled": not door,
            "token_rotation_enabled": False,
        },
    }


def _features(door: str) -> Json:
    where = {"url": door} if door else {}
    return {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True, "messages_tab_read_only_enabled": False},
        "agent_view": {
            "agent_description": DESCRIPTION,
            "suggested_prompts": [{"title": title, "message": message} for title, message in PROMPTS],
        },
        "bot_user": {"display_name": "tocsin", "always_online": True},
        "shortcuts": [
            {"name": SHORTCUTS[id], "type": "message", "callback_id": id, "description": CHOSEN[id]} for id in SHORTCUTS
        ],
        "slash_commands": [
            {
                "command": f"/{name}",
                "description": TYPED[name][0],
                "usage_hint": TYPED[name][1],
                "should_escape": False,
                **where,
            }
            for name in COMMANDS
        ],
    }


def _door(url: str) -> str:
    if not url:
        return ""
    bare = url.rstrip("/").removesuffix(PATH)
    if not bare.startswith("https://") or len(bare) == len("https://"):
        raise BadSettings(f"Slack sends requests to https only, not to {url!r}. A good one: --url https://tocsin.example.com")
    return bare + PATH


def explained() -> Iterator[tuple[str, str]]:
    """Every scope and subscription with what it is for, in the order of the manifest."""
    for scope in scopes():
        uses = [need.why for need in METHODS.values() if scope in need.scopes]
        uses += [heard.why for heard in EVENTS.values() if scope in heard.scopes]
        if scope == "commands":
            uses = [f"{', '.join('/' + c for c in COMMANDS)}; the shortcuts {' and '.join(SHORTCUTS.values())}"]
        yield scope, "; ".join(uses)
    for heard in EVENTS.values():
        for name in heard.subscriptions:
            yield name, heard.why
