"""What a language model sees of a text: no secret, and tokens in place of personal data."""

import re
from collections import Counter
from collections.abc import Mapping

from bot.redact.personal import find
from bot.redact.secrets import SECRET, redact

_NAME_WORD = re.compile(r"(?<![\w/.@-])[^\W\d_][^\W\d_]{2,40}(?![\w/@-])")
_TOKEN = re.compile(r"\[([A-Z]{2,16})_(\d{1,6})\]")


class Veil:
    """Personal data of one conversation with a model, hidden behind tokens such as [EMAIL_1] and told again after it.

    The same value has the same token for as long as the veil lives, and whoever was found by a full name is known by its
    parts from then on. The map between them never leaves this object: it is in no repr, log or database. Hide each text
    once, when it comes from outside; what is hidden is not hidden again.
    """

    __slots__ = ("_counts", "_names", "_numbers", "_tokens", "_values")

    def __init__(self) -> None:
        self._tokens: dict[tuple[str, str], str] = {}
        self._values: dict[str, str] = {}
        self._names: set[str] = set()
        self._numbers: Counter[str] = Counter()
        self._counts: Counter[str] = Counter()

    def __repr__(self) -> str:
        return f"Veil({dict(self._counts)})"

    @property
    def counts(self) -> Mapping[str, int]:
        """How often something was hidden, by kind: EMAIL, PHONE, PERSON ... and SECRET."""
        return dict(self._counts)

    def hide(self, text: str) -> str:
        """The text without secrets, which are gone for good, and with tokens for personal data.

        A text from outside that looks like a token, "[EMAIL_1]", becomes [LITERAL_n], so that reveal() gives back what
        was written and never somebody's address.
        """
        clear = redact(text)
        if (secrets := clear.count(SECRET) - text.count(SECRET)) > 0:
            self._counts["SECRET"] += secrets
        marks = [(m.start(), m.end(), "LITERAL") for m in _TOKEN.finditer(clear)]
        found = find(clear)
        self._names.update(word for f in found if f.kind == "PERSON" for word in _NAME_WORD.findall(clear[f.start : f.end]))
        marks += [(f.start, f.end, f.kind) for f in found]
        marks += [(m.start(), m.end(), "PERSON") for m in _NAME_WORD.finditer(clear) if m.group() in self._names]
        parts: list[str] = []
        at = 0
        for start, end, kind in sorted(marks, key=lambda mark: (mark[0], -mark[1])):
            if start >= at:
                parts += (clear[at:start], self._token(kind, clear[start:end]))
                at = end
        return "".join(parts) + clear[at:]

    def reveal(self, text: str) -> str:
        """The text with this veil's tokens turned back into what they stand for; unknown tokens stay as they are."""
        return _TOKEN.sub(lambda match: self._values.get(match.group(), match.group()), text)

    def _token(self, kind: str, value: str) -> str:
        if kind != "LITERAL":
            self._counts[kind] += 1
        token = self._tokens.get((kind, value))
        if token is None:
            self._numbers[kind] += 1
            token = self._tokens[kind, value] = f"[{kind}_{self._numbers[kind]}]"
            self._values[token] = value
        return token
