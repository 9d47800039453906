"""noise.yaml: maintenance windows, inhibition and occurrences, written by people; they act at once, never in shadow."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, timedelta, tzinfo
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from bot.domain.alert import Alert
from bot.domain.noise import Matcher
from bot.incidents.noise.matchers import BadMatcher, labels_of, match, parse_several, too_wide
from bot.incidents.noise.windows import Window, read_days, read_hours
from bot.topology.rulefile import BadRules, RuleFile, read_rules

_SPANS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
MOST_TIMES = 30


def _matchers(value: object) -> object:
    """A text, a list of texts, or Alertmanager's own `{label: value}`."""
    if isinstance(value, Mapping):
        value = [f"{key}={text}" for key, text in value.items()]
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts):
        raise ValueError("matchers are texts such as service=payments")
    try:
        found = parse_several(texts)
    except BadMatcher as error:
        raise ValueError(str(error)) from None
    return found


def _narrow(value: object) -> object:
    found = _matchers(value)
    if isinstance(found, tuple) and too_wide(found):
        raise ValueError("these matchers match everything; name at least one value")
    return found


def _span(value: object) -> object:
    if isinstance(value, str) and value[:-1].isdigit() and value[-1:] in _SPANS and len(value) < 8:
        return timedelta(**{_SPANS[value[-1]]: int(value[:-1])})
    raise ValueError('a span is written like "90s", "30m", "2h" or "1d"')


Name = Annotated[str, StringConstraints(min_length=1, max_length=80)]
Matchers = Annotated[tuple[Matcher, ...], BeforeValidator(_narrow)]
WideMatchers = Annotated[tuple[Matcher, ...], BeforeValidator(_matchers), Field(min_length=1)]
Span = Annotated[timedelta, BeforeValidator(_span)]


class Entry(BaseModel):
    """One entry of the file; unknown keys are refused, since they are typing errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    name: Name
    critical: bool = False  # it reaches critical alerts too


class MaintenanceEntry(Entry):
    """Planned work: `from` and `until`, or `hours` with `days`."""

    matchers: Matchers
    start: AwareDatetime | None = Field(None, alias="from")
    until: AwareDatetime | None = None
    hours: str = ""
    days: str = ""
    timezone: str = ""
    owner: str = Field("", max_length=80)
    reason: str = Field("", max_length=300)

    @field_validator("hours")
    @classmethod
    def _are_hours(cls, value: str) -> str:
        if value:
            read_hours(value)
        return value

    @field_validator("days")
    @classmethod
    def _are_days(cls, value: str) -> str:
        read_days(value)
        return value

    @field_validator("timezone")
    @classmethod
    def _is_a_zone(cls, value: str) -> str:
        if value and value not in available_timezones():
            raise ValueError("not a time zone of the IANA database")
        return value

    @model_validator(mode="after")
    def _is_a_time(self) -> "MaintenanceEntry":
        once = self.start is not None and self.until is not None
        if once == bool(self.hours) or (self.start is None) != (self.until is None):
            raise ValueError("give either `from` and `until`, or `hours` (and `days` if not every day)")
        if self.start and self.until and self.until <= self.start:
            raise ValueError("`until` lies before `from`")
        return self

    def window(self, zone: tzinfo) -> Window:
        """The window; its hours are read in its own time zone, else in `zone`."""
        begins, ends = read_hours(self.hours) if self.hours else (None, None)
        return Window(
            self.name,
            self.matchers,
            ZoneInfo(self.timezone) if self.timezone else zone,
            self.start.astimezone(UTC) if self.start else None,
            self.until.astimezone(UTC) if self.until else None,
            begins,
            ends,
            read_days(self.days),
            self.critical,
            self.owner,
            self.reason,
        )


class InhibitEntry(Entry):
    """As one of Alertmanager's inhibit_rules: while a source fires, targets with the same `equal` labels are kept back."""

    source_matchers: Matchers
    target_matchers: WideMatchers
    equal: tuple[str, ...] = ()


class OccurrencesEntry(Entry):
    """An incident only when the problem fired so many times within a span, or for the whole span."""

    matchers: Matchers
    times: int = Field(ge=2, le=MOST_TIMES)
    within: Span


class NoiseFile(BaseModel):
    """noise.yaml."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    maintenance: tuple[MaintenanceEntry, ...] = ()
    inhibit_rules: tuple[InhibitEntry, ...] = ()
    occurrences: tuple[OccurrencesEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class NoiseRules:
    """The rules in force."""

    windows: tuple[Window, ...] = ()
    inhibits: tuple[InhibitEntry, ...] = ()
    occurrences: tuple[OccurrencesEntry, ...] = ()

    def sources(self, alert: Alert) -> tuple[tuple[str, str], ...]:
        """The inhibiting rules that this alert is a source of, each with the values that its targets must share."""
        if not self.inhibits:
            return ()
        labels = labels_of(alert)
        return tuple((r.name, equal(r, labels)) for r in self.inhibits if match(r.source_matchers, labels))


def equal(rule: InhibitEntry, labels: Mapping[str, str]) -> str:
    """The values of the rule's `equal` labels as one text; a label that is missing is the same as an empty one."""
    return "\x1f".join(labels.get(label, "") for label in rule.equal)


def read_noise(text: str, file: str = "noise.yaml", zone: tzinfo = UTC) -> NoiseRules:
    """The rules that the text describes. Raises BadRules with every fault."""
    parsed, lines = read_rules(text, file, NoiseFile)
    seen: set[str] = set()
    faults = []
    for section in ("maintenance", "inhibit_rules", "occurrences"):
        for number, entry in enumerate(getattr(parsed, section)):
            if entry.name in seen:
                faults.append(
                    lines.fault(
                        f"two entries are called {entry.name}; reasons name them, so names differ", section, number, "name"
                    )
                )
            seen.add(entry.name)
    if faults:
        raise BadRules(faults)
    return NoiseRules(tuple(e.window(zone) for e in parsed.maintenance), parsed.inhibit_rules, parsed.occurrences)


def noise_file(path: Path, zone: tzinfo = UTC) -> RuleFile[NoiseRules]:
    """noise.yaml at this path, kept current; without the file nothing is kept back by rule."""
    return RuleFile(path, lambda text, file: read_noise(text, file, zone), absent=NoiseRules)
