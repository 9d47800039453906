"""Messages and views to HTML, through Jinja2 with everything escaped. Pure: the same input gives the same HTML."""

import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jinja2 import ChainableUndefined, Environment, FileSystemLoader
from markupsafe import Markup

from bot.workspace.emoji import EMOJI
from bot.workspace.mrkdwn import SAFE_SCHEMES, Names, date, link, markdown, mention, mrkdwn, plain
from bot.workspace.state import SLACKBOT, JsonObject, Message, View, Workspace
from bot.workspace.views import initial_value, state_values

LOOPBACK = ("127.0.0.1", "localhost", "::1")
COLOURS = 6
TASK_SIGNS = {"pending": "○", "in_progress": "◐", "complete": "✓", "error": "✕"}
LEVEL_SIGNS = {"default": "💬", "info": "ℹ️", "warning": "⚠️", "error": "⛔", "success": "✅"}

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    undefined=ChainableUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


def names_for(workspace: Workspace, reader: str) -> Names:
    """What ids stand for, for this reader."""
    config = workspace.config
    people = {p.id: p.real_name for p in config.personas} | {config.bot.user_id: config.bot.real_name}
    return Names(
        people=people,
        channels={c.id: c.name for c in workspace.channels.values() if c.name},
        groups={g.id: g.handle for g in config.groups},
        me=reader,
        my_groups=frozenset(g.id for g in config.groups if reader in g.users),
    )


class Draw:
    """The functions that the block templates call, for one reader."""

    def __init__(
        self,
        names: Names,
        states: Mapping[tuple[str, str], JsonObject] | None = None,
        files: Mapping[str, str] | None = None,
    ) -> None:
        self.names = names
        self._states = states or {}
        self._files = files or {}

    def mrkdwn(self, text: Any) -> Markup:
        return mrkdwn(str(text), self.names)

    def markdown(self, text: Any) -> Markup:
        return markdown(str(text), self.names)

    def text(self, text: Any) -> Markup:
        """HTML of a text object."""
        if not isinstance(text, dict):
            return plain(str(text or ""))
        if text.get("type") == "mrkdwn":
            return mrkdwn(str(text.get("text", "")), self.names)
        return plain(str(text.get("text", "")), text.get("emoji", True) is not False)

    def link(self, url: Any, label: Any) -> Markup:
        return link(str(url), plain(str(label)) if label else None)

    def safe_url(self, url: Any) -> str:
        return str(url) if str(url).lower().startswith(SAFE_SCHEMES) else ""

    def picture(self, image: Mapping[str, Any]) -> str:
        """The address of a picture that the page may load: ours or this machine's; empty for any other."""
        file = image.get("slack_file") or {}
        url = str(image.get("image_url") or file.get("url") or self._files.get(str(file.get("id"))) or "")
        try:
            parts = urlsplit(url)
        except ValueError:
            return ""
        return url if parts.scheme == "http" and parts.hostname in LOOPBACK else ""

    def state(self, block: Mapping[str, Any], element: JsonObject) -> Any:
        """What this element holds for the reader: an option, a list of options, a text, an id or None."""
        held = self._states.get((str(block.get("block_id")), str(element.get("action_id"))))
        value = held or initial_value(element)
        return next((v for key, v in value.items() if key != "type"), None)

    def rich(self, element: Mapping[str, Any]) -> Markup:
        """HTML of one inline element of rich text."""
        kind = element.get("type")
        if kind == "link":
            shown = link(str(element.get("url")), plain(str(element["text"])) if element.get("text") else None)
        elif kind in ("user", "channel", "usergroup", "broadcast"):
            sign = {"user": "@", "channel": "#", "usergroup": "!subteam^", "broadcast": "!"}[str(kind)]
            ident = element.get(f"{kind}_id") or element.get("range") or ""
            shown = mention(f"{sign}{ident}", "", self.names)
        elif kind == "emoji":
            shown = Markup("{}").format(EMOJI.get(str(element.get("name")), f":{element.get('name')}:"))
        elif kind == "date":
            target = f"!date^{element.get('timestamp')}^{element.get('format')}"
            shown = date(target, str(element.get("fallback", ""))) or Markup("")
        else:
            shown = plain(str(element.get("text", "")), emoji=False)
        style = element.get("style") or {}
        for key, tag in (("code", "code"), ("bold", "strong"), ("italic", "em"), ("strike", "s")):
            if style.get(key):
                shown = Markup(f"<{tag}>{{}}</{tag}>").format(shown)  # noqa: S704 - the tag is one of ours
        return shown


