"""Text for Slack's mrkdwn: whatever comes from outside is shown as it is and can do nothing.

Every function here returns mrkdwn unless its name says plain. Formats: docs.slack.dev/messaging/formatting-message-text
"""

import re
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

JOINER = "\u2060"  # invisible; breaks a mention or a link apart without changing how it reads
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2028\u2029\u2066-\u2069\ufeff\ud800-\udfff]")
_BROADCAST = re.compile(r"@(?=(?:channel|here|everyone)\b)", re.IGNORECASE)
_USER = re.compile(r"[UW][A-Z0-9]{2,20}\Z")
_FENCED = re.compile(r"```(?:[\w+.-]*\n)?([^`]*)(?:```|\Z)")  # closed, or cut off
_SPACE = re.compile(r"\s+")
_ENTITY_CUT = re.compile(r"&[a-z]{0,3}\Z")


def plain(text: str, limit: int = 300) -> str:
    """One line of plain text without control or direction characters, at most `limit` characters, cut with "…"."""
    line = _SPACE.sub(" ", _CONTROL.sub("", text.replace("\r", " "))).strip()
    return cut(_BROADCAST.sub("@" + JOINER, line), limit)


def cut(text: str, limit: int) -> str:
    """The text, or its beginning with "…" if it is longer than `limit` characters; never a `…` that only begins."""
    if len(text) <= limit:
        return text
    head = text[: max(limit - 1, 0)]
    if head.count("`") % 2 and text.count("`") % 2 == 0:
        head = head[: head.rfind("`")]
    return head.rstrip() + "…"


def escape(text: str, limit: int = 300) -> str:
    """Plain text from outside as one line of mrkdwn: no mentions, no broadcasts, no links; a fenced block is inline code."""
    return _escaped(plain(_FENCED.sub(_inline, text), limit))


def _inline(block: re.Match[str]) -> str:
    inner = block[1].strip()
    return f"`{inner}`" if inner else " "


def cut_mrkdwn(text: str, limit: int) -> str:
    """Like `cut`, but never through an entity or a `<...>` sequence."""
    if len(text) <= limit:
        return text
    head = text[: limit - 1]
    if head.rfind("<") > head.rfind(">"):
        head = head[: head.rfind("<")]
    return _ENTITY_CUT.sub("", head).rstrip() + "…"


def bold(text: str, limit: int = 300) -> str:
    """Outside text in bold; its own asterisks become look-alikes, or they would end the bold."""
    inner = escape(text, limit).replace("*", "∗")
    return f"*{inner}*" if inner else ""


def code(text: str, limit: int = 100) -> str:
    """Outside text as inline code."""
    inner = escape(text, limit).replace("`", "ˋ")
    return f"`{inner}`" if inner else ""


def code_block(lines: Collection[str], limit: int = 2800) -> str:
    """The last lines that fit into `limit` characters, as a code block."""
    kept: list[str] = []
    left = limit - 8
    for line in reversed(list(lines)):
        bare = _CONTROL.sub("", line.replace("\t", "    ")).rstrip("\n")
        shown = _escaped(cut(_BROADCAST.sub("@" + JOINER, bare), 400)).replace("`", "ˋ")
        if len(shown) + 1 > left:
            break
        left -= len(shown) + 1
        kept.append(shown)
    return "```\n" + "\n".join(reversed(kept)) + "\n```"


def who(by: str) -> str:
    """A Slack user id as a mention; any other name ("alerts cleared", a connector) as text."""
    return f"<@{by}>" if _USER.match(by) else escape(by, 100)


def named(mrkdwn: str, ids: Collection[str]) -> str:
    """Escaped text in which these Slack user ids are mentions."""
    known = [re.escape(id) for id in ids if _USER.match(id)]
    return re.sub(rf"(?<![\w@])(?:{'|'.join(known)})(?!\w)", lambda found: f"<@{found[0]}>", mrkdwn) if known else mrkdwn


def clock(at: datetime, near: datetime | None = None) -> str:
    """A time of day in the reader's own zone; with its date if it is far from `near`."""
    far = near is not None and abs(at - near) > timedelta(hours=20)
    form = "{date_short_pretty} {time}" if far else "{time}"
    return f"<!date^{int(at.timestamp())}^{form}|{clock_plain(at, near)}>"


def clock_plain(at: datetime, near: datetime | None = None) -> str:
    """The same for places where Slack formats nothing: "14:02 UTC"."""
    far = near is not None and abs(at - near) > timedelta(hours=20)
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC" if far else "%H:%M UTC")


def span(length: timedelta) -> str:
    """A length of time as people say it: "under 1 min", "12 min", "2 h 5 min", "3 d 4 h"."""
    minutes = max(int(length.total_seconds()), 0) // 60
    if minutes < 1:
        return "under 1 min"
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def count(number: int, one: str, many: str = "") -> str:
    """A number with its noun: "1 alert", "43 alerts"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def link(url: str, label: str, hosts: Collection[str], limit: int = 150) -> str:
    """A link if its host is on the allow-list, else the label alone."""
    shown = escape(label, limit)
    if not shown or not allowed(url, hosts):
        return shown
    return trusted_link(url, label, limit)


def trusted_link(url: str, label: str, limit: int = 150) -> str:
    """A link that Slack itself gave us (a permalink); the label alone if it is no web address."""
    shown = escape(label, limit)
    if not _web(url) or len(url) > 2000:
        return shown
    target = _escaped(url).replace("|", "%7C")
    return f"<{target}|{shown.replace('|', '¦')}>"


def allowed(url: str, hosts: Collection[str]) -> bool:
    """The address is http(s), hides nothing, and its host (or a parent domain of it) is on the allow-list."""
    if not _web(url):
        return False
    host = (urlsplit(url).hostname or "").rstrip(".")
    return any(host == h.lower() or host.endswith("." + h.lower()) for h in hosts if h)


def _web(url: str) -> bool:
    if not re.fullmatch(r"https?://[!-~]+", url) or any(c in url for c in '\\<>"`^{}'):
        return False
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
