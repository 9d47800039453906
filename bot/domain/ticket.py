"""A ticket in a tracker: a report of a user, or the paper trail of an incident."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class TicketStatus(StrEnum):
    """Where a ticket is, in three words that every tracker has."""

    OPEN = "open"
    IN_PROGRESS = "in progress"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a tracker told of one ticket: that it was opened, moved or commented on.

    `ref` is the tracker's own id for people ("OPS-12", "acme/shop#7", "INC0012"); `services` are the words that may name
    one (components, labels). `comment` is set where the news is a comment.
    """

    connector: str
    ref: str
    title: str
    status: TicketStatus
    at: datetime
    opened_at: datetime | None = None
    services: tuple[str, ...] = ()
    text: str = ""
    author: str = ""
    url: str = ""
    comment: str = ""
    commented_by: str = ""
    comment_ref: str = ""
