"""What people did about an alert or an incident in a vendor's own tool, or did here and the vendor should know."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Deed(StrEnum):
    """What was done."""

    ACKNOWLEDGED = "acknowledged"
    UNACKNOWLEDGED = "unacknowledged"
    RESOLVED = "resolved"
    REOPENED = "reopened"
    SILENCED = "silenced"
    UNSILENCED = "unsilenced"


PAGE = "tocsin:"  # how the keys of our own pages begin, so that a pager's news of them is never taken for an alert


def page_key(incident_id: str, target: str) -> str:
    """The idempotency key of a page: the same for one incident and one whom it wakes."""
    return f"{PAGE}{incident_id}:{target}"


def incident_of(key: str) -> str:
    """The incident that a page of ours is about, "" for a key that is none of ours."""
    return key.removeprefix(PAGE).partition(":")[0] if key.startswith(PAGE) else ""


@dataclass(frozen=True, slots=True)
class Handling:
    """Somebody handled something at a vendor.

    `ref` is the vendor's id of it (`Alert.ref` of the same connector); `key` is ours, of a page that we sent ("" if it is
    none of ours). `by` is a name or an e-mail address for people. `until` is the end of a silence.
    """

    connector: str
    deed: Deed
    at: datetime
    ref: str = ""
    key: str = ""
    by: str = ""
    note: str = ""
    until: datetime | None = None
