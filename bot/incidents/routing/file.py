"""What people write into routing.yaml, validated; every wrong value is refused with what would be right."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator, model_validator

from bot.domain.alert import Severity
from bot.incidents.routing.hours import DAYS, days_of, span_of
from bot.incidents.routing.rota import Override, Rota

ChannelName = Annotated[str, StringConstraints(pattern=r"^(#[^\s#]{1,80}|[CGD][A-Z0-9]{6,})$")]
Person = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,}$")]
Somebody = Annotated[
    str, StringConstraints(pattern=r"^([UW][A-Z0-9]{2,}|[^\s@:]+@[^\s@:]+)$")
]  # a Slack id, or an e-mail address
_CHANNEL, _PERSON = re.compile(r"#[^\s#]{1,80}\Z|[CGD][A-Z0-9]{6,}\Z"), re.compile(r"[UW][A-Z0-9]{2,}\Z")
_PAGER = re.compile(r"([a-z]+)(?::([^:]{1,120}))?\Z")
_SPAN = re.compile(r"(\d{1,4})\s*([smh])\Z")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours"}


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


def _as_span(value: object) -> object:
    if value == 0:
        return timedelta(0)
    match = _SPAN.match(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError('a span is written like "5m", "90s" or "1h"')
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


@dataclass(frozen=True, slots=True)
class Target:
    """Who is reached: kind "person" (Slack id or address), "rota", "channel", or a pager's name with its own name of whom."""

    kind: str
    name: str = ""

    def __str__(self) -> str:
        if self.kind in ("person", "channel"):
            return self.name
        return f"{self.kind}:{self.name}" if self.name else self.kind


def _as_target(value: object) -> object:
    if isinstance(value, Target):
        return value
    text = value if isinstance(value, str) else ""
    if _CHANNEL.match(text):
        return Target("channel", text)
    if _PERSON.match(text):
        return Target("person", text)
    match = _PAGER.match(text)
    if match is None or match[1] in ("person", "channel") or (match[1] == "rota" and not match[2]):
        raise ValueError(
            "write a Slack user id, #channel, rota:name, or a pager: pagerduty, pagerduty:name, opsgenie:team, email"
        )
    return Target(match[1], match[2] or "")


Words = Annotated[tuple[str, ...], BeforeValidator(_several)]
Severities = Annotated[tuple[Severity, ...], BeforeValidator(_several)]
Span = Annotated[timedelta, BeforeValidator(_as_span)]
To = Annotated[Target, BeforeValidator(_as_target)]


class Entry(BaseModel):
    """A part of the file; unknown keys are typing errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(Entry):
    """What a route asks for; every given key must match, a list matches any of its values."""

    owner: Words = ()
    service: Words = ()
    severity: Severities = ()
    environment: Words = ()
    hours: str = ""
    days: Words = ()

    @field_validator("hours")
    @classmethod
    def _is_a_span(cls, value: str) -> str:
        if value:
            span_of(value)
        return value

    @field_validator("days")
    @classmethod
    def _are_days(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({day for part in value for day in days_of(part)}, key=DAYS.index))


class RouteEntry(Entry):
    """One route; what it does not give is the default's."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    match: Match
    channel: ChannelName
    on_call: tuple[Person, ...] | None = None
    on_call_from: To | None = None
    escalation: str | None = None


class DefaultEntry(Entry):
    """Where everything goes that no route matches."""

    channel: ChannelName = "#incidents"
    on_call: tuple[Person, ...] = ()
    on_call_from: To | None = None
    escalation: str = ""


class OverrideEntry(Entry):
    """Somebody stands in; local times of the rota."""

    start: datetime = Field(alias="from")
    to: datetime
    person: Somebody


