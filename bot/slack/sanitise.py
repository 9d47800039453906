"""Markdown from a model or a document, made harmless: no broadcasts, no mentions, links only to hosts we allow.

Where the text is not certainly code it is treated as prose, so a reader that lays it out differently finds nothing
to press either.
"""

import re
from collections.abc import Collection

from bot.slack.text import JOINER, allowed, cut

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
_TOKEN = re.compile(r"<(?=[!@#]|[A-Za-z][A-Za-z0-9+.-]*:)")  # <!channel>, <@U1>, <#C1>, <https://...>
_BROADCAST = re.compile(r"@(?=(?:channel|here|everyone)\b)", re.IGNORECASE)
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_SPAN = re.compile(r"(?<![`\\])(`+)(?!`)([^\n]*?[^`\n])\1(?!`)")
_LINK = re.compile(r"!?\[([^\[\]\n]*)\]\(\s{0,4}<?([^()\s<>]*)>?(?:\s{1,4}[\"'][^\"'\n]*[\"'])?\s{0,4}\)")
_AUTOLINK = re.compile(r"<((?:https?|mailto):[^<>\s]*)>")
_ADDRESS = re.compile(r"(?<![\w])((?:[A-Za-z][A-Za-z0-9+.-]{0,30}:)?//[^\s<>\"'`|)\]]+|mailto:[^\s<>)]+)")
_WEBSITE = re.compile(r"(?<![\w/.@-])(www\.[^\s<>\"'`|)\]]+)", re.IGNORECASE)
_DEFINITION = re.compile(r"(?m)^([^\S\n]*(?:[>*+-][^\S\n]*|\d+[.)][^\S\n]*)*\[[^\]\n]*\]):")  # [label]: address
_PARAGRAPH = re.compile(r"(\n[ \t]*\n)")
_HELD = "\ue000{}\ue001"
_PRIVATE = re.compile("[\ue000\ue001]")


def sanitise(markdown: str, hosts: Collection[str] = (), limit: int = 11_000) -> str:
    """The same text for a native `markdown` block; a link to a strange host becomes its label and the bare address."""
    text = _PRIVATE.sub("", _CONTROL.sub("", markdown.replace("\r\n", "\n").replace("\r", "\n")))
    text = cut(text, limit)
    parts = [_calm(part) if is_code else _prose(part, hosts) for is_code, part in split(text)]
    return cut("".join(parts), limit)


def split(text: str) -> list[tuple[bool, str]]:
    """The text in pieces, at least one, each with whether it is a fenced block; a last fence may still be open."""
    parts: list[tuple[bool, list[str]]] = [(False, [])]
    fence = ""
    for line in text.splitlines(keepends=True):
        found = _FENCE.match(line)
        if not fence and found and not ("`" in found[1] and "`" in line[found.end() :]):
            fence = found[1]
            parts.append((True, [line]))
            continue
        parts[-1][1].append(line)
        if fence and found and found[1][0] == fence[0] and len(found[1]) >= len(fence) and not line[found.end() :].strip():
            fence = ""
            parts.append((False, []))
    return [(is_code, "".join(lines)) for is_code, lines in parts]


def _prose(text: str, hosts: Collection[str]) -> str:
    held: list[str] = []

    def hold(shown: str) -> str:
        held.append(shown)
        return _HELD.format(len(held) - 1)

    def on_link(found: re.Match[str]) -> str:
        label, target = found[1].strip(), found[2]
        if _ours(target, hosts) and not found[0].startswith("!"):
            return hold(f"[{_label(label) or target}]({target})")
        return f"{label} ({target})" if target and target != label else label

    def on_address(found: re.Match[str]) -> str:
        address = found[1].rstrip(".,;:!?*_~")
        rest = found[1][len(address) :]
        return hold(address if _ours(address, hosts) else f"`{_calm(address)}`") + rest

    text = "".join(_certain(paragraph) for paragraph in _PARAGRAPH.split(text))
    text = _SPAN.sub(lambda m: hold(_calm(m[0])) if "|" not in m[2] or "://" not in m[2] else m[0], text)
    text = _LINK.sub(on_link, text)
    text = _AUTOLINK.sub(r"\1", text)
    text = "".join(_unticked(paragraph) for paragraph in _PARAGRAPH.split(text))
    text = _WEBSITE.sub(on_address, _ADDRESS.sub(on_address, text))
    text = _DEFINITION.sub(rf"\1{JOINER}:", text)
    text = _calm(text)
    while re.search("\ue000\\d+\ue001", text):
        text = re.sub("\ue000(\\d+)\ue001", lambda m: held[int(m[1])], text)
    return text


def _certain(paragraph: str) -> str:
    """Spans are code only where every backtick belongs to one on its line: a loose one may pair with theirs over line ends."""
    loose = "`" in _SPAN.sub("", paragraph)
    return _unticked(paragraph) if loose else paragraph


def _unticked(paragraph: str) -> str:
    """A loose backtick would pair with ours and let the address that we put in code out again."""
    addressed = _ADDRESS.search(paragraph) or _WEBSITE.search(paragraph)
    return paragraph.replace("`", "ˋ") if addressed else paragraph


def _ours(address: str, hosts: Collection[str]) -> bool:
    return allowed(address, hosts) and _calm(address) == address


def _label(label: str) -> str:
    return _calm(label.replace("`", ""))


def _calm(text: str) -> str:
    """What is dangerous even inside code: Slack's own sequences, broadcasts, and the joint of a link."""
    text = _TOKEN.sub("<" + JOINER, text)
    text = _BROADCAST.sub("@" + JOINER, text)
    return text.replace("](", "]" + JOINER + "(")
