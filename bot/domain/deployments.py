"""What runs where, what was shipped, what can be ordered: what people are shown of deployments, ready to be read."""

from dataclasses import dataclass
from datetime import datetime

from bot.domain.action import Action, ActionKind, Claim
from bot.domain.change import Change
from bot.domain.incident import Incident


@dataclass(frozen=True, slots=True)
class Running:
    """What runs of a service in an environment, asked just now; `trouble` says why nobody knows."""

    service: str
    environment: str
    version: str = ""
    commit: str = ""
    since: datetime | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class StatusView:
    """The state of deployments: of one service, or of all that can be deployed.

    `held` are locks and freezes in words, `named` the Slack user ids in them; `under_way` are open actions with the address of
    their message, "" where it has none; `more` counts what there was no time to ask.
    """

    service: str
    running: tuple[Running, ...]
    held: tuple[str, ...]
    under_way: tuple[tuple[Action, str], ...]
    incidents: tuple[Incident, ...]
    as_of: datetime
    named: tuple[str, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """Something that was shipped, or was meant to be: an action of ours with the address of its message, or a change seen."""

    at: datetime
    action: Action | None = None
    change: Change | None = None
    link: str = ""


@dataclass(frozen=True, slots=True)
class HistoryView:
    """A page of what was shipped, newest first. `first` counts from 1; `older` and `newer` name the pages beside it."""

    title: str
    rows: tuple[Past, ...]
    first: int
    count: int
    as_of: datetime
    older: str = ""
    newer: str = ""
    cut: bool = False  # there is more than is counted


@dataclass(frozen=True, slots=True)
class Offer:
    """A version that can be chosen: when it last began to run or was told of, and whether it was healthy, as far as is known."""

    version: str
    at: datetime | None = None
    healthy: bool | None = None
    ran: bool = True  # in this environment; else it was told of as built, released or running elsewhere


@dataclass(frozen=True, slots=True)
class OrderForm:
    """What the form for a deploy or rollback offers; never a message.

    With `service` "" nothing is chosen yet. `versions` are newest first, empty where nobody could tell; `current` is the one
    that runs. `claims` are those that this person may make; `trouble` says why there are no services.
    """

    kind: ActionKind
    services: tuple[str, ...]
    environments: tuple[str, ...]
    environment: str
    service: str = ""
    versions: tuple[Offer, ...] = ()
    current: str = ""
    claims: tuple[Claim, ...] = ()
    trouble: str = ""
