"""Characters that deceive the eye leave the text."""

import unicodedata


def clean(text: str) -> str:
    """The same text without control, bidirectional and zero-width characters; newlines and tabs stay."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(ch for ch in text if ch in "\n\t" or not _deceives(ch))


def _deceives(ch: str) -> bool:
    # Cc: control; Cf: bidi, zero-width, tags, soft hyphen; Cs: lone surrogates; Zl, Zp: odd line ends
    return unicodedata.category(ch) in ("Cc", "Cf", "Cs", "Zl", "Zp") or ch in "\u115f\u1160\u3164\uffa0\u034f"