def _drawn(template: str, **values: Any) -> Markup:
    values |= {"task_signs": TASK_SIGNS, "level_signs": LEVEL_SIGNS, "emoji": EMOJI}
    return Markup(_templates.get_template(template).render(**values))  # noqa: S704 - the templates escape


def blocks_html(blocks: list[JsonObject], names: Names, people: Mapping[str, str] | None = None) -> Markup:
    """HTML of blocks outside any message, for tests and previews."""
    values = {"blocks": blocks, "draw": Draw(names), "people": people or names.people, "channels": names.channels}
    return _drawn("blocks.html", **values, errors={})


def message_html(workspace: Workspace, message: Message, reader: str) -> Markup:
    """One message as this reader sees it, with its reactions and the summary of its thread."""
    names = names_for(workspace, reader)
    states = {key[1:]: state for key, state in message.choices.items() if key[0] == reader}
    channel = workspace.channels[message.channel]
    replies = [] if message.is_reply else [m for m in channel.replies(message.ts) if m.visible_to(reader)]
    shortcuts = [s for s in workspace.config.shortcuts if s.kind == "message"]
    return _drawn(
        "message.html",
        message=message,
        blocks=message.blocks if message.by_app or message.other_app else [],
        draw=Draw(names, states, workspace.file_urls()),
        author=author(workspace, message),
        replies=replies,
        repliers=[face(workspace, u) for u in dict.fromkeys(m.user for m in replies)][:4],
        people=names.people,
        channels=names.channels,
        reader=reader,
        shortcuts=shortcuts,
        errors={},
    )


def view_html(workspace: Workspace, view: View) -> Markup:
    """A modal or the Home tab with the state of its inputs and the errors of its last submission."""
    names = names_for(workspace, view.user)
    states = {(block, action): s for block, held in state_values(view).items() for action, s in held.items()}
    return _drawn(
        "view.html",
        view=view,
        blocks=view.blocks,
        draw=Draw(names, states, workspace.file_urls()),
        people={p: n for p, n in names.people.items() if p != workspace.config.bot.user_id},
        channels=names.channels,
        errors=view.errors,
        bot=face(workspace, workspace.config.bot.user_id),
    )


def page_html(team: str, panel_url: str | None, panel_title: str) -> Markup:
    """The page without any message: its script fetches the rest."""
    return _drawn("page.html", team=team, panel_url=panel_url or "", panel_title=panel_title)


def face(workspace: Workspace, user: str) -> dict[str, str]:
    """How a person is drawn: name, colour and what stands in the square."""
    bot = workspace.config.bot
    name = workspace.name_of(user)
    if user == bot.user_id:
        return {"id": user, "name": name, "colour": "bot", "sign": bot.icon}
    if user == SLACKBOT:
        return {"id": user, "name": name, "colour": "system", "sign": "⌗"}
    return {"id": user, "name": name, "colour": f"c{zlib.crc32(user.encode()) % COLOURS}", "sign": name[:1].upper()}


def author(workspace: Workspace, message: Message) -> dict[str, str]:
    shown = face(workspace, message.user)
    person = workspace.people.get(message.user)
    return {**shown, "name": message.username or message.other_app or shown["name"], "title": person.title if person else ""}
