"""A past incident whose confirmed cause names what a suspect turned: file, key, service. Modest points, never a proof."""

import re
from collections.abc import Sequence

from bot.domain.document import EVERYBODY, Found
from bot.domain.evidence import EvidenceKind, Fact
from bot.investigation.exhibits import Exhibits
from bot.investigation.foresight import PastCause, same_knobs
from bot.investigation.shipments import Shipment
from bot.investigation.wording import plain

KNOB, FILE, SERVICE = 1.0, 0.7, 0.3
RULE = "seen_before"
_SURE = frozenset({"same as", "like"})
_FILE = re.compile(r"[\w-]{3,}\.[A-Za-z]\w{0,5}$")  # says something: no README, no .env


def seen_before(shipment: Shipment, past: Sequence[Found], exhibits: Exhibits, facts: list[Fact]) -> None:
    """Points if people confirmed a cause like this for an incident like this; the past incident is cited."""
    best: tuple[float, str, Found] | None = None
    for found in past:
        points, why = _same(shipment, found) if _counts(found) else (0.0, "")
        if points > (best[0] if best else 0.0):
            best = (points, why, found)
    if best:
        points, why, found = best
        facts.append(Fact(f"{found.document.name} was caused by {why}", points, (cite_past(found, exhibits),), RULE))


def cite_past(found: Found, exhibits: Exhibits) -> str:
    """The evidence id of a past incident: one however often it was found, and for whatever likeness."""
    document = found.document
    known = (e for e in exhibits.all if e.kind is EvidenceKind.PAST and e.text.startswith(f"{document.name} "))
    if cited := next(known, None):
        return cited.id
    return exhibits.cite(
        EvidenceKind.PAST,
        f"{document.name} {document.title} ({found.likeness or 'like'} this: {told(found)})",
        "past incidents",
        link=document.link,
        trusted=document.trusted,
        only=document.only,
    )


def told(found: Found) -> str:
    """Why it is taken for similar."""
    return " and ".join(found.why[:3]) or found.tier.value


def _counts(found: Found) -> bool:
    """A person confirmed its cause, it is clearly like this one, and everybody may read of it."""
    document = found.document
    confirmed = bool(document.facts.get("confirmed_by")) and document.trusted
    return confirmed and found.likeness in _SURE and document.only == EVERYBODY


def _same(shipment: Shipment, found: Found) -> tuple[float, str]:
    document = found.document
    cause = f"{document.facts.get('cause', '')} {document.facts.get('change', '')}"
    known = PastCause(document.name, document.title, document.services, cause, document.link)
    knobs = same_knobs([shipment.commit], shipment.services, [known]) if shipment.commit else ()
    if knobs:
        return KNOB, f"the same knob: {plain(knobs[0].edit, 80)}"
    for path in shipment.text.files:
        file = path.rsplit("/", 1)[-1]
        if _FILE.match(file) and _names(file, cause):
            return FILE, f"a change of the same file, {plain(file, 60)}"
    service = next((s for s in shipment.services if _names(s, cause)), "")
    if service and found.likeness == "same as":
        return SERVICE, f"a change of {plain(service, 60)} too"
    return 0.0, ""


def _names(name: str, text: str) -> bool:
    return re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w-])", text, re.IGNORECASE) is not None
