"""Which masked lines say the same: those that differ at one place only, where it is seen that anything may stand.

A place is open if the words seen there are many, or if each line brings a new one: their share of words seen once estimates how
likely the next word is a new one (Good-Turing). Few words that come again and again are states, and states are told apart.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import accumulate

from bot.signals.masking import AMOUNT, NAME, TELLING, one_mark

MANY = 8  # different words that make a place open however often each is seen
FEW = 3  # different words below which nothing is known of a place
NEWNESS = 0.4  # chance that the next word is a new one, from which on a place is open
ROUNDS = 3  # places of one statement that are found open one after the other
ENOUGH = 2  # words around a place that make lines one statement; one is enough where MANY stand beside it
ENOUGH_AT_START = 3  # the same for the first place, which mostly says what a line is about
PLACES = 60  # of a line that are looked at, words and what stands between them

At = tuple[str, list[str], int]  # a signature, its pieces, a place in them
Place = tuple[int, int]  # what stands before and what stands after, as hashes
_BETWEEN = re.compile(r"""([\s=:,;()\[\]{}"'|<>]+)""")
_BLANK = re.compile("( )")
_LETTER = re.compile(r"[^\W\d_]")
_DOTTED = re.compile(r"\w[\w-]*(?:\.[\w-]+)+")
_EDGES = ".,:;()[]{}\"'"


def joined(counts: Mapping[str, int]) -> dict[str, str]:
    """For each signature of one service, with how many lines have it, the signature that stands for it and its like."""
    plain: dict[str, int] = defaultdict(int)
    names: set[str] = set()
    for text, count in counts.items():
        bare = text.replace(NAME, AMOUNT)
        plain[bare] += count
        if NAME in text:
            names.add(bare)
    ends = {bare: bare for bare in plain}
    for _ in range(ROUNDS):
        found = _open(plain)
        if not found:
            break
        names = {found.get(bare, bare) for bare in names} | set(found.values())
        plain = _moved(plain, found)
        ends = {bare: found.get(end, end) for bare, end in ends.items()}
    odd = _odd_ones(plain, names)
    return {text: _end(odd, ends[text.replace(NAME, AMOUNT)]) for text in counts}


def _moved(plain: Mapping[str, int], found: Mapping[str, str]) -> dict[str, int]:
    moved: dict[str, int] = defaultdict(int)
    for text, count in plain.items():
        moved[found.get(text, text)] += count
    return moved


def _open(plain: Mapping[str, int]) -> dict[str, str]:
    """The signatures that have a word at an open place, with what they become; the place with the most words first."""
    alike = [at for at in _alike(plain, _BETWEEN) if len(at) > 1]
    found: dict[str, str] = {}
    for texts in sorted(alike, key=len, reverse=True):
        left = [at for at in texts if at[0] not in found and at[1][at[2]] != AMOUNT and not TELLING.search(at[1][at[2]])]
        if len(left) > 1 and _is_open(left, plain):
            _, pieces, i = left[0]
            merged = one_mark("".join((*pieces[:i], AMOUNT, *pieces[i + 1 :])))
            found.update((text, merged) for text, _, _ in left)
    return found


def _alike(plain: Iterable[str], between: re.Pattern[str]) -> Collection[list[At]]:
    """Signatures that are equal but for the word at one place."""
    alike: dict[Place, list[At]] = defaultdict(list)
    for text in plain:
        pieces = between.split(text)
        before = list(accumulate(pieces, _hashed, initial=0))
        after = list(accumulate(reversed(pieces), _hashed, initial=0))
        for i in range(0, min(len(pieces), PLACES), 2):
            if pieces[i]:
                alike[before[i], after[len(pieces) - 1 - i]].append((text, pieces, i))
    return alike.values()


def _hashed(so_far: int, piece: str) -> int:
    return hash((so_far, piece))


def _is_open(texts: Sequence[At], plain: Mapping[str, int]) -> bool:
    _, pieces, i = texts[0]
    around = _words(pieces, i)
    many = len(texts) >= MANY
    if around < (ENOUGH_AT_START if i == 0 else 1 if many else ENOUGH):
        return False
    if many or all(_DOTTED.fullmatch(pieces[i]) for _, pieces, i in texts):  # as hosts, modules and packages are called
        return True
    lines = sum(plain[text] for text, _, _ in texts)
    once = sum(plain[text] == 1 for text, _, _ in texts)
    return len(texts) >= FEW and once >= NEWNESS * lines


def _words(pieces: Sequence[str], besides: int) -> int:
    return sum(1 for j in range(0, len(pieces), 2) if j != besides and len(pieces[j]) > 1 and _LETTER.search(pieces[j]))


def _odd_ones(plain: Mapping[str, int], names: Collection[str]) -> dict[str, str]:
    """Signatures with a word where a more frequent one has a name: `device lo` where others say `device eth0`."""
    found: dict[str, str] = {}
    for texts in (*_alike(plain, _BLANK), *_alike(plain, _BETWEEN)):
        if len(texts) < 2 or _words(*texts[0][1:]) < ENOUGH:
            continue
        hosts = [text for text, pieces, i in texts if pieces[i].strip(_EDGES) == AMOUNT and text in names]
        host = max(hosts, key=lambda text: (plain[text], text), default="")
        for text, pieces, i in texts:
            if host and plain[text] < plain[host] and not TELLING.search(pieces[i]):
                found.setdefault(text, host)
    return found


def _end(found: Mapping[str, str], text: str) -> str:
    """Where a chain of ever more frequent signatures ends."""
    while text in found:
        text = found[text]
    return text
