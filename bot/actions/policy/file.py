"""`policies.yaml` as people write it, validated with line numbers."""

from datetime import datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bot.actions.policy.windows import Dated, Weekly, dated_of, over_at, weekly_of
from bot.domain.action import ActionKind, Risk
from bot.domain.service import Service

ANYONE = "anyone"
EVERYTHING = "*"
PRODUCTION = "production"
BOTH = (ActionKind.DEPLOY, ActionKind.ROLLBACK)


class _Scope(BaseModel):
    """What a rule or a freeze speaks about; everything that is given must match."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=80)
    actions: tuple[ActionKind, ...] = BOTH
    environments: tuple[str, ...] = (EVERYTHING,)
    services: tuple[str, ...] = (EVERYTHING,)
    owners: tuple[str, ...] = (EVERYTHING,)
    tiers: tuple[int, ...] = ()

    def covers(self, kind: ActionKind, service: Service, environment: str) -> bool:
        """It speaks about such an action."""
        return not self.misses(kind, service, environment)

    def misses(self, kind: ActionKind, service: Service, environment: str) -> str:
        """What else it speaks about, for people; "" if it speaks about such an action."""
        if kind not in self.actions:
            return f"it is about {' and '.join(self.actions)}"
        if not _named(environment, self.environments):
            return f"it is about {', '.join(self.environments)}"
        if not _named(service.name, self.services):
            return f"it is about {', '.join(self.services)}"
        if not _named(service.owner, self.owners):
            return f"it is about services of {', '.join(self.owners)}"
        if self.tiers and service.tier not in self.tiers:
            return f"it is about services of tier {', '.join(str(t) for t in self.tiers)}"
        return ""


class WayBack(StrEnum):
    """What happens when an action has made things worse."""

    OFFER = "offer"  # its message has a button
    TAKE = "take"  # what ran before is brought back at once, approved by the rule itself


class Rule(_Scope):
    """Who may ask and who may approve. `channels` are where people may ask: "#name" or an id; everywhere if none is given."""

    channels: tuple[str, ...] = ()
    request: tuple[str, ...] = Field(min_length=1)
    approve: tuple[str, ...] = Field(min_length=1)
    approvals: int = Field(default=1, ge=1, le=10)
    approvals_by_risk: dict[Risk, int] = Field(default_factory=dict)
    self_approval: bool = False
    expires_minutes: int = Field(default=30, ge=1, le=7 * 24 * 60)
    way_back: WayBack = WayBack.OFFER

    @field_validator("approvals_by_risk")
    @classmethod
    def _sensible(cls, value: dict[Risk, int]) -> dict[Risk, int]:
        if any(not 1 <= count <= 10 for count in value.values()):
            raise ValueError("approvals are 1 to 10")
        return value

    def needed(self, risk: Risk) -> int:
        """How many people must approve a plan of this risk."""
        return max(self.approvals, self.approvals_by_risk.get(risk, 0))

    @property
    def expires_after(self) -> timedelta:
        """How long an action waits for people."""
        return timedelta(minutes=self.expires_minutes)


class Freeze(_Scope):
    """When nothing is deployed; rollbacks go on unless `actions` names them too. `override` are groups."""

    actions: tuple[ActionKind, ...] = (ActionKind.DEPLOY,)
    weekly: tuple[str, ...] = ()
    dates: tuple[str, ...] = ()
    zone: str = "UTC"
    override: tuple[str, ...] = ()
    reason: str = Field(default="", max_length=200)

    @field_validator("weekly")
    @classmethod
    def _weekly(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            weekly_of(text)
        return value

    @field_validator("dates")
    @classmethod
    def _dated(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            dated_of(text)
        return value

    @field_validator("zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError('there is no such time zone; a good one is "Europe/Berlin"') from None
        return value

    @model_validator(mode="after")
    def _some_time(self) -> "Freeze":
        if not (self.weekly or self.dates):
            raise ValueError("a freeze needs `weekly` or `dates`")
        return self

    def until(self, now: datetime) -> datetime | None:
        """When it is over; None if it is not on."""
        spans: list[Weekly | Dated] = [span for text in self.weekly for span in weekly_of(text)]
        return over_at((*spans, *(dated_of(text) for text in self.dates)), ZoneInfo(self.zone), now)


class IncidentGuard(BaseModel):
    """Where a service with an open incident takes only rollbacks and fixes. Without `override` whoever may approve may."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    environments: tuple[str, ...] = (PRODUCTION,)
    override: tuple[str, ...] | None = None


class BreakGlass(BaseModel):
    """Who may go past every guard, and approve it alone: groups, or Slack user ids. Nobody unless the file names them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    people: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()


class LockRules(BaseModel):
    """Who may override locks that are not their own: groups. Without `override` whoever may approve."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    override: tuple[str, ...] | None = None


class PolicyFile(BaseModel):
    """Groups of Slack user ids, Slack user groups (S..., "@handle") or both; rules name groups or "anyone"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    incident_guard: IncidentGuard = IncidentGuard()
    locks: LockRules = LockRules()
    break_glass: BreakGlass = BreakGlass()


def _named(name: str, names: tuple[str, ...]) -> bool:
    return EVERYTHING in names or name in names
