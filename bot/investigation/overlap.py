"""The words of changes: which ones, how rare, and whether they came, went or merely moved."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from bot.investigation.shipments import Shipment
from bot.signals.direction import bag, words

COMMON = bag(
    "error errors return func self this context string const void await async import from with time data value values result "
    "request response null none true false class type struct public private static else case default print service services "
    "server client handler call calls code http https name path json list dict array float double bool byte count total "
    "main init test config "
    "status message info warn debug level when then that have been were will into over after before every each only more less "
    "select insert update delete where join limit order group having values true false "
    "github golang google rate ratio seconds second minute milliseconds duration p99 p95 failed failure failing new get set"
)


def rarity(every: Sequence[Shipment]) -> dict[str, float]:
    """How rare each word is among the changes: 1 for a word of one change, towards 0 for a word of all."""
    counts = Counter(t for s in every for t in words_of(s))
    most = math.log(len(every) + 1) or 1.0
    return {t: math.log((len(every) + 1) / n) / most for t, n in counts.items()}


def words_of(shipment: Shipment) -> dict[str, float]:
    """The words of the changed lines with their weight: 1 for what came or went, 0.4 for what merely moved."""
    old = {t for h in shipment.text.hunks for line in h.removed for t in (*tokens(line), *_short(line))}
    new = {t for h in shipment.text.hunks for line in h.added for t in (*tokens(line), *_short(line))}
    found = {t: 0.4 for t in old & new} | {t: 1.0 for t in old ^ new}
    for edit in shipment.text.edits:
        found.update(dict.fromkeys(tokens(f"{edit.key} {edit.old} {edit.new}"), 1.0))
    if not shipment.text.hunks:  # nothing but a title is known of it: a flag, a change whose diff no source has
        found.update(dict.fromkeys(tokens(shipment.title), 1.0 if shipment.commit is None else 0.5))
    for file in shipment.text.files:
        for w in words(" ".join(file.rsplit(".", 1)[0].split("/")[-2:])):
            if len(w) > 2 and w not in COMMON:
                found.setdefault(w, 0.4)
    return found


def _short(line: str) -> list[str]:
    """The words of three letters: they count only where telemetry writes them as an acronym."""
    return [w for w in words(line) if len(w) == 3 and w.isalpha() and w not in COMMON]


@lru_cache(maxsize=32_768)
def tokens(text: str) -> frozenset[str]:
    """Identifiers as a whole and their parts, long enough to mean something, or written as an acronym."""
    found: set[str] = set()
    for name in re.findall(r"[A-Za-z][\w]*", text):
        parts = [w for w in words(name) if len(w) > 3 and w not in COMMON]
        found.update(p.rstrip("s") if len(p) > 4 else p for p in parts)
        if "_" in name and len(name) > 8:
            found.add(name.lower())
        if len(name) == 3 and name.isupper():
            found.add(name.lower())
    return frozenset(found)


def spelled(token: str, text: str) -> str:
    """A token as it stands in the text that it was found in: "retries", not "retrie"."""
    match = re.search(rf"(?i){re.escape(token)}s?(?![a-z])", text)
    return match[0].lower() if match else token
