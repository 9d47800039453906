"""routing.yaml: which channel an incident lives in and who is on call; the first route that matches wins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, field_validator

from bot.domain.alert import Severity
from bot.topology.rulefile import RuleFile, read_rules

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ChannelName = Annotated[str, StringConstraints(pattern=r"^(#[^\s#]{1,80}|[CGD][A-Z0-9]{6,})$")]
Person = Annotated[str, StringConstraints(pattern=r"^[UW][A-Z0-9]{2,}$")]


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], BeforeValidator(_several)]


class Match(BaseModel):
    """What a route asks for; every given key must match, a list matches any of its values."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    owner: Words = ()
    service: Words = ()
    severity: Annotated[tuple[Severity, ...], BeforeValidator(_several)] = ()
    environment: Words = ()
    hours: str = ""
    days: Words = ()

    @field_validator("hours")
    @classmethod
    def _is_a_span(cls, value: str) -> str:
        if value:
            _span(value)
        return value

    @field_validator("days")
    @classmethod
    def _are_days(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted({day for part in value for day in _days(part)}, key=DAYS.index))


class RouteEntry(BaseModel):
    """One route as routing.yaml writes it; without `on_call` the default's people are on call."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, StringConstraints(min_length=1, max_length=80)]
    match: Match
    channel: ChannelName
    on_call: tuple[Person, ...] | None = None


class DefaultEntry(BaseModel):
    """Where everything goes that no route matches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    channel: ChannelName = "#incidents"
    on_call: tuple[Person, ...] = ()


class RoutingFile(BaseModel):
    """routing.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    default: DefaultEntry = Field(default_factory=DefaultEntry)
    overview: ChannelName | None = None
    routes: tuple[RouteEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class Route:
    """Where an incident lives: channel, people on call (Slack user ids), the rule that decided, and why."""

    channel: str
    on_call: tuple[str, ...]
    rule: str
    reasons: tuple[str, ...]


class Routing:
    """The routes of one routing.yaml; hours and days are read in `zone`."""

    def __init__(self, file: RoutingFile | None = None, zone: tzinfo = UTC) -> None:
        self._file = file or RoutingFile()
        self._zone = zone

    @property
    def default(self) -> Route:
        """The route of everything that no rule matches."""
        entry = self._file.default
        return Route(entry.channel, entry.on_call, "default", ("no route matches",))

    @property
    def overview(self) -> str:
        """The channel that gets a pointer for every incident, or ""."""
        return self._file.overview or ""

    @property
    def channels(self) -> tuple[str, ...]:
        """Every channel that a message can go to, the default first."""
        named = (self.default.channel, self.overview, *(entry.channel for entry in self._file.routes))
        return tuple(dict.fromkeys(c for c in named if c))

    def route(self, owner: str, service: str, severity: Severity, environment: str, at: datetime) -> Route:
        """The first route whose every given key matches, else the default; with its reasons."""
        for entry in self._file.routes:
            reasons, miss = self._compare(entry.match, owner, service, severity, environment, at)
            if not miss:
                on_call = self._file.default.on_call if entry.on_call is None else entry.on_call
                return Route(entry.channel, on_call, entry.name, reasons or ("it matches everything",))
        return self.default

    def explain(self, owner: str, service: str, severity: Severity, environment: str, at: datetime) -> tuple[str, ...]:
        """One line per route that was tried, and the outcome; for `tocsin route explain`."""
        lines = []
        for number, entry in enumerate(self._file.routes, start=1):
            reasons, miss = self._compare(entry.match, owner, service, severity, environment, at)
            lines.append(f"{number}. {entry.name}: {'no, ' + miss if miss else 'yes, ' + (', '.join(reasons) or 'always')}")
            if not miss:
                break
        chosen = self.route(owner, service, severity, environment, at)
        people = ", ".join(chosen.on_call) or "nobody"
        lines.append(f"→ {chosen.channel} by {chosen.rule}; on call: {people}")
        if self.overview and self.overview != chosen.channel:
            lines.append(f"  pointer in {self.overview} (overview)")
        return tuple(lines)

    def _compare(
        self, match: Match, owner: str, service: str, severity: Severity, environment: str, at: datetime
    ) -> tuple[tuple[str, ...], str]:
        """The reasons why it matches, and the first reason why it does not ("" if it does)."""
        reasons = []
        given = (
            ("owner", owner, match.owner),
            ("service", service, match.service),
            ("severity", severity, match.severity),
            ("environment", environment, match.environment),
        )
        for key, value, wanted in given:
            if wanted and value not in wanted:
                return (), f"{key} is {value or 'unknown'}, not {' or '.join(wanted)}"
            if wanted:
                reasons.append(f"{key} is {value}")
        here = at.astimezone(self._zone)
        late = _within(match.hours, here.time()) if match.hours else None
        # The hours after midnight of a span like 22:00-06:00 belong to the day on which it began.
        day = DAYS[(here - timedelta(days=1) if late == "since yesterday" else here).weekday()]
        if match.hours and not late:
            return (), f"it is {here:%H:%M}, not {match.hours}"
        if match.days and day not in match.days:
            return (), f"it is {day}, not {', '.join(match.days)}"
        if match.hours or match.days:
            reasons.append(f"it is {day} {here:%H:%M}")
        return tuple(reasons), ""


def _within(hours: str, now: time) -> str:
    start, end = _span(hours)
    if start < end:
        return "today" if start <= now < end else ""
    return "today" if now >= start else "since yesterday" if now < end else ""


def _span(text: str) -> tuple[time, time]:
    try:
        start, end = (time.fromisoformat(part.strip()) for part in text.split("-"))
    except ValueError:
        raise ValueError('hours are written like "09:00-18:00"') from None
    if start == end:
        raise ValueError("hours must not begin and end at the same minute; leave them out for the whole day")
    return start, end


def _days(text: str) -> Sequence[str]:
    found: list[str] = []
    for part in text.lower().replace(" ", "").split(","):
        first, _, last = part.partition("-")
        if first not in DAYS or (last and last not in DAYS):
            raise ValueError(f"days are written like mon-fri or sat, not {part!r}")
        begin, end = DAYS.index(first), DAYS.index(last or first)
        found += [DAYS[n % 7] for n in range(begin, end + 1 if end >= begin else end + 8)]
    return found


def read_routing(text: str, file: str = "routing.yaml", zone: tzinfo = UTC) -> Routing:
    """The routing that the text describes. Raises BadRules with every fault."""
    parsed, _ = read_rules(text, file, RoutingFile)
    return Routing(parsed, zone)


def routing_file(path: Path, zone: tzinfo = UTC) -> RuleFile[Routing]:
    """routing.yaml at this path, kept current; without the file everything goes to #incidents."""
    return RuleFile(path, lambda text, file: read_routing(text, file, zone), absent=lambda: Routing(zone=zone))
