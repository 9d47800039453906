"""What comes in by HTTP: a delivery, what it is parsed into, and what a webhook can do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

from pydantic import BaseModel, ConfigDict, SecretStr

from bot.domain.alert import Alert
from bot.domain.change import Change
from bot.domain.handling import Handling
from bot.domain.ticket import Ticket


@dataclass(frozen=True, slots=True)
class Delivery:
    """One webhook request as it came in; header names in lower case, `body` raw."""

    connector: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ignored:
    """An event that the bot has no use for, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Noted(Ignored):
    """No change of its own, but a remark on one: the result of a check, kept as the build that it is beside its commit."""

    build: Change


@dataclass(frozen=True, slots=True)
class Claimed(Ignored):
    """News of what carries the key of a page of ours, which anybody may write there: `alert`, unless we did send that page."""

    key: str
    alert: Alert


@dataclass(frozen=True, slots=True)
class Proposed(Ignored):
    """Nothing that happened to anything that runs: somebody wants to merge the commits after `base` up to `head`."""

    connector: str
    repository: str
    number: int
    base: str
    head: str
    title: str = ""
    url: str = ""


Event = Alert | Change | Handling | Ticket | Ignored
Parsed = tuple[Event, ...]


class WebhookSettings(BaseModel):
    """What every webhook connector can be told; `previous_secret` stays valid during a rotation."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    secret: SecretStr | None = None
    previous_secret: SecretStr | None = None
    allow_unsigned: bool = False

    @property
    def secrets(self) -> tuple[str, ...]:
        """The live secrets, the current one first."""
        return tuple(s.get_secret_value() for s in (self.secret, self.previous_secret) if s is not None)


class Webhook(Protocol):
    """Alerts or changes that a vendor sends."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the delivery proves that it knows one of the secrets."""

    def delivery_id(self, delivery: Delivery) -> str:
        """The vendor's own id of this delivery, or "" where the vendor has none."""

    def parse(self, delivery: Delivery) -> Parsed:
        """The delivery in our words; pure. Raise BadPayload naming the path if it is not what the vendor documents."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a vendor is answered that asks something of us before it trusts us; a body is JSON or plain text."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@runtime_checkable
class Greets(Protocol):
    """A webhook that a vendor shakes hands with first, or whose proof has to be fetched before it can be checked."""

    async def greet(self, method: str, delivery: Delivery, secrets: Sequence[str]) -> Reply | None:
        """Called before `verify`, for POST and OPTIONS (which is never kept): the whole answer, or None to go on as usual.

        `secrets` is empty where nothing proves a delivery. Raises BadSignature, BadPayload, or Unavailable if the vendor
        could not be asked: it is told to send again.
        """


@runtime_checkable
class Explains(Protocol):
    """A webhook that can tell how it reads a payload, which a mapping in the settings decides."""

    def explain(self, delivery: Delivery) -> Iterator[str]:
        """Each field, where it was looked for and what was found, one line each. Raise BadPayload like parse."""
