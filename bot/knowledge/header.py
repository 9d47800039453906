"""What a page says of itself: "Owner: team-x" or a table below its first heading, or a heading "Owner" with the name below it.

In English, Chinese, Japanese and Korean.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime

from bot.knowledge.headings import heading

LOOKED_AT = 60  # lines
MOST_VALUES = 50
LONGEST = 20_000  # characters of a page that are looked at
BELOW = 12  # lines below a heading that are values, not prose
_MEANS = {
    **dict.fromkeys(("owner", "owners", "owned by", "team", "owning team", "service owner", "runbook owner"), "owner"),
    **dict.fromkeys(("alert", "alerts", "alert name", "alert names", "alertname", "triggering alert"), "alerts"),
    **dict.fromkeys(("service", "services", "affected service", "affected services", "component"), "services"),
    **dict.fromkeys(
        ("reviewed", "last reviewed", "last review", "reviewed on", "review date", "last verified", "last tested"), "reviewed"
    ),
    **dict.fromkeys(
        ("负责人", "负责团队", "所有者", "团队", "担当", "担当者", "担当チーム", "담당", "담당자", "담당팀"), "owner"
    ),
    **dict.fromkeys(("告警", "告警名称", "报警", "警报", "アラート", "アラート名", "알림", "경보", "알람"), "alerts"),
    **dict.fromkeys(("服务", "相关服务", "サービス", "対象サービス", "서비스", "대상 서비스"), "services"),
    **dict.fromkeys(("审核日期", "最后审核", "复核日期", "レビュー日", "最終レビュー", "최종 검토", "검토일"), "reviewed"),
}
_KEY = r"[^\W\d_](?:[^\W\d_]| ){1,24}?"
_LINE = re.compile(rf"^(?:[-*+]\s+)?\**({_KEY})\**\s*[:：][\s*]*(\S.{{0,500}})$")
_MARKED = re.compile(r"^(?:[-*+]|\d{1,2}[.)])\s+")
_RULE = re.compile(r"^\|?(?:\s*:?-{2,}:?\s*\|)+(?:\s*:?-{2,}:?\s*)?\|?$")
_LINK = re.compile(r"\[([^\]\[]{1,300})\]\([^()\s]{0,500}\)")
_BETWEEN = re.compile(r"\s*(?:[,;，；、]|<br ?/?>|\bor\b)\s*")
_DATES = ("%Y-%m-%d", "%Y/%m/%d", "%Y年%m月%d日", "%d.%m.%Y", "%d %B %Y", "%d %b %Y", "%B %d, %Y", "%b %d, %Y")


def header(text: str) -> Mapping[str, object]:
    """The words of our front matter that a Markdown page gives: owner, alerts, services, reviewed.

    Lines "Key: value" and tables count before the second heading; below a heading that is one of our words only plain values
    do, no prose. The first of each wins, lines before headings.
    """
    found: dict[str, object] = {}
    for key, value in _pairs(_top(text)):
        word = _MEANS.get(" ".join(key.lower().split()))
        if word is not None and word not in found:
            found |= _told(word, _values(value), {"services": 1}.get(word, 12))
    for word, lines in _headed(text):
        if word not in found and all(len(line) <= 200 for line in lines):
            values = [v for line in lines for v in _values(_MARKED.sub("", line))]
            found |= _told(word, values, 4 if word == "owner" else 1)
    return found


def says_of_itself(text: str) -> bool:
    """All of a section is such lines and tables, and nothing to do."""
    lines = [line for line in (raw.strip() for raw in text.split("\n")) if line]
    pairs = [m for line in lines if not line.startswith("|") and (m := _LINE.match(line))]
    known = all(" ".join(m[1].lower().split()) in _MEANS for m in pairs)
    return bool(header(text)) and known and len(pairs) == sum(not line.startswith("|") for line in lines)


def _values(told: str) -> list[str]:
    return [v for part in _BETWEEN.split(told)[:MOST_VALUES] if (v := _plain(part)) and "://" not in v]


def _told(word: str, values: list[str], most_words: int) -> dict[str, object]:
    """What is told of one of our words; nothing where it is prose."""
    if not values:
        return {}
    if word == "reviewed":
        return {word: day} if (day := day_of(values[0]) or day_of(", ".join(values[:2]))) else {}
    if word == "owner":
        return {word: values[0]} if len(values[0].split()) <= most_words else {}
    fits = all(len(v) <= 120 and len(v.split()) <= most_words for v in values)
    return {word: values} if fits else {}


def _headed(text: str) -> Iterator[tuple[str, list[str]]]:
    """The lines below each heading that is one of our words; none where they are many, code or a table."""
    word, lines, fenced = "", list[str](), False
    for line in [*text[:LONGEST].split("\n"), "# "]:
        fence = line.lstrip().startswith(("```", "~~~"))
        fenced ^= fence
        word = "" if fence or line.lstrip().startswith("|") else word
        title = "" if fenced else heading(line)
        if title or line == "# ":
            if word and 0 < len(lines) <= BELOW:
                yield word, lines
            word, lines = _MEANS.get(title.strip("*_: ：").lower(), ""), []
        elif line.strip():
            lines.append(line.strip())


def _top(text: str) -> list[str]:
    lines: list[str] = []
    headings = 0
    for line in text[:LONGEST].split("\n")[: 2 * LOOKED_AT]:
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


def day_of(value: str) -> date | None:
    """A day as people write it: 2025-03-01, 1 March 2025, March 1, 2025; None for anything else."""
    for form in _DATES:
        try:
            return datetime.strptime(value[:20].strip(), form).date()  # noqa: DTZ007  a day, not a moment
        except ValueError:
            continue
    return None
