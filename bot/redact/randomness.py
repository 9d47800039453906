"""How random a word looks: people's names for things are not, keys are."""

import math
import re
from collections import Counter
from itertools import pairwise

HEX = re.compile(r"[0-9a-fA-F-]{16,}")


def entropy(value: str) -> float:
    """Bits per character."""
    if not value:
        return 0.0
    size = len(value)
    return -sum(n / size * math.log2(n / size) for n in Counter(value).values())


def is_random(value: str) -> bool:
    """Capitals, small letters and digits change so often that nobody named anything so; hexadecimal digests are not meant."""
    if HEX.fullmatch(value):
        return False
    kinds = ["d" if ch.isdigit() else "u" if ch.isupper() else "l" if ch.islower() else "o" for ch in value.rstrip("=")]
    changes = sum(1 for before, now in pairwise(kinds) if before != now)
    return {"d", "u", "l"} <= set(kinds) and changes >= len(kinds) / 2.5 and entropy(value) >= 4.2
