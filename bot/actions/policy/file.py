"""`policies.yaml` as people write it, validated with line numbers."""

from datetime import datetime, timedelta
from enum import StrEnum
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bot.actions.policy.windows import Dated, Weekly, dated_of, next_at, over_at, weekly_of
from bot.domain.action import ActionKind, Risk
from bot.domain.automation import Degree
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
    """Who may ask and who may approve. `channels` are where people may ask: "#name" or an id; everywhere if none is given.

    `required_checks` are the names of CI checks that must have passed on the commit of a deploy; without `checks_override`
    whoever may approve may override them.
    """

    channels: tuple[str, ...] = ()
    request: tuple[str, ...] = Field(min_length=1)
    approve: tuple[str, ...] = Field(min_length=1)
    approvals: int = Field(default=1, ge=1, le=10)
    approvals_by_risk: dict[Risk, int] = Field(default_factory=dict)
    required_checks: tuple[Annotated[str, Field(min_length=1, max_length=100)], ...] = ()
    checks_override: tuple[str, ...] | None = None
    self_approval: bool = False
    one_click: bool = False  # a runbook step that the bot planned may be asked for and approved by one press
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
        return over_at(self._spans(), ZoneInfo(self.zone), now)

    def begins(self, now: datetime) -> datetime | None:
        """When it is on next; None while it is on, and if it never is again."""
        return None if self.until(now) else next_at(self._spans(), ZoneInfo(self.zone), now)

    def _spans(self) -> tuple[Weekly | Dated, ...]:
        weekly: list[Weekly | Dated] = [span for text in self.weekly for span in weekly_of(text)]
        return (*weekly, *(dated_of(text) for text in self.dates))


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


class DegreeRule(_Scope):
    """How far the bot may go with which steps of runbooks; a limit that is not given here is the one of `automation`."""

    degree: Degree
    steps: tuple[str, ...] = (EVERYTHING,)  # "runbooks/payments/errors.md#roll-back"
    confirmed: int | None = Field(default=None, ge=1, le=100)
    per_day: int | None = Field(default=None, ge=1, le=100)
    reach: int | None = Field(default=None, ge=0, le=1000)
    tier_1: int | None = Field(default=None, ge=0, le=1000)
    risk: Risk | None = None

    @field_validator("steps")
    @classmethod
    def _labels(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := next((s for s in value if s != EVERYTHING and ("#" not in s or not s.partition("#")[2])), ""):
            raise ValueError(f'{wrong[:60]!r} names no step; a good one is "runbooks/payments/errors.md#roll-back"')
        return value

    @model_validator(mode="after")
    def _named_ones(self) -> "DegreeRule":
        if self.degree is Degree.AUTOMATIC and EVERYTHING in self.steps:
            raise ValueError("only steps that are named may be automatic: write `steps`")
        if self.risk is Risk.HIGH:
            raise ValueError("a plan of high risk is never carried out by itself: low or medium")
        return self

    def speaks_of(self, step: str, kind: ActionKind, service: Service, environment: str) -> bool:
        """It is about this step, by its label, there."""
        return _named(step, self.steps) and self.covers(kind, service, environment)


class Automation(BaseModel):
    """Which pages may carry actions, how far the bot goes with them, and the limits of what it does by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    folders: tuple[str, ...] = ("runbooks",)  # names of folders of knowledge.runbooks
    sources: tuple[str, ...] = ()  # of [knowledge.sources.<name>]
    confirmed: int = Field(default=3, ge=1, le=100)  # incidents in which people approved the step and it helped
    per_day: int = Field(default=1, ge=1, le=100)  # automatic runs of one step on one service in 24 hours
    per_hour: int = Field(default=2, ge=1, le=100)  # automatic runs of all steps in an hour
    reach: int = Field(default=10, ge=0, le=1000)  # services within two hops of what is changed
    tier_1: int = Field(default=0, ge=0, le=1000)  # of them, with the service itself, of tier 1
    risk: Risk = Risk.LOW  # at most
    degrees: tuple[DegreeRule, ...] = ()

    @field_validator("risk")
    @classmethod
    def _not_high(cls, value: Risk) -> Risk:
        if value is Risk.HIGH:
            raise ValueError("a plan of high risk is never carried out by itself: low or medium")
        return value


class PolicyFile(BaseModel):
    """Groups of Slack user ids, Slack user groups (S..., "@handle") or both; rules name groups or "anyone"."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    freezes: tuple[Freeze, ...] = ()
    incident_guard: IncidentGuard = IncidentGuard()
    locks: LockRules = LockRules()
    break_glass: BreakGlass = BreakGlass()
    automation: Automation = Automation()


def _named(name: str, names: tuple[str, ...]) -> bool:
    return EVERYTHING in names or name in names
