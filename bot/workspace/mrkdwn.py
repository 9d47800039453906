"""Slack's text to HTML. Pure; whatever is not Slack's markup comes out escaped."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from markdown_it.utils import EnvType, OptionsDict
from markupsafe import Markup, escape

from bot.workspace.emoji import with_emoji

_PRE = re.compile(r"```\n?(.+?)\n?```", re.DOTALL)
_ATOM = re.compile(r"`([^`\n]+)`|<([^<>\n]+)>")
_MARKS = (
    (re.compile(r"(?<![\w*])\*(?=\S)([^*\n]+?)(?<=\S)\*(?![\w*])"), r"<strong>\1</strong>"),
    (re.compile(r"(?<![\w_])_(?=\S)([^_\n]+?)(?<=\S)_(?![\w_])"), r"<em>\1</em>"),
    (re.compile(r"(?<![\w~])~(?=\S)([^~\n]+?)(?<=\S)~(?![\w~])"), r"<s>\1</s>"),
)
_HELD = re.compile("\0(\\d+)\0")
_DATE = re.compile(r"date\^(\d{1,12})\^([^^|]*)(?:\^([^|]*))?")
_MENTION = re.compile(r"<([@#!][^<>\s|]+(?:\|[^<>]*)?)>")
_DATE_WORDS = {
    "{date_num}": "%Y-%m-%d",
    "{date}": "%B %d, %Y",
    "{date_short}": "%b %d, %Y",
    "{date_long}": "%A, %B %d, %Y",
    "{date_pretty}": "%B %d, %Y",
    "{date_short_pretty}": "%b %d, %Y",
    "{date_long_pretty}": "%A, %B %d, %Y",
    "{time}": "%H:%M",
    "{time_secs}": "%H:%M:%S",
}
SAFE_SCHEMES = ("https://", "http://", "mailto:")


@dataclass(frozen=True, slots=True)
class Names:
    """What ids stand for; `me` is the reader, whose mentions are marked."""

    people: Mapping[str, str] = field(default_factory=dict)
    channels: Mapping[str, str] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    me: str = ""
    my_groups: frozenset[str] = frozenset()


def unescaped(text: str) -> str:
    """Slack's three entities as characters."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def mrkdwn(text: str, names: Names) -> Markup:
    """HTML of a mrkdwn text: bold, italic, strike, code, quotes, links, mentions, dates, emoji."""
    parts = []
    at = 0
    text = text.replace("\0", "")
    for match in _PRE.finditer(text):
        parts += [_paragraphs(text[at : match.start()], names), _pre(match[1], names)]
        at = match.end()
    return Markup("").join([*parts, _paragraphs(text[at:], names)])


def plain(text: str, emoji: bool = True) -> Markup:
    """HTML of a plain text: escaped, with short names as emoji and line breaks kept."""
    shown = str(escape(unescaped(text)))
    return Markup((with_emoji(shown) if emoji else shown).replace("\n", "<br>"))  # noqa: S704 - escaped just above


def _pre(code: str, names: Names) -> Markup:
    shown = _ATOM.sub(lambda m: m[0] if m[1] else _label(m[2], names), code)
    return Markup("<pre><code>{}</code></pre>").format(unescaped(shown))


def _label(token: str, names: Names) -> str:
    target, _, label = token.partition("|")
    if target[:1] == "@":
        return "@" + (names.people.get(target[1:]) or label or target[1:])
    return label or target


def _paragraphs(text: str, names: Names) -> Markup:
    html: list[Markup] = []
    lines: list[str] = []
    quoted = False
    for line in text.strip("\n").split("\n") if text.strip("\n") else []:
        body, is_quote = _unquoted(line)
        if is_quote != quoted and lines:
            html.append(_lines(lines, quoted, names))
            lines = []
        quoted = is_quote
        lines.append(body)
    if lines:
        html.append(_lines(lines, quoted, names))
    return Markup("").join(html)


def _unquoted(line: str) -> tuple[str, bool]:
    for sign in ("&gt;", ">"):
        if line.startswith(sign):
            return line[len(sign) :].removeprefix(" "), True
    return line, False


def _lines(lines: list[str], quoted: bool, names: Names) -> Markup:
    inner = Markup("<br>").join(_inline(line, names) for line in lines)
    return Markup("<blockquote>{}</blockquote>").format(inner) if quoted else inner


def _inline(text: str, names: Names) -> Markup:
    held: list[Markup] = []

    def hold(match: re.Match[str]) -> str:
        code, token = match[1], match[2]
        held.append(Markup("<code>{}</code>").format(unescaped(_label_all(code, names))) if code else _token(token, names))
        return f"\0{len(held) - 1}\0"

    shown = str(escape(unescaped(_ATOM.sub(hold, text))))
    for pattern, html in _MARKS:
        shown = pattern.sub(html, shown)
    shown = with_emoji(shown)
    indent = len(shown) - len(shown.lstrip(" "))
    shown = "&nbsp;" * indent + shown[indent:]
    return Markup(_HELD.sub(lambda m: str(held[int(m[1])]), shown))  # noqa: S704 - escaped above; the tags are ours


