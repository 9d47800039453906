"""What is searched for is shaped: what varies from alert to alert goes, what tells of the problem stays."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from bot.domain.document import Inquiry

LONGEST = 4_000  # characters of text that are looked at
MOST_LABELS = 50

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_CJK_CHARACTER = re.compile(f"[{_CJK}]")
_TOKEN = re.compile(rf"[{_CJK}]+|[^\W\d_{_CJK}]+(?:\d+(?=[^\W\d_]|\b|_))?|\d+")
_CAMEL = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+\d*|[A-Z]+\d*|[^\W\d_]+|\d+")
_NAME_CHARS = re.compile(r"[^a-z0-9\u0080-\uffff]")

_URL = re.compile(r"\b[a-z][a-z0-9+.-]{1,15}://\S+", re.IGNORECASE)
_NOISE = re.compile(
    r"\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b"  # addresses
    r"|\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b"  # UUIDs
    r"|\b(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,64}\b"  # hashes
    r"|(?<=[a-z0-9])-(?:[0-9a-f]{8,10}-)?(?=[a-z]{0,4}\d)[a-z0-9]{5}\b"  # what Kubernetes appends to a pod's name
    r"|\b\d{4}-\d\d-\d\d[T ]?\S*"  # times
    r"|[-+]?\b\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?\s?(?:%|ms|[smhdw]|[kmgtp]i?b?)?(?![\w-])",  # numbers with units
    re.IGNORECASE,
)
_NO_PLURAL = ("ss", "us", "is")
_LONG_PLURAL = ("sses", "ches", "shes", "xes")
_COMMON_LABELS = frozenset({"severity", "alertname", "priority", "status"})
_STOP = frozenset(
    re.findall(
        r"\w+",
        "a an and are as at be been by can for from had has have if in into is it its less more no not of on or over "
        "per than that the their then there these this to was were which will with within you your last minutes "
        "hours days seconds minute hour day current value below above check please may "
        "how do does did i we my our me what when where which who why should could would there's s t",
    )
)


@dataclass(frozen=True, slots=True)
class Shaped:
    """An inquiry ready for search: `name` and `text` as words, `sentence` for the embedding model.

    `labels` are the words of the labels' keys and values that are not among these: what a label says is particular to one
    occurrence (a pod, a customer) or names a technology (a job, a component), and nothing tells which; so they count little.
    """

    name: tuple[str, ...]
    text: tuple[str, ...]
    sentence: str
    labels: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """There is nothing to search for."""
        return not self.name and not self.text


def shape(inquiry: Inquiry) -> Shaped:
    """The words of the problem, without label values, numbers, addresses and hashes."""
    plain = without_noise(inquiry.text[:LONGEST], inquiry.labels)
    title = " ".join(split_name(inquiry.name[:300]))
    name, text = tuple(words(inquiry.name[:300])), tuple(words(plain))
    labels = [(key, value) for key, value in inquiry.labels.items() if key not in _COMMON_LABELS][:MOST_LABELS]
    told = (word for key, value in labels for word in words(f"{key} {_NOISE.sub(' ', _URL.sub(' ', value[:200]))}"))
    return Shaped(
        name=name,
        text=text,
        sentence=". ".join(part for part in (title, plain) if part)[:1_000],
        labels=tuple(dict.fromkeys(word for word in told if word not in text and word not in name)),
    )


def mostly_cjk(text: str) -> bool:
    """More Chinese, Japanese or Korean characters than other letters."""
    letters = sum(c.isalpha() for c in text)
    return 2 * len(_CJK_CHARACTER.findall(text)) > letters > 0


def label_names(labels: Mapping[str, str]) -> set[str]:
    """The values of the labels as names, for what may be called the same: a service, a folder."""
    return {normal(v) for k, v in list(labels.items())[:MOST_LABELS] if k not in _COMMON_LABELS and len(v) < 100} - {""}


def without_noise(text: str, labels: Mapping[str, str]) -> str:
    """The text without what is particular to one occurrence."""
    text = _URL.sub(" ", text)
    for key, value in sorted(labels.items(), key=lambda item: -len(item[1])):
        if key not in _COMMON_LABELS and len(value) > 1:
            text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", " ", text)
    return " ".join(_NOISE.sub(" ", text).split())


def words(text: str) -> list[str]:
    """Lower-case words in order, names split, plurals cut, without numbers and stop words; CJK text as pairs of characters."""
    return [singular(word) for word in _spelt(text)]


def spellings(text: str) -> dict[str, str]:
    """Each of the `words` of a text as it is written there, in lower case, to be shown to people."""
    return {singular(word): word for word in _spelt(text)}


def _spelt(text: str) -> list[str]:
    found: list[str] = []
    for token in _TOKEN.findall(text):
        if token[0] >= "\u3040" and re.match(f"[{_CJK}]", token):
            found += [token[i : i + 2] for i in range(max(1, len(token) - 1))]
        elif not token.isdigit():
            found += [word for part in split_name(token) if (word := part.lower()) not in _STOP and len(word) > 1]
    return found


@lru_cache(maxsize=65_536)
def singular(word: str) -> str:
    """A lower-case English word without its plural's end, as in Harman: How effective is suffixing? (JASIS 1991).

    What is no plural and is cut all the same ("kubernete") is cut in questions and in documents.
    """
    if len(word) <= 3 or not word.endswith("s") or word.endswith(_NO_PLURAL):
        return word
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(_LONG_PLURAL) else word[:-1]


def split_name(name: str) -> list[str]:
    """`KubePodCrashLooping` and `kube_pod-crash.looping` are Kube, Pod, Crash, Looping in their own spelling."""
    return _CAMEL.findall(name) if name.isascii() else [name]


@lru_cache(maxsize=65_536)
def normal(name: str) -> str:
    """The same for every spelling of a name: lower case, no punctuation, no spaces."""
    return _NAME_CHARS.sub("", name.lower())
