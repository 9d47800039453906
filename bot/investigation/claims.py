"""What a model says is kept only where the evidence that it cites says so: ids exist, quotations and numbers stand there."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bot.domain.evidence import Claim, Evidence

LONGEST = 600  # characters of one claim
CITE = re.compile(r"\[\s*(E\d{1,4}(?:\s*[,;]\s*E\d{1,4})*)\s*\]")
_ID = re.compile(r"E\d{1,4}")
_LABELS = re.compile(r"\b[ES]\d{1,4}\b")
_LABEL = re.compile(r"\bS\d{1,4}\b")
_GROUPS = re.compile(r"(?<=\d)[ \u00a0\u202f,](?=\d{3}(?!\d))")
_WORD = re.compile(r"[^\s\"“”`()\[\],;]*\d[^\s\"“”`()\[\],;]*")
_NUMBER = re.compile(r"\d+(?:[.:]\d+)*")
_TELLING = re.compile(r"[a-z][a-z_.-]{3,}")
_COMMON = (  # words that could stand in any claim
    "were been being this that these those with from into their there they because which while when where what more most such "
    "than then thus also only very just cause caused change changed shows shown likely suggests indicates evidence incident "
    "issue problem"
)
_QUOTE = re.compile(r"“([^”]{3,400})”|\"([^\"]{3,400})\"|`([^`]{2,400})`")
_TRAILING = re.compile(r"([.!?])\s*((?:\[E\d[^\]]*\]\s*)+)")
_SENTENCES = re.compile(r"(?<=[.!?])\s+(?=[^\s\d.])")
_BULLET = re.compile(r"^\s*(?:[-*+•]\s+|\d{1,2}[.)]\s+|#{1,6}\s+|>\s*)?")
UNKNOWN = re.compile(r"(?i)^\W*(?:I do not know|I don['’]t know|the evidence does not (?:say|tell)|nothing in the evidence)\b")
SHORT = 300  # characters of a sentence that may stand without evidence, because it claims nothing


def sources(evidence: Iterable[Evidence]) -> dict[str, str]:
    """What each piece says, with its service and its time of day, as claims are held against it."""
    return {e.id: " ".join((e.text, e.service, f"{e.at:%Y-%m-%d %H:%M:%S}" if e.at else "")) for e in evidence}


def fault(text: str, cites: Sequence[str], said: Mapping[str, str], labels: Mapping[str, str] | None = None) -> str:
    """Why a claim has no support in what it cites, or "". `said` is by E-id; `labels` tells what each S-label stands for."""
    labels = labels or {}
    if not cites:
        return "cites nothing"
    for id in cites:
        if id not in said:
            return f"cites {id}, which is not there"
    for label in _LABEL.findall(text):
        if label not in labels and not any(label in said[id] for id in cites):
            return f"names {label}, which is not a suspect"
    named = [labels[label] for label in _LABEL.findall(text) if label in labels]
    source = " ".join((*(said[id] for id in cites), *named))
    return _missing_quote(text, source) or _missing_number(text, source) or _off_topic(text, source)


def _missing_quote(text: str, source: str) -> str:
    plain = _flat(source)
    for groups in _QUOTE.findall(text):
        quote = next(g for g in groups if g)
        if not _ID.fullmatch(quote) and not _LABEL.fullmatch(quote) and _flat(quote).strip(" .,…") not in plain:
            return f"quotes “{quote[:60]}”, which does not stand there"
    return ""


def _missing_number(text: str, source: str) -> str:
    there = {_value(n) for n in _NUMBER.findall(_plain(source))}
    words = {w.lower().strip(".:") for w in _WORD.findall(_plain(source))}
    for word in _WORD.findall(_LABELS.sub(" ", _plain(text))):
        begun = word.lower().strip(".:")
        if len(begun) >= 7 and any(w.startswith(begun) for w in words):
            continue  # a commit or a time, cut short
        for number in _NUMBER.findall(word):
            value = _value(number)
            if value not in there and not (":" in value and any(t.startswith(f"{value}:") for t in there)):
                return f"says {number}, which does not stand there"
    return ""


def _off_topic(text: str, source: str) -> str:
    """A claim in words alone shares a telling one with what it cites; one in a script without such words is left alone."""
    if _LABEL.search(text) or _NUMBER.search(_plain(text)) or _QUOTE.search(text):
        return ""  # held to account already
    telling = _stems(text) - _stems(_COMMON)
    return "" if not telling or telling & _stems(source) else "speaks of nothing that stands there"


def _stems(text: str) -> set[str]:
    return {word[:5] for word in _TELLING.findall(text.lower())}


def _plain(text: str) -> str:
    return _GROUPS.sub("", CITE.sub(" ", text))


def _value(number: str) -> str:
    """Equal for equal numbers: "0.20" is "0.2", "18.0" is "18"; times keep their digits."""
    if ":" in number or number.count(".") != 1:
        return number
    return number.rstrip("0").rstrip(".")


def _flat(text: str) -> str:
    return " ".join(text.lower().split())


def keep(
    claims: Iterable[Claim], said: Mapping[str, str], labels: Mapping[str, str] | None = None
) -> tuple[tuple[Claim, ...], tuple[str, ...]]:
    """The claims that have support, and for each of the others why it was dropped."""
    kept: list[Claim] = []
    dropped: list[str] = []
    for claim in claims:
        why = fault(claim.text, claim.cites, said, labels) if claim.text.strip() else "says nothing"
        if why:
            dropped.append(why)
        else:
            kept.append(claim)
    return tuple(kept), tuple(dropped)


@dataclass(frozen=True, slots=True)
class Prose:
    """A model's text without the sentences that have no support: `made` were there, `dropped` says why some are gone."""

    text: str
    made: int
    dropped: tuple[str, ...]
    cites: tuple[str, ...]

    @property
    def empty(self) -> bool:
        """No sentence is left."""
        return not self.text


