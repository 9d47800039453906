"""Where personal data stands in a text, by rules alone.

Private, loopback, link-local and documentation addresses are infrastructure and stay readable, for a diagnosis needs them;
public ones may be a customer's (known public resolvers aside). So do addresses with @ that name no person: git@, hosts of a
cluster. Numbers count as cards or accounts only if their check digits hold.
"""

import ipaddress
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from bot.redact.addresses import addresses
from bot.redact.people import people


@dataclass(frozen=True, slots=True)
class Finding:
    """Personal data at text[start:end]; `kind` is the word of its token, one of KINDS."""

    start: int
    end: int
    kind: str


KINDS = ("EMAIL", "PERSON", "PHONE", "ADDRESS", "CARD", "IBAN", "SSN", "LICENCE", "BIRTH", "IP", "USER")

_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w@-])")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){11,18}(?![\w-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?!\w)")
_SSN = re.compile(r"(?<![\w.-])(?!000|666)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-]|\.\w)")
_DIGITS = r"\(?\d{1,4}\)?(?:[ .-]?\(?\d{1,5}\)?){1,6}(?:[ ]?(?:x|ext\.?)[ ]?\d{1,5})?"
_PHONE = re.compile(
    rf"(?<![\w.+:/-])\+\d{{1,3}}[ .-]?{_DIGITS}(?![\w-]|\.\d)|(?<![\w.+:/-])00\d{{1,3}}[ -]{_DIGITS}(?![\w-]|\.\d)"
)
_AMERICAN_PHONE = re.compile(
    r"(?<![\w.+:/-])(?:\(\d{3}\) ?\d{3}[ .-]?\d{4}|(\d{3})([ .-])\d{3}\2\d{4})(?:x\d{1,5})?(?![\w-]|\.\d)"
)
_CALLED = re.compile(
    r"(?i:\b(?:phone|telephone|tel|mobile|cell|fax|desk|office|whatsapp|sms|call(?: me| us| her| him)?(?: back)?(?: on| at)?|"
    r"reach me (?:on|at)|dial)\b)(?: number| no\.?)?(?: is)?[:.]?\s{1,4}"
    rf"(?P<phone>\+?{_DIGITS})(?![\w-]|\.\d)"
)
_SAID_AFTER = re.compile(rf"(?<![\w.+:/-])(?P<phone>\+?{_DIGITS})(?= ?-?(?:office|fax|mobile|cell|desk|home)\b)", re.IGNORECASE)
_IPV4 = re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_USER = re.compile(r"<@[UW][A-Z0-9]{5,20}(?:\|[^<>\n]{1,80})?>")
_LICENCE = re.compile(
    r"(?i:\b(?:driver'?s?|driving) licen[cs]e(?: number| no\.?)?(?: is|:)?|\blicen[cs]e plate(?: number| no\.?)?(?: is|:)?)[ ]"
    r"(?P<number>[A-Z0-9](?:[ -]?[A-Z0-9]){3,18})(?!\w)"
)
_BIRTH = re.compile(
    r"(?i:\b(?:born(?: on)?|date of birth|dob|birth ?da(?:y|te))(?: is| was)?[\"']?[:=]?)[ \"']{1,3}"
    r"(?P<date>\d{1,4}[./-]\d{1,2}[./-]\d{1,4}|\d{1,2}(?:st|nd|rd|th)?\.? [A-Z][a-z]{2,8},? \d{4}|"
    r"[A-Z][a-z]{2,8} \d{1,2}(?:st|nd|rd|th)?,? \d{4})"
)


def find(text: str) -> list[Finding]:
    """What is personal in the text, in its order, none overlapping another."""
    taken: list[Finding] = []
    for finding in sorted(_all(text), key=lambda f: (f.start, -f.end)):
        if not taken or finding.start >= taken[-1].end:
            taken.append(finding)
    return taken


def _all(text: str) -> Iterator[Finding]:
    for pattern, group, kind, holds in _RULES:
        for match in pattern.finditer(text):
            if holds is None or holds(match[group]):
                yield Finding(*match.span(group), kind)
    for start, end in addresses(text):
        yield Finding(start, end, "ADDRESS")
    for start, end in people(text):
        yield Finding(start, end, "PERSON")


_NOBODY = ("git@", "rabbit@", "noreply@", "no-reply@", "root@", "postgres@", "daemon@")
_RESOLVERS = frozenset(("1.1.1.1", "1.0.0.1", "8.8.8.8", "8.8.4.4", "9.9.9.9"))


def _somebodys(address: str) -> bool:
    low = address.lower()
    return not low.startswith(_NOBODY) and not low.endswith((".local", ".internal", ".amazonaws", ".svc", ".cluster"))


def _luhn(value: str) -> bool:
    digits = [int(ch) for ch in value if ch.isdigit()]
    if digits[0] in (0, 1, 7, 8, 9) and digits[:4] != [1, 8, 0, 0]:
        return False  # no card begins so, but times since 1970 do
    doubled = (sum(divmod(2 * d, 10)) if n % 2 else d for n, d in enumerate(reversed(digits)))
    return 12 <= len(digits) <= 19 and len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _iban(value: str) -> bool:
    """ISO 13616: the check digits make the rearranged number 1 modulo 97."""
    plain = value.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(ch, 36)) for ch in plain[4:] + plain[:4])) % 97 == 1


def _phone(value: str) -> bool:
    return 7 <= sum(ch.isdigit() for ch in value) <= 15


def _public(value: str) -> bool:
    try:
        return value not in _RESOLVERS and ipaddress.ip_address(value).is_global
    except ValueError:
        return False


_RULES: tuple[tuple[re.Pattern[str], int | str, str, Callable[[str], bool] | None], ...] = (
    (_EMAIL, 0, "EMAIL", _somebodys),
    (_USER, 0, "USER", None),
    (_IBAN, 0, "IBAN", _iban),
    (_CARD, 0, "CARD", _luhn),
    (_SSN, 0, "SSN", None),
    (_LICENCE, "number", "LICENCE", None),
    (_BIRTH, "date", "BIRTH", None),
    (_PHONE, 0, "PHONE", _phone),
    (_AMERICAN_PHONE, 0, "PHONE", None),
    (_CALLED, "phone", "PHONE", _phone),
    (_SAID_AFTER, "phone", "PHONE", _phone),
    (_IPV4, 0, "IP", _public),
    (_IPV6, 0, "IP", _public),
)