def _label_all(code: str, names: Names) -> str:
    return re.sub(r"<([^<>]+)>", lambda m: _label(m[1], names), code)


def _token(token: str, names: Names) -> Markup:
    target, _, label = token.partition("|")
    if target[:1] in ("@", "#", "!"):
        return mention(target, label, names)
    return link(unescaped(target), plain(label) if label else None)


def mention(target: str, label: str, names: Names) -> Markup:
    """HTML of `@U…`, `#C…` or `!…` with an optional label."""
    kind, ident = target[0], target[1:]
    if kind == "@":
        name = names.people.get(ident) or label or ident
        mine = " me" if ident == names.me else ""
        return Markup('<span class="mention{}">@{}</span>').format(mine, name)
    if kind == "#":
        name = names.channels.get(ident) or label or ident
        if ident not in names.channels:
            return Markup('<span class="mention">#{}</span>').format(name)
        return Markup('<a class="mention" href="/?channel={}" data-channel="{}">#{}</a>').format(ident, ident, name)
    if ident.startswith("subteam^"):
        group = ident.removeprefix("subteam^")
        mine = " me" if group in names.my_groups else ""
        name = names.groups.get(group) or label.removeprefix("@") or group
        return Markup('<span class="mention{}">@{}</span>').format(mine, name)
    if ident in ("here", "channel", "everyone"):
        return Markup('<span class="mention broadcast">@{}</span>').format(ident)
    return date(target, label) or Markup("{}").format(label or f"<{target}>")


def date(target: str, fallback: str) -> Markup | None:
    """HTML of `!date^<unix>^<format>[^<link>]`, in UTC; the page shows the reader's own zone."""
    match = _DATE.fullmatch(target.removeprefix("!"))
    if match is None:
        return None
    try:
        moment = datetime.fromtimestamp(int(match[1]), UTC)
    except (ValueError, OverflowError, OSError):
        return Markup("{}").format(fallback)
    shown = match[2]
    for word, pattern in _DATE_WORDS.items():
        shown = shown.replace(word, moment.strftime(pattern))
    html = Markup('<time datetime="{}" data-ts="{}" data-format="{}" title="{}">{}</time>').format(
        moment.isoformat(), match[1], match[2], fallback, shown
    )
    return link(match[3], html) if match[3] else html


def link(url: str, label: Markup | None = None) -> Markup:
    """An anchor for a web or mail address; anything else (javascript:, data:, file:) stays text."""
    if not url.lower().startswith(SAFE_SCHEMES):
        return Markup("{}").format(label or f"<{url}>")
    shown = label or plain(url.removeprefix("mailto:"), emoji=False)
    return Markup('<a href="{}" target="_blank" rel="noopener noreferrer">{}</a>').format(url, shown)


def _markdown_renderer(names: Names) -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable(["table", "strikethrough"])
    parser.disable("image")

    def text(_: RendererHTML, tokens: list[Token], at: int, __: OptionsDict, ___: EnvType) -> str:
        return _markdown_text(tokens[at].content, names)

    def link_open(self: RendererHTML, tokens: list[Token], at: int, options: OptionsDict, env: EnvType) -> str:
        token = tokens[at]
        if not str(token.attrGet("href") or "").lower().startswith(SAFE_SCHEMES):
            token.attrs = {}
        token.attrSet("target", "_blank")
        token.attrSet("rel", "noopener noreferrer")
        return self.renderToken(tokens, at, options, env)

    parser.add_render_rule("text", text)
    parser.add_render_rule("link_open", link_open)
    return parser


def _markdown_text(content: str, names: Names) -> str:
    def shown(match: re.Match[str]) -> str:
        target, _, label = match[1].partition("|")
        held.append(mention(target, label, names))
        return f"\0{len(held) - 1}\0"

    held: list[Markup] = []
    text = _MENTION.sub(shown, content.replace("\0", ""))
    return _HELD.sub(lambda m: str(held[int(m[1])]), with_emoji(str(escape(text))))


def markdown(text: str, names: Names) -> Markup:
    """HTML of a `markdown` block: CommonMark with tables and strike-through; HTML in it is shown, not obeyed."""
    html = _markdown_renderer(names).render(text)
    # markdown-it aligns cells by a style attribute, which the page's policy forbids.
    for side in ("left", "right", "center"):
        html = html.replace(f' style="text-align:{side}"', f' class="to-{side}"')
    html = html.replace("<table>", '<div class="table"><table>').replace("</table>", "</table></div>")
    return Markup('<div class="markdown">' + html + "</div>")  # noqa: S704 - markdown-it escapes; html is off
