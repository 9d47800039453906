"""What kind of change a diff is before anybody asks what it breaks: documentation, tests, formatting, a mere move."""

import re
from collections import Counter
from collections.abc import Sequence

from bot.investigation.diff import Hunk, code
from bot.investigation.rules.rule import Text

_KINDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "documentation only",
        re.compile(r"(?i)(?:^|/)(?:docs?|documentation|runbooks)/|\.(?:md|rst|adoc)$|(?:^|/)(?:README|CHANGELOG"
            r"|LICENSE|CODEOWNERS|NOTICE)\S*$"),
    ),
    (
        "tests only",
        re.compile(r"(?i)(?:^|/)(?:tests?|testdata|__tests__|spec|fixtures|golden|e2e)/|_test\.\w+$|(?:^"
            r"|/)test_\w+\.py$|\.(?:test|spec)\.\w+$|\.golden$|_(?:bench|fuzz)\w*\.go$"),
    ),
    (
        "build and checks only",
        re.compile(r"(?i)(?:^|/)\.(?:github|circleci|gitlab|buildkite|vscode)/|\.gitlab-ci|Jenkinsfile|(?:^"
            r"|/)(?:Makefile|\.golangci\S*|\.pre-commit\S*|\.editorconfig|\.gitignore|tslint|\.eslintrc\S*)"),
    ),
    ("styling only", re.compile(r"(?i)\.(?:css|scss|less|svg|png|jpe?g|gif|ico|woff2?)$|(?:^|/)(?:theme|palette"
        r"|styles?)\b[^/]*$")),
    ("staging only", re.compile(r"(?i)(?:^|[/_.-])(?:staging|sandbox|dev)(?:[/_.-]|$)")),
)  # fmt: skip
_IMPORT = re.compile(r"^(?:import\b|from\s+\S+\s+import\b|use\s+[\w:]+|#include|require\(|\"[\w./-]+\"$|package\s+\w+|[()]$)")
_LOGGING = re.compile(r"(?i)^\w*(?:\.?\w+\.)*(?:log|logger|logging|console)\w*(?:\.\w+)*\(|^LOG_\w+\(|^logger?\s*:?=")
_TOKEN = re.compile(r"[A-Za-z_]\w*|\d[\w.]*|\"[^\"]*\"|'[^']*'")


def harmless(text: Text, title: str) -> str:
    """Why this change cannot have broken production, or ""."""
    paths = [f for f in text.files if f]
    for reason, pattern in _KINDS:
        if paths and all(pattern.search(p) for p in paths):
            return reason
    if not text.hunks:
        return _by_title(title) if not paths else ""
    if all(_same_code(h) for h in text.hunks):
        return "formatting or comments only"
    lines = [code(t) for h in text.hunks for s, t in h.lines if s != " " and code(t)]
    if lines and all(_IMPORT.match(t) for t in lines):
        return "imports only"
    if lines and all(_LOGGING.match(t) for t in lines):
        return "log wording only"
    return ""


def moved_share(text: Text) -> float:
    """How much of the change is a move or a rename: the share of added tokens that were there before, and the reverse."""
    old = Counter(t for h in text.hunks for line in h.removed for t in _TOKEN.findall(code(line)))
    new = Counter(t for h in text.hunks for line in h.added for t in _TOKEN.findall(code(line)))
    if not old or not new:
        return 0.0
    shared = sum((set(old) & set(new)) and [min(1, new[t]) for t in set(old) & set(new)])
    return shared / max(len(set(old) | set(new)), 1)


def removed_share(text: Text) -> float:
    """The share of removed tokens that came back nowhere in the change; 0 where as much came in their place."""
    old = {t for h in text.hunks for line in h.removed for t in _TOKEN.findall(code(line))}
    new = {t for h in text.hunks for s, line in h.lines if s != "-" for t in _TOKEN.findall(code(line))}
    come = {t for h in text.hunks for line in h.added for t in _TOKEN.findall(code(line))} - old
    return len(old - new) / len(old) if old and len(come) <= len(old - new) / 2 else 0.0


def _same_code(hunk: Hunk) -> bool:
    return _squeezed(hunk.removed) == _squeezed(hunk.added)


def _squeezed(lines: Sequence[str]) -> list[str]:
    return sorted(re.sub(r"[\s,;]+", "", code(t)) for t in lines if re.sub(r"[\s,;]+", "", code(t)))


def _by_title(title: str) -> str:
    kind = re.match(r"\W*(docs?|tests?|ci|style|lint)\b", title.lower())
    names = {"doc": "documentation only", "docs": "documentation only", "test": "tests only", "tests": "tests only"}
    return names.get(kind[1], "build and checks only") if kind else ""
