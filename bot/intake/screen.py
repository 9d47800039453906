"""Checks of a raw body that cost almost nothing, before it is kept: it is text, and nothing in it is made to choke a parser."""

import re
from itertools import accumulate

DEEPEST = 64
BEGINNING = 4096  # bytes
LONGEST_NUMBER = 400  # digits; the largest number of a double has 309
MOST_MEMBERS = 80_000  # of all objects together; two thousand alerts of Alertmanager have 50,000
MOST_OBJECTS = 20_000  # the same two thousand are 6,000; each empty one would cost a whole alert's work
MOST_LISTED = 100_000  # values that have no name, or commas in texts

# What is left of a string, closed or running to the end, once nothing but quotes and brackets is.
_STRING = re.compile(rb'"[^"]*+(?:"|\Z)')
_DIGITS = bytes.maketrans(b"123456789", b"000000000")
_ENDLESS = b"0" * (LONGEST_NUMBER + 1)
_STEP = 50  # every so manieth byte of an endless number is a digit too
_SUSPECT = b"0" * (LONGEST_NUMBER // _STEP)
_ONE_KIND = bytes.maketrans(b"{}", b"[]")
_NOT_STRUCTURE = bytes(b for b in range(256) if b not in b'[]{}"')


def fault(body: bytes) -> str:
    """Why a body cannot be anything that a parser should see; "" if it may be."""
    if not body:
        return "The body is empty."
    if not body.isascii():
        try:
            body.decode("utf-8")
        except UnicodeDecodeError as error:
            return f"The body is not UTF-8 text (byte {error.start})."
    if too_deep(body):
        return f"The body is nested deeper than {DEEPEST} levels."
    if _SUSPECT in body[::_STEP].translate(_DIGITS) and _ENDLESS in body.translate(_DIGITS):
        return f"The body holds a number of more than {LONGEST_NUMBER} digits."
    return _too_many(body) if len(body) > 4 * MOST_OBJECTS else ""


def _too_many(body: bytes) -> str:
    """Marks within strings count too: that is cheap, and texts have far fewer."""
    if body.count(b"{") > MOST_OBJECTS:
        return f"The body holds more than {MOST_OBJECTS} objects; send fewer at a time."
    names = body.count(b":")
    if names > MOST_MEMBERS:
        return f"The body holds more than {MOST_MEMBERS} names."
    if body.count(b",") - names > MOST_LISTED:
        return f"The body lists more than {MOST_LISTED} values; send fewer at a time."
    return ""


def too_deep(body: bytes) -> bool:
    """Brackets outside of strings nest deeper than `DEEPEST`. A few passes over the bytes, whatever they are."""
    if len(body) <= BEGINNING and body.count(b"[") + body.count(b"{") <= DEEPEST:
        return False
    return _deep(body[:BEGINNING]) or (len(body) > BEGINNING and _deep(body))  # who nests to harm does so from the start


def _deep(body: bytes) -> bool:
    if b"\\" in body:  # an escape ends no string; outside of strings there is none in what a parser reads to its end
        body = body.replace(rb"\\", b"").replace(rb"\"", b"")
    quoted = body.translate(_ONE_KIND, _NOT_STRUCTURE).replace(b'""', b"")  # who stood in a string or not still does
    brackets = _STRING.sub(b"", quoted)
    # "[" is 91 and "]" is 93, so 92 less the byte is one level down or up.
    return max(accumulate(map((92).__sub__, brackets)), default=0) > DEEPEST
