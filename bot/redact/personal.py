"""Where personal data stands in a text, by rules alone.

Private, loopback and link-local addresses are infrastructure and stay readable; public ones may be a customer's.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """Personal data at text[start:end]; `kind` is the word of its token: EMAIL, PHONE, CARD, IBAN, SSN, IP."""

    start: int
    end: int
    kind: str


_EMAIL = re.compile(r"(?<![\w.%+-])[\w.%+-]{1,64}@(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![\w@-])")
_CARD = re.compile(r"(?<![\w.-])\d(?:[ -]?\d){11,18}(?![\w-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?!\w)")
_SSN = re.compile(r"(?<![\w.-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w.-])")
_PHONE = re.compile(r"(?<![\w.+-])\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){1,4}(?![\w-])")
_IPV4 = re.compile(r"(?<![\w.-])\d{1,3}(?:\.\d{1,3}){3}(?![\w-]|\.\d)")
_IPV6 = re.compile(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")


def find(text: str) -> list[Finding]:
    """What is personal in the text, in its order, none overlapping another."""
    taken: list[Finding] = []
    for finding in sorted(_all(text), key=lambda f: (f.start, -f.end)):
        if not taken or finding.start >= taken[-1].end:
            taken.append(finding)
    return taken


def _all(text: str) -> Iterator[Finding]:
    for pattern, kind, holds in (
        (_EMAIL, "EMAIL", None),
        (_IBAN, "IBAN", _iban),
        (_CARD, "CARD", _luhn),
        (_SSN, "SSN", None),
        (_PHONE, "PHONE", None),
        (_IPV4, "IP", _public),
        (_IPV6, "IP", _public),
    ):
        for match in pattern.finditer(text):
            if holds is None or holds(match.group()):
                yield Finding(match.start(), match.end(), kind)


def _luhn(value: str) -> bool:
    digits = [int(ch) for ch in value if ch.isdigit()]
    doubled = (sum(divmod(2 * d, 10)) if n % 2 else d for n, d in enumerate(reversed(digits)))
    return 12 <= len(digits) <= 19 and len(set(digits)) > 1 and sum(doubled) % 10 == 0


def _iban(value: str) -> bool:
    """ISO 13616: the check digits make the rearranged number 1 modulo 97."""
    plain = value.replace(" ", "")
    return 15 <= len(plain) <= 34 and int("".join(str(int(ch, 36)) for ch in plain[4:] + plain[:4])) % 97 == 1


def _public(value: str) -> bool:
    try:
        return ipaddress.ip_address(value).is_global
    except ValueError:
        return False
