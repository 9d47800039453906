"""A past incident in our own words, whether it was ours or comes from another tool, and the services around it then."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class PastIncident:
    """What is known of an incident that is over. `ref` is its id where it comes from, `origin` that place ("" for our own).

    Everything from another tool is untrusted text; what nobody wrote down is empty.
    """

    ref: str
    title: str
    origin: str = ""
    started: datetime | None = None
    resolved: datetime | None = None
    severity: str = ""
    services: tuple[str, ...] = ()
    alerts: tuple[str, ...] = ()
    symptoms: tuple[str, ...] = ()
    summary: str = ""
    cause: str = ""
    change: str = ""
    change_kind: str = ""  # as ChangeKind writes it: "deploy", "config"
    fix: str = ""
    link: str = ""
    text: str = ""  # Markdown: all else that was written
    confirmed_by: str = ""  # the person who named the cause, in this bot


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What lay around an incident while it happened; kept, because the catalogue goes on changing."""

    neighbours: tuple[str, ...] = ()  # services one hop from those of the incident
    change_kind: str = ""
    link: str = ""  # to its thread
