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