class RotaEntry(Entry):
    """People take turns; `handover` is "09:00", for weeks "mon 09:00"."""

    every: Literal["day", "week"]
    handover: str
    timezone: str = "UTC"
    start: date
    people: Annotated[tuple[Somebody, ...], Field(min_length=1)]
    overrides: tuple[OverrideEntry, ...] = ()

    @field_validator("timezone")
    @classmethod
    def _is_known(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError("not a time zone of the IANA database, such as Europe/Zurich")
        return name

    @model_validator(mode="after")
    def _can_be_read(self) -> "RotaEntry":
        self.rota()
        return self

    def rota(self) -> Rota:
        """The rota that this describes. Raises ValueError."""
        zone = ZoneInfo(self.timezone)
        day, _, clock = self.handover.strip().lower().rpartition(" ")
        if (day in DAYS) != (self.every == "week") or (day and day not in DAYS):
            raise ValueError('handover is written like "09:00" for days and "mon 09:00" for weeks')
        try:
            at = time.fromisoformat(clock)
        except ValueError:
            raise ValueError('handover is written like "09:00" for days and "mon 09:00" for weeks') from None
        overrides = tuple(Override(_utc(o.start, zone), _utc(o.to, zone), o.person) for o in self.overrides)
        if any(o.end <= o.start for o in overrides):
            raise ValueError("an override must end after it begins")
        return Rota(self.people, self.start, at, zone, DAYS.index(day) if day else None, overrides)


def _utc(at: datetime, zone: ZoneInfo) -> datetime:
    return (at if at.tzinfo else at.replace(tzinfo=zone)).astimezone(UTC)


class Step(Entry):
    """Nobody took it for `after`: this one is reached."""

    after: Span
    to: To


class QuietEntry(Entry):
    """Incidents of these severities disturb nobody in these hours of these days."""

    severity: Severities
    hours: str = ""
    days: Words = ()

    @field_validator("severity")
    @classmethod
    def _are_not_the_worst(cls, value: tuple[Severity, ...]) -> tuple[Severity, ...]:
        if not value or Severity.SEV1 in value:
            raise ValueError("quiet hours need severities, and SEV1 always disturbs")
        return value

    _hours = field_validator("hours")(Match._is_a_span.__func__)  # type: ignore[attr-defined]  # the same rule as a route's
    _days = field_validator("days")(Match._are_days.__func__)  # type: ignore[attr-defined]  # as above


class SecondOutlet(Entry):
    """Who is told when the chat did not take a card for `after`."""

    to: Annotated[tuple[To, ...], BeforeValidator(_several)] = ()
    after: Span = timedelta(minutes=2)
    severity: Severities = (Severity.SEV1, Severity.SEV2)

    @field_validator("to")
    @classmethod
    def _is_not_the_chat(cls, value: tuple[Target, ...]) -> tuple[Target, ...]:
        if any(t.kind in ("person", "channel", "rota") for t in value):
            raise ValueError("the second outlet is for when Slack is down: name pagers such as pagerduty or email")
        return value


class RoutingFile(Entry):
    """routing.yaml."""

    default: DefaultEntry = Field(default_factory=DefaultEntry)
    overview: ChannelName | None = None
    health: ChannelName | None = None
    routes: tuple[RouteEntry, ...] = ()
    people: Mapping[str, Person] = Field(default_factory=dict)
    rotas: Mapping[str, RotaEntry] = Field(default_factory=dict)
    escalations: Mapping[str, Mapping[Severity, tuple[Step, ...]]] = Field(default_factory=dict)
    quiet_hours: tuple[QuietEntry, ...] = ()
    second_outlet: SecondOutlet = Field(default_factory=SecondOutlet)

    @model_validator(mode="after")
    def _names_what_is_there(self) -> "RoutingFile":
        entries: tuple[DefaultEntry | RouteEntry, ...] = (self.default, *self.routes)
        for entry in entries:
            if entry.escalation and entry.escalation not in self.escalations:
                raise ValueError(
                    f"there is no escalation {entry.escalation!r}; there are {', '.join(self.escalations) or 'none'}"
                )
        targets = [entry.on_call_from for entry in entries]
        targets += [step.to for plan in self.escalations.values() for steps in plan.values() for step in steps]
        for target in targets:
            if target is not None and target.kind == "rota" and target.name not in self.rotas:
                raise ValueError(f"there is no rota {target.name!r}; there are {', '.join(self.rotas) or 'none'}")
        return self
