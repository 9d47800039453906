"""The arithmetic of a chain of lines, each with the hash of the one before: for good, because heads are kept outside.

A line's hash is sha256 over the compact JSON list of a tag and the line's facts in their order, times as UTC ISO 8601 with
microseconds. What is told apart from its line is in it as a digest: sha256 over salt, newline, text.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime


def line_hash(facts: Sequence[object]) -> str:
    """The hash of a line's facts: text, numbers, truth values, times with a zone."""
    plain = [spelt(fact) if isinstance(fact, datetime) else fact for fact in facts]
    return hashlib.sha256(json.dumps(plain, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def part_digest(salt: str, told: str) -> str:
    """What a line holds of a part that is told apart."""
    return hashlib.sha256(f"{salt}\n{told}".encode()).hexdigest()


def spelt(at: datetime) -> str:
    """A time as it stands under a hash."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")
