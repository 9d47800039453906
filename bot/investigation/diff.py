"""A diff as data: hunks, the values that were edited, and the words of it. Reads git's format and looser ones."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

LONGEST = 120_000  # characters of a diff that are read

_LITERAL = re.compile(
    r'"(?:[^"\\\n]|\\.){0,200}"|\'(?:[^\'\\\n]|\\.){0,200}\'|`[^`\n]{0,200}`'
    r"|(?<![\w.])-?\d[\d_]*(?:\.\d+)?(?:\s*\*\s*time\.\w+|[a-zA-Z]{1,3}\b)?|\b(?:true|false|True|False)\b"
)
_NAMED = re.compile(r"[\"']?([A-Za-z_][\w.-]*)[\"']?\s*(?::\s*[\w.\[\]]+\s*=|:=|=>|[:=])\s*$")
_ASSIGNS = frozenset("=:>")  # what ends a text that _NAMED finds something in
_CALL = re.compile(r"([A-Za-z_]\w*)\s*\([^()]*$")
_LAST_NAME = re.compile(r"([A-Za-z_][\w-]*)[^A-Za-z_]*$")
_PIN = re.compile(  # go.mod, requirements, Gemfile: a name and its version on a line of their own
    r"^(?:require\s+|gem\s+)?[\"']?(@?[A-Za-z][\w./@-]*?)[\"']?(?:\s+|\s*,\s*|\s*[=~<>^]=?=?\s*)[\"']?(v?\d+(?:\.[\w+-]+){1,4})[\"']?,?$"
)
_COMMENT = re.compile(r"\s(?://|#\s).*$")
_BARE = re.compile(r"^-?\s*([\w.-]+):\s+([A-Za-z/][^\s\"'{\[,]*)$")  # YAML: words without quotes
_UNITS = {
    "ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "KB": 1e3, "MB": 1e6, "GB": 1e9,
}  # fmt: skip
_GO_UNITS = {"nanosecond": 1e-9, "microsecond": 1e-6, "millisecond": 1e-3, "second": 1.0, "minute": 60.0, "hour": 3600.0}


@dataclass(frozen=True, slots=True)
class Hunk:
    """One run of changed lines: `lines` are (sign, text) with sign "+", "-" or " "; `header` is what git says it is in."""

    path: str
    header: str
    lines: tuple[tuple[str, str], ...]
    removed: tuple[str, ...] = field(init=False, repr=False, compare=False)  # the lines that went
    added: tuple[str, ...] = field(init=False, repr=False, compare=False)  # the lines that came

    def __post_init__(self) -> None:
        """Every rule reads both."""
        object.__setattr__(self, "removed", tuple(t for s, t in self.lines if s == "-"))
        object.__setattr__(self, "added", tuple(t for s, t in self.lines if s == "+"))

    @property
    def after(self) -> tuple[tuple[str, str], ...]:
        """The hunk as it reads now, with the sign of each line."""
        return tuple((s, t) for s, t in self.lines if s != "-")


@dataclass(frozen=True, slots=True)
class Edit:
    """A named value that changed. `ratio` is new over old where both are numbers of one kind, else 0."""

    path: str
    key: str
    old: str
    new: str
    ratio: float
    around: str = ""  # the hunk's header and the names that enclose the value

    @property
    def text(self) -> str:
        """The edit as people read it: "retries 2 → 10"."""
        return f"{self.key} {_short(self.old)} → {_short(self.new)}"


def parse(diff: str, files: Sequence[str] = ()) -> tuple[Hunk, ...]:
    """The hunks of a unified diff; a diff that names no file is taken to be of the first of `files`."""
    path, header = (files[0] if files else ""), ""
    hunks: list[Hunk] = []
    lines: list[tuple[str, str]] = []

    def close() -> None:
        if any(s != " " for s, _ in lines):
            hunks.append(Hunk(path, header, tuple(lines)))
        lines.clear()

    for raw in diff[:LONGEST].splitlines():
        if raw.startswith(("diff --git", "index ", "new file", "deleted file", "similarity", "rename ", "--- ", "old mode")):
            close()
        elif raw.startswith("+++ "):
            close()
            path = _strip_prefix(raw[4:].split("\t")[0].strip(), path)
        elif raw.startswith("@@"):
            close()
            path, header = _heading(raw, path, files)
        elif raw[:1] in ("+", "-"):
            lines.append((raw[0], raw[1:]))
        else:
            lines.append((" ", raw[1:] if raw.startswith(" ") else raw))
    close()
    return tuple(hunks)


def edits(hunks: Iterable[Hunk]) -> tuple[Edit, ...]:
    """The named values that a diff changed, in order."""
    found: list[Edit] = []
    for hunk in hunks:
        old, new = _values(hunk.removed), _values(hunk.added)
        around = _around(hunk)
        for key, before in old.items():
            after = new.get(key, [])
            gone = [v for v in before if v not in after]
            come = [v for v in after if v not in before]
            found += [
                Edit(hunk.path, key, a, b, _ratio(a, b), around)
                for a, b in zip(gone, come, strict=False)
                if not _same_value(a, b)
            ]
    return tuple(dict.fromkeys(found))


def is_pin(edit: Edit) -> bool:
    """The edit is another version of something, not another value."""
    versions = [re.fullmatch(r"[\"'^~=v]*\d+(?:\.[\w+-]+){1,4}[\"']?", v) for v in (edit.old, edit.new)]
    return all(versions) and (number(edit.old) is None or number(edit.new) is None)


def number(literal: str) -> float | None:
    """The number that a literal stands for, in base units (seconds, bytes), or None if it is not one."""
    text = literal.strip("\"'`").replace("_", "").strip()
    go = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*\*\s*time\.(\w+?)s?", text)
    if go:
        return float(go[1]) * _GO_UNITS.get(go[2].lower(), 1.0)
    plain = re.fullmatch(r"(-?\d+(?:\.\d+)?)\s*([A-Za-z]{0,3})", text)
    if not plain or (plain[2] and plain[2] not in _UNITS):
        return None
    return float(plain[1]) * _UNITS.get(plain[2], 1.0)


@lru_cache(maxsize=8192)
def code(line: str) -> str:
    """A line without its comment and surrounding space; empty for a comment line."""
    stripped = line.strip()
    if stripped.startswith(("//", "#", "*", "/*", "--", "<!--", '"""')) and not stripped.startswith(("#include", "#define")):
        return ""
    return _COMMENT.sub("", stripped).strip()


