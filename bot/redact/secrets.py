"""Secrets leave any text before it is kept, shown or prompted.

Three ways to know a secret: by its own shape (a vendor's prefix, a PEM block, a JWT), by its surroundings (a key called
password, a vendor's name, an Authorization header, a URL with a password) and a value that looks like no word, or by
being random beyond any name that people give.
Everything here runs in linear time: repetitions have upper bounds and alternatives do not overlap.
"""

import re
from collections.abc import Callable, Iterable
from itertools import compress

from bot.redact.randomness import HEX, entropy, is_random
from bot.redact.shapes import PUBLISHED, SHAPES
from bot.redact.vendors import HINTS as _VENDORS_HINTS
from bot.redact.vendors import squeeze, vendors_keys

SECRET = "[SECRET]"  # noqa: S105 - what stands in place of a secret

_SHAPE_HINTS = tuple(hint for hint, _ in SHAPES)
_SHAPES = tuple(re.compile(pattern) for _, pattern in SHAPES)
_SHORTEST_SHAPE = 19  # characters of the shortest one, sk_ and sixteen more; none has a blank in it
_SHORTEST_RANDOM = 32

_PEM_HEAD = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")
_PEM_TAIL = re.compile(r"-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----")

# user:password@ in any URL: postgres://, redis://, https://
_URL = re.compile(r"(?P<head>://[^\s:/@\"'<>|]{0,128}:)(?P<value>[^\s/@\"'<>|]{1,256})(?=@[\w.\[\]-])")
_SCHEME = re.compile(
    r"(?P<head>\b(?:bearer|basic|apikey|token)[ \t]{1,3})"
    r"(?P<value>[0-9A-Za-z._~+/=-]{8,4000})(?![^\s\"'`,;)\\<\]}&])",
    re.IGNORECASE,
)
# A signed address opens what it names for whoever has it: Azure's sig=, Amazon's X-Amz-Signature=, Google's X-Goog-Signature=
_SIGNED = re.compile(r"(?P<head>[?&](?:sig|x-(?:amz|goog)-signature)=)(?P<value>[\w%+/=-]{16,2000})", re.IGNORECASE)
_COOKIES = re.compile(r"\b(?:set-)?cookie[\"']?[ \t]{0,3}[:=][ \t]{0,3}[\"']?[\w.-]{1,64}=[^\r\n\"'<>]{1,4000}", re.IGNORECASE)
_COOKIE = re.compile(r"(?P<head>[\w.-]{1,64}=)(?P<value>[^\s;=\"'][^\s;\"']{7,4000})")
_CURL_USER = re.compile(
    r"(?P<head>(?:(?<=\s)-u|--user|--proxy-user)[ =]{0,2}[\"']?[\w.@%+\\-]{1,64}:[\"']?)"
    r"(?P<value>(?!//)[^\s\"']{3,256})"
)
_CREDENTIAL_WORD = (
    r"passwords?|passwd|passphrase|pwd|secrets?|tokens?|api[_. -]?keys?|access[_. -]?keys?|accesskey(?:id)?|"
    r"accessid|access[_.-]id|"
    r"auth[_.-]?keys?|private[_. -]?keys?|signing[_. -]?keys?|encryption[_. -]?keys?|"
    r"client[_. -]?secret|credentials?|"
    r"account[_.-]?key|shared[_.-]?access[_.-]?key|user_auth|authorization|sonar[._-]?login"
)
_ASSIGNED = re.compile(
    r"(?P<head>(?P<name>" + _CREDENTIAL_WORD + r")(?P<rest>[\w.-]{0,40})\\{0,2}[\"'`\])]{0,2}[ \t]{0,12}"
    r"(?:=>|::?=|\?=|::=|=|:|,|\|\||>)[ \t]{0,12}(?:\\{0,2}[\"'`]){0,2}(?:[A-Za-z]{0,8}\([\"'])?)"
    r"(?P<value>[^\s\"'`<>,;\\]{6,1000})",
    re.IGNORECASE,
)
_BUNDLER = re.compile(  # Ruby's bundler keeps "user:password" of a gem server so
    r"(?P<head>\bBUNDLE_[A-Z0-9_]{3,80}__[A-Z]{2,12}[\"' \t]{0,4}[=:][\"' \t]{0,4}[\w.%-]{1,64}:)"
    r"(?P<value>[\w.%-]{3,128})"
)
_ARGUMENT = re.compile(
    r"(?P<head>(?<!\w)--?(?:[a-z]{1,16}-){0,2}(?:password|passwd|passphrase|token|secret|api-?key)[ =][\"']?)"
    r"(?P<value>[^\s\"']{6,512})",
    re.IGNORECASE,
)
# mysql -pX, sshpass -p X, docker login -p X, redis-cli -a X, ldapsearch -w X
_SHORT_OPTION = re.compile(
    r"(?P<head>\b(?:(?:mysql(?:dump|admin|import|show)?|mariadb(?:-dump|-admin)?|mongosh?|mongodump)\b[^\r\n|;&]{0,160}?[ \t]-p|"
    r"sshpass[ \t]{1,3}-p[ \t]{0,3}|(?:docker|podman|helm|oc|az)\b[^\r\n|;&]{0,40}?\blogin\b[^\r\n|;&]{0,160}?[ \t]-p[ \t]{1,3}|"
    r"redis-cli\b[^\r\n|;&]{0,160}?[ \t]-a[ \t]{1,3}|"
    r"ldap(?:search|modify|add|whoami|passwd)\b[^\r\n|;&]{0,160}?[ \t]-w[ \t]{1,3})"
    r"[\"']?)(?P<value>[^\s\"']{3,256})"
)
_DIGEST = re.compile(r"(?P<head>\bresponse=[\"']?)(?P<value>[0-9a-f]{32,128})\b", re.IGNORECASE)
# A value of a key or in quotes; one that stands alone is shorter than the lines of certificates
_RANDOM = re.compile(
    r"(?:(?:(?<=[\"'`=:,(\[{>])|(?<=[=:][ ]))[0-9A-Za-z+/]{32,128}={0,2}|(?<!\S)[0-9A-Za-z]{32,60})(?![^\s\"'`,;)\]}<\\])"
)
_NAME_OF_RANDOM = re.compile(
    r"(?:id|etag|digest|checksum|hash|sha\d*|md5|integrity|signature|nonce|cursor|fingerprint|revision|version|commit)"
    r"[\"'`]?[ \t]{0,3}[:=][ \t\"'`]{0,3}$",
    re.IGNORECASE,
)
_PLAIN_NAMES = ("passw", "passphrase", "pwd")
_NOT_THE_VALUE = re.compile(
    r"^[_.-]?(?:name|names|id|ids|url|uri|file|path|ref|type|count|size|length|max|min|limit|limits|expir\w*|ttl|age|version|format|"
    r"header|field|arn|policy|policies|manager|store|provider|hash_?alg\w*|class|pattern|regex|usage|used|_total|total|bucket|"
    r"seconds|secs?|issuer|endpoint|s?_per_\w+|vault_name|mount|key_?ref|required|enabled|rotation|count\w*|handler|service|cache\w*)s?$",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(
    r"\$[\w({]|\{\{|\{[\w.]{1,40}\}|%[({]|x{5,}|\*{3,}|\.{3}|<[^>]{1,60}>|your[_-]|here$|[_-]here\b|example|placeholder|change[-_]?me|"
    r"redacted|\[secret\]|dummy|^(?:null|none|true|false|undefined|secret|password|token|username|userpass|pass|string)$|"
    r"^(?:os|self|this|process|env|config|settings|args|var|local|data|module|secrets|vault|params?|request|ctx|cls|app)[.\[]",
    re.IGNORECASE,
)
_SAID_OF_PASSWORDS = re.compile(
    r"requir|incorrect|wrong|invalid|expir|missing|mismatch|accept|reject|chang|disabl|enabl|authenticat|fail|reset|forgot|empty|"
    r"policy|protect|prompt|manager|rotat|updat|need|allow|forbid|unknown|default|encrypt|provided|hidden|masked|secret|correct$|"
    r"(?:^|[_.-])(?:from|for|the|not|is|in|of|with|was|and)(?:[_.-]|$)",
    re.IGNORECASE,
)
_WORDLIKE = re.compile(r"(?:[A-Z]?[a-z]+|[A-Z]+)(?:[ _./:@-](?:[A-Z]?[a-z]+|[A-Z]+|[0-9]{1,4}))*")
_CALL = re.compile(r"[A-Za-z_][\w.]*\(")
_KUBERNETES_NAME = re.compile(r"[a-z][a-z0-9]*(?:-[a-z0-9]+)+")
_NUMBER = re.compile(r"-?\d+(?:[.:]\d+)*(?:ms|s|m|h|d|%|[KMGT]i?B?)?")
_LINK = re.compile(r"https?://|/|\./|~/|[A-Za-z]:\\")


def redact(text: str) -> str:
    """The same text with every secret replaced by [SECRET]; names of keys, users and hosts stay readable."""
    if not text or _is_dull(text):
        return text
    text = _without_pem(text)
    long = [word for word in text.split() if len(word) >= _SHORTEST_SHAPE]
    if long:
        text = _without_shapes(text, " ".join(long).lower())
    text = vendors_keys(text, SECRET)
    low = _folded(text)
    for hints, pattern, replacement in _BY_SURROUNDINGS:
        if any(map(low.__contains__, hints)):
            before, text = text, pattern.sub(replacement, text)
            low = low if text == before else _folded(text)
    if any(len(word) >= _SHORTEST_RANDOM for word in long):
        text = _RANDOM.sub(_unless_named, text)
    return text


_dull: set[bytes] = set()
_MOST_DULL = 20_000
_ALIKE = bytes.maketrans(b"123456789", b"0" * 9)


def _is_dull(text: str) -> bool:
    """There is no sign of a secret in it, which most texts show by words that were looked at before.

    No hint has a blank in it, so that words tell all there is. Numbers are all alike, in hints too: more looks like a sign.
    """
    words = set(text.encode("utf-8", "surrogatepass").translate(_ALIKE).split()) - _dull
    if words:
        low = _said(words)
        long = _said([word for word in words if len(word) >= _SHORTEST_SHAPE])
        if _holds(low, _SURROUNDING_HINTS) or _holds(squeeze(low), _VENDORS_HINTS) or (long and _holds(long, _LONG_HINTS)):
            return False
        if max(map(len, words)) >= _SHORTEST_RANDOM:
            return False
        if len(_dull) > _MOST_DULL:
            _dull.clear()
        _dull.update(words)
    return "PRIVATE KEY" not in text


def _said(words: Iterable[bytes]) -> str:
    return _folded(b" ".join(words).decode("utf-8", "surrogatepass"))


def _holds(low: str, hints: Iterable[str]) -> bool:
    return any(map(low.__contains__, hints))


def _folded(text: str) -> str:
    """In lower case, so that a hint is found wherever a pattern that ignores case could begin."""
    low = text.lower()
    return low if low.isascii() else low.replace("\u0131", "i").replace("i\u0307", "i").replace("\u017f", "s")


def _without_shapes(text: str, long: str) -> str:
    """`long` are the words that are long enough for a shape, in lower case."""
    for pattern in compress(_SHAPES, map(long.__contains__, _SHAPE_HINTS)):
        text = pattern.sub(_unless_placeholder, text)
    return text


def _without_pem(text: str) -> str:
    """Private keys are gone; a key that was cut off is gone up to its end."""
    if "PRIVATE KEY" not in text:
        return text
    kept: list[str] = []
    at = 0
    while head := _PEM_HEAD.search(text, at):
        tail = _PEM_TAIL.search(text, head.end())
        end = tail.end() if tail else len(text)
        body = text[head.end() : tail.start() if tail else end]
        kept += (text[at : head.start()], SECRET if len(body.strip()) >= 20 else text[head.start() : end])
        at = end
    return "".join(kept) + text[at:]


def _unless_placeholder(match: re.Match[str]) -> str:
    value = match.group()
    body = value[6:] if len(value) > 12 else value
    return value if value in PUBLISHED or _PLACEHOLDER.search(body) or len(set(body.lower())) < 5 else SECRET


def _replacing(is_secret: Callable[[str], bool]) -> Callable[[re.Match[str]], str]:
    def replacement(match: re.Match[str]) -> str:
        return match["head"] + SECRET if is_secret(match["value"]) else match.group()

    return replacement


def _url_password(value: str) -> bool:
    return not _PLACEHOLDER.search(value) or value.lower() in ("password", "secret", "pass")


def _header_value(value: str) -> bool:
    return not _PLACEHOLDER.search(value) and entropy(value) >= 2.8 and not _WORDLIKE.fullmatch(value.rstrip(".:"))


def _cookie(value: str) -> bool:
    return len(value) >= 16 and _header_value(value)


def _typed_password(value: str) -> bool:
    if _PLACEHOLDER.search(value) and not re.search(r"[0-9].*\$\d", value):
        return False
    return not _WORDLIKE.fullmatch(value) and value[0] not in "[<("


def _option_value(value: str) -> bool:
    return not _PLACEHOLDER.search(value) and not _NUMBER.fullmatch(value)


def _assigned(match: re.Match[str]) -> str:
    name, rest, value = match["name"].lower(), match["rest"], match["value"].rstrip(").]}&")
    plain = name.startswith(_PLAIN_NAMES)
    cut_off = "..." in match["value"] or "\u2026" in match["value"]
    named = name == "secrets" and _KUBERNETES_NAME.fullmatch(value)  # "Image pull secrets: default-dockercfg-6wl6b"
    if _NOT_THE_VALUE.match(rest) or cut_off or named or value in PUBLISHED:
        return match.group()
    if not _looks_secret(value, plain=plain) and not (plain and not rest and _word_as_password(match, value)):
        return match.group()
    return match["head"] + SECRET + match["value"][len(value) :]


def _word_as_password(match: re.Match[str], value: str) -> bool:
    """A password of letters alone, as far as it can be told from a sentence about passwords.

    It is the whole value (nothing follows on the line but a quote, comma or the next parameter) and no word that is said of
    passwords.
    """
    if match["head"].rstrip(" \t\\\"'`")[-1:] not in "=:" or not _WORDLIKE.fullmatch(value) or len(value) < 8:
        return False
    if _PLACEHOLDER.search(value) or _SAID_OF_PASSWORDS.search(value):
        return False
    after = match.string[match.end() - len(match["value"]) + len(value) :][:1]
    follows = match.string[match.end() : match.end() + 2]
    return (
        after in ("&", ";", ",", '"', "'", "`", "")
        or follows[:1] in ("\n", "\r", "&", ";", ",", '"', "'", "`", "")
        or (match["head"].endswith("="))
    )


def _unless_named(match: re.Match[str]) -> str:
    value = match.group()
    if value in PUBLISHED or _PLACEHOLDER.search(value) or not is_random(value):
        return value
    before = match.string[max(0, match.start() - 40) : match.start()]
    return value if _NAME_OF_RANDOM.search(before) else SECRET


def _looks_secret(value: str, *, plain: bool) -> bool:
    """The value of a credential key is a secret unless it is a placeholder, number, path, code or words.

    `plain`: people choose passwords themselves, so that fewer signs are enough.
    """
    if len(value) < 6 or _PLACEHOLDER.search(value) or _NUMBER.fullmatch(value) or _LINK.match(value):
        return False
    if _CALL.match(value) or value[0] in "[({*" or len(set(value)) < 4:
        return False
    if _WORDLIKE.fullmatch(value):
        return False
    if plain:
        return True
    if HEX.fullmatch(value):
        return entropy(value) >= 2.5
    if len(value) < 10:
        return False
    digits = any(ch.isdigit() for ch in value)
    mixed = value.lower() != value and value.upper() != value
    return entropy(value) >= (3.0 if digits else 3.6 if mixed else 4.0)


# What must occur in the text, in lower case, for the pattern to be worth a look; most texts hold none of it.
_BY_SURROUNDINGS: tuple[tuple[tuple[str, ...], re.Pattern[str], Callable[[re.Match[str]], str]], ...] = (
    (("@",), _URL, _replacing(_url_password)),
    (("bearer", "basic", "apikey", "token"), _SCHEME, _replacing(_header_value)),
    (("sig=", "signature="), _SIGNED, _replacing(_header_value)),
    (("cookie",), _COOKIES, lambda match: _COOKIE.sub(_replacing(_cookie), match.group())),
    (("-u",), _CURL_USER, _replacing(_typed_password)),
    (("bundle_",), _BUNDLER, _replacing(_url_password)),
    (("passw", "passphrase", "token", "secret", "key"), _ARGUMENT, _replacing(_typed_password)),
    (("mysql", "mariadb", "mongo", "sshpass", "login", "redis-cli", "ldap"), _SHORT_OPTION, _replacing(_option_value)),
    (("digest",), _DIGEST, _replacing(_header_value)),
    (
        ("passw", "passphrase", "pwd", "secret", "token", "key", "access", "auth", "credential", "sonar"),
        _ASSIGNED,
        _assigned,
    ),
)

_SURROUNDING_HINTS = tuple(dict.fromkeys(hint for hints, _, _ in _BY_SURROUNDINGS for hint in hints))
_LONG_HINTS = tuple(dict.fromkeys(hint.encode().translate(_ALIKE).decode() for hint in _SHAPE_HINTS))
