"""Postal addresses in a text: streets with their numbers, in the forms of several countries, and what belongs to them."""

import re
from collections.abc import Iterator

_UP = "[^\\W\\d_a-zß-öø-ÿ]"
_WORD = rf"{_UP}[^\W\d_]{{1,24}}[.'’-]?"
_NUMBER = r"\d{1,5}(?:[ ]?[A-Za-z](?![\w]))?"
_AMERICAN = (
    r"(?:Street|St|Avenue|Ave|Road|Rd|Lane|Ln|Drive|Boulevard|Blvd|Court|Square|Sq|Way|Terrace|Highway|Hwy|Parkway|Pkwy|Crescent|Cres|"
    r"Close|Grove|Gardens|Hill|Trail|Circle|Row|Alley|Esplanade|Mews)"
)
_FRONT = (
    r"(?:[Rr]ua|[Rr]ue|Via|Viale|[Cc]alle|C/|[Aa]venida|[Aa]vda\.?|[Pp]iazza|[Pp]laza|[Pp]raça|[Uu]l\.|[Uu]lica|[Ss]trada|[Cc]orso|"
    r"[Tt]ravessa|[Cc]hemin|[Qq]uai|[Bb]oulevard|[Aa]venue|[Kk]arl-|[Cc]arrer|[Bb]ulevar|Πλατεία)"
)
_BACK = (
    r"(?:stra(?:ss|ß)e|strasse|str\.?|gasse|weg|platz|allee|ring|damm|ufer|gatan|gata|vägen|väg|gränd|vej|veien|vegen|gade|gate|katu|kuja|tie|polku|"
    r"straat|laan|plein|dijk|utca|útja|ulice|nám[ěe]stí|braut|vegur|stígur|tänav)"
)
_ARTICLE = r"d[aeiou]s?|del|della|delle|des|du|la|le|los|las|e"
_START = r"(?<![\w.:/-])"
_MONTHS = "Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec"
_PATTERNS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_START}{_NUMBER}(?:[ ]{_WORD}){{1,4}}[ ]{_AMERICAN}\b\.?",
        rf"{_START}{_FRONT}(?:[ ](?:{_ARTICLE}|{_WORD}|\w{{1,9}}'\w{{1,20}}|\w{{3,14}})){{1,5}}[ ,]{{1,2}}\d{{1,5}}\b",
        rf"{_START}\d{{1,5}}[ ]{_FRONT}(?:[ ](?:{_ARTICLE}|{_WORD}|\w{{1,9}}'\w{{1,20}})){{1,5}}",
        rf"{_START}[^\W\d_][^\W\d_]{{2,24}}{_BACK}[ ]\d{{1,4}}\b",
        rf"{_START}{_WORD}(?:[ ]{_WORD})?[ ](?:tér|{_BACK}|út|u\.|tn|köz)[ ]\d{{1,4}}\.?",
        r"\b(?:[Ss]uite|[Ff]lat|[Aa]pt\.?|[Aa]partment)[ ]#?\d{1,5}\b",
        r"\b(?:PSC|[Uu]nit|CMR)[ ]\d{1,5},?[ ]Box[ ]\d{1,5}\b|\bP\.? ?O\.?[ ]?Box[ ]\d{1,6}\b",
        r"\b[AFD]PO[ ]A[AEP][ ]\d{5}\b",
        # four or five digits, a name and a number: only addresses look so, dates are excluded
        rf"{_START}(?!(?:19|20)\d\d )\d{{4,5}}[ ](?!{_MONTHS})(?:{_WORD}[ ]){{1,3}}\d{{1,4}}\b(?![:.]\d)",
    )
)
_HOUSE = re.compile(r"(?<![\w.:/-])\d{1,5}(?:[ ]\d{1,4}[A-Za-z]?)?[ ]$")
_TOLD = re.compile(
    r"(?i:\b(?:lives?|lived|living|located|house is|meet me) (?:at|on)|\baddress(?: is|:| was))[ \n]{1,8}"
    rf"(?P<address>\d{{1,5}}(?:[ ,]{{1,2}}(?:\d{{1,5}}|{_WORD}|d[aeiou]|del|la|le|des)){{1,8}})"
)
_ZIP = re.compile(
    r"(?i:\b(?:zip(?:[ -]?code)?|postcode|postal code)(?: is|:)?)[ ]{1,2}(?P<zip>[A-Z0-9]{2,5}(?:[ -][A-Z0-9]{2,4})?)\b"
)


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """Where parts of postal addresses stand: start and end, overlaps possible."""
    for pattern in _PATTERNS:
        for match in pattern.finditer(text):
            before = max(0, match.start() - 12)
            house = _HOUSE.search(text[before : match.start()])
            yield before + house.start() if house else match.start(), match.end()
    for match in _TOLD.finditer(text):
        yield match.span("address")
    for match in _ZIP.finditer(text):
        if any(ch.isdigit() for ch in match["zip"]):
            yield match.span("zip")
