"""Signs of planted instructions in what a model read, for the record.

Nothing depends on them: what protects is that no tool can change anything and that people approve. Wordings that are not known
here leave no sign.
"""

import re
from collections.abc import Iterable

from bot.domain.evidence import Evidence

LONGEST = 4000  # characters of one piece that are looked at
SIGNS = {
    "overrides instructions": re.compile(
        r"(?i)\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instruction|prompt|rule|guideline|message|context)s?\b"
    ),
    "speaks to the model": re.compile(
        r"(?i)\bsystem prompt\b|\byou are (?:now )?(?:an? |the )?(?:ai|assistant|bot|language model|llm)\b"
        r"|\b(?:assistant|ai|llm|chatbot|language model)\s*[,:]\s*(?:please|you|do|must|now)\b"
    ),
    "asks for silence": re.compile(r"(?i)\b(?:do not|don['’]t|never) (?:tell|mention|reveal|inform|alert|notify)\b"),
    "asks to send something": re.compile(
        r"(?i)\b(?:send|post|forward|upload|leak|exfiltrate)\b.{0,60}(?:https?://|\bto #[a-z]|[\w.]@[\w-]+\.)"
    ),
    "broadcasts": re.compile(r"<!(?:channel|here|everyone)\b|(?<!\w)@(?:channel|here|everyone)\b"),
}


def signs(evidence: Iterable[Evidence]) -> tuple[str, ...]:
    """Which piece bears which sign, such as "E3 overrides instructions"; our own runbooks too, for they can be planted in."""
    texts = [(e.id, e.text[:LONGEST]) for e in evidence]
    return tuple(f"{id} {sign}" for id, text in texts for sign, pattern in SIGNS.items() if pattern.search(text))