def _values(lines: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in lines:
        text = code(line)
        for match in _LITERAL.finditer(text):
            before = text[: match.start()]
            if text[match.end() :].lstrip()[:1] == ":" and match[0][0] in "\"'":
                continue  # a key, not a value
            key = _key(before)
            if key:
                found.setdefault(key, []).append(match[0])
        if pin := _PIN.match(text):
            found.setdefault(pin[1], []).append(pin[2])
        bare = _BARE.match(text)
        if bare and not _LITERAL.fullmatch(bare[2]):
            found.setdefault(bare[1], []).append(bare[2])
    return found


def _key(before: str) -> str:
    if before.rstrip()[-1:] in _ASSIGNS and (named := _NAMED.search(before)):
        return named[1]
    if before.rfind("(") > before.rfind(")") and (call := _CALL.search(before)):
        return call[1]
    last = _LAST_NAME.search(before)
    return last[1] if last else ""


def _around(hunk: Hunk) -> str:
    """What encloses the changed values: the header, and the lines above that open a block."""
    opened = [t for s, t in hunk.lines if s == " " and t.rstrip().endswith(("{", ":", "(", "["))]
    return " ".join([hunk.header, *opened[-2:]])[:200]


def _heading(raw: str, path: str, files: Sequence[str]) -> tuple[str, str]:
    inside = raw.strip().lstrip("@").strip()
    position = re.match(r"-\d+(?:,\d+)? \+\d+(?:,\d+)? @@ ?(.*)", inside)
    if position:
        return path, position[1]
    named = re.match(r"([\w./-]+\.\w+)\b:?\s*(?:@@)?:?\s*(.*)", inside)
    if named and ("/" in named[1] or named[1] in files):
        return named[1], named[2]
    return path, inside.rstrip("@ ")


def _strip_prefix(name: str, path: str) -> str:
    if name == "/dev/null":
        return path
    return name[2:] if name.startswith(("a/", "b/")) else name


def _ratio(old: str, new: str) -> float:
    a, b = number(old), number(new)
    return b / a if a and b is not None else 0.0


def _same_value(old: str, new: str) -> bool:
    a, b = number(old), number(new)
    return old.strip("\"'`") == new.strip("\"'`") or (a is not None and a == b)


def _short(literal: str) -> str:
    text = re.sub(r"\s*\*\s*time\.(\w+)", lambda m: f" {m[1].lower()}", literal).strip("\"'`")
    return text if len(text) <= 48 else text[:45] + "…"