def supported(markdown: str, said: Mapping[str, str]) -> Prose:
    """The sentences of a text that cite evidence which says so, and those that admit to know nothing."""
    lines: list[str] = []
    dropped: list[str] = []
    made = 0
    for line in markdown.splitlines():
        bullet = _BULLET.match(line)
        head = bullet[0] if bullet else ""
        kept = []
        for sentence in _sentences(line[len(head) :]):
            made += 1
            why = _sentence_fault(sentence, said)
            if why:
                dropped.append(why)
            else:
                kept.append(sentence)
        if kept:
            lines.append((head if head.strip() not in ("#", "##", "###", ">") else "") + " ".join(kept))
    text = "\n".join(lines)
    return Prose(text, made, tuple(dropped), cited(text))


def cited(text: str) -> tuple[str, ...]:
    """The E-ids that a text cites, in order."""
    return tuple(dict.fromkeys(id for group in CITE.findall(text) for id in _ID.findall(group)))


def _sentences(line: str) -> list[str]:
    """The sentences of a line; a citation after a full stop belongs to the sentence before it."""
    joined = _TRAILING.sub(lambda m: f" {m[2].strip()}{m[1]} ", line).strip()
    if not joined.strip("`-=_*# \t"):
        return []
    return [s.strip() for s in _SENTENCES.split(joined) if s.strip()]


def _sentence_fault(sentence: str, said: Mapping[str, str]) -> str:
    ids = cited(sentence)
    if not ids and UNKNOWN.match(sentence) and len(sentence) <= SHORT and not _NUMBER.search(sentence):
        return ""
    return fault(sentence, ids, said)


def only(evidence: Iterable[Evidence], ids: Collection[str]) -> tuple[Evidence, ...]:
    """The pieces with these ids."""
    return tuple(e for e in evidence if e.id in ids)
