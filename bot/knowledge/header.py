"""What a page says of itself below its first heading: "Owner: team-x", a table of Alert and Service, a last review."""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime

LOOKED_AT = 60  # lines
MOST_VALUES = 50
_MEANS = {
    **dict.fromkeys(("owner", "owners", "owned by", "team", "owning team", "service owner", "runbook owner"), "owner"),
    **dict.fromkeys(("alert", "alerts", "alert name", "alert names", "alertname", "triggering alert"), "alerts"),
    **dict.fromkeys(("service", "services", "affected service", "affected services", "component"), "services"),
    **dict.fromkeys(
        ("reviewed", "last reviewed", "last review", "reviewed on", "review date", "last verified", "last tested"), "reviewed"
    ),
}
_LINE = re.compile(r"^(?:[-*+]\s+)?\**([A-Za-z][A-Za-z ]{2,24}?)\**\s*:\s*\**\s*(\S.{0,500})$")
_RULE = re.compile(r"^\|?(?:\s*:?-{2,}:?\s*\|)+(?:\s*:?-{2,}:?\s*)?\|?$")
_LINK = re.compile(r"\[([^\]\[]{1,300})\]\([^()\s]{0,500}\)")
_BETWEEN = re.compile(r"\s*(?:,|;|<br ?/?>|\bor\b)\s*")
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y")


def header(text: str) -> Mapping[str, object]:
    """The words of our front matter that the top of a Markdown page gives: owner, alerts, services, reviewed.

    Only what stands before the second heading counts, as lines "Key: value" or as a table; the first of each wins.
    """
    found: dict[str, object] = {}
    for key, value in _pairs(_top(text)):
        word = _MEANS.get(" ".join(key.lower().split()))
        if word is None or word in found:
            continue
        values = [v for part in _BETWEEN.split(value)[:MOST_VALUES] if (v := _plain(part)) and "://" not in v]
        if word == "reviewed":
            found |= {word: day} if (day := _date(_plain(value))) else {}
        elif word == "owner":
            found |= {word: values[0]} if values else {}
        elif values and all(len(v) <= 120 and len(v.split()) <= (1 if word == "services" else 12) for v in values):
            found[word] = values
    return found


def _top(text: str) -> list[str]:
    lines: list[str] = []
    headings = 0
    for line in text[:20_000].split("\n")[: 2 * LOOKED_AT]:
        headings += line.startswith("#")
        if headings > 1 or line.startswith(("```", "~~~")) or len(lines) == LOOKED_AT:
            break
        lines.append(line.strip())
    return lines


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    rows: list[list[str]] = []
    for line in [*lines, ""]:
        if line.startswith("|"):
            rows.append([] if _RULE.match(line) else [cell.strip() for cell in line.strip("|").split("|")])
            continue
        yield from _table(rows)
        rows = []
        if match := _LINE.match(line):
            yield match[1], match[2]


def _table(rows: list[list[str]]) -> Iterator[tuple[str, str]]:
    """A table whose first row are keys, or whose first column are."""
    head = [_plain(cell).lower() for cell in rows[0]] if rows else []
    if len(head) > 1 and sum(cell in _MEANS for cell in head) > 1 and [] in rows[1:2]:
        for number, key in enumerate(head):
            yield key, ", ".join(row[number] for row in rows[2:] if len(row) > number)
        return
    for row in rows:
        if len(row) == 2:
            yield _plain(row[0]).rstrip(":"), row[1]


def _plain(value: str) -> str:
    return _LINK.sub(lambda m: m[1], value).strip().strip("`*_").strip()


def _date(value: str) -> date | None:
    for form in _DATES:
        try:
            return datetime.strptime(value[:20].strip(), form).date()  # noqa: DTZ007  a day, not a moment
        except ValueError:
            continue
    return None
