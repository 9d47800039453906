"""Where an incident lives and who is reached: the first route that matches wins, and every decision has its reasons."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

from bot.domain.alert import Severity
from bot.incidents.routing.file import DefaultEntry, Match, RouteEntry, RoutingFile, SecondOutlet, Step, Target
from bot.incidents.routing.hours import DAYS, day_within, end_of
from bot.incidents.routing.rota import Rota
from bot.topology.rulefile import RuleFile, read_rules


@dataclass(frozen=True, slots=True)
class Route:
    """Where an incident lives: channel, people on call (Slack user ids), the rule that decided, and why.

    `on_call_from` is who is asked for the person on call first; `on_call` are those who are, if nobody answers.
    """

    channel: str
    on_call: tuple[str, ...]
    rule: str
    reasons: tuple[str, ...]
    on_call_from: Target | None = None
    escalation: str = ""


@dataclass(frozen=True, slots=True)
class Quiet:
    """Nobody is disturbed now, until when (UTC), and by which rule, for people."""

    until: datetime
    reason: str


class Routing:
    """What one routing.yaml decides; hours and days are read in `zone`."""

    def __init__(self, file: RoutingFile | None = None, zone: tzinfo = UTC) -> None:
        self._file = file or RoutingFile()
        self._zone = zone
        self._rotas = {name: entry.rota() for name, entry in self._file.rotas.items()}

    @property
    def zone(self) -> tzinfo:
        """Where hours and days are read."""
        return self._zone

    @property
    def default(self) -> Route:
        """The route of everything that no rule matches."""
        entry = self._file.default
        return Route(entry.channel, entry.on_call, "default", ("no route matches",), entry.on_call_from, entry.escalation)

    @property
    def overview(self) -> str:
        """The channel that gets a pointer for every incident, or ""."""
        return self._file.overview or ""

    @property
    def health(self) -> str:
        """The channel that hears of the bot's own failing parts."""
        return self._file.health or self._file.default.channel

    @property
    def channels(self) -> tuple[str, ...]:
        """Every channel that a message can go to, the default first."""
        steps = [
            s.to.name for plan in self._file.escalations.values() for ss in plan.values() for s in ss if s.to.kind == "channel"
        ]
        routes = (entry.channel for entry in self._file.routes)
        named = (self.default.channel, self.overview, self._file.health or "", *routes, *steps)
        return tuple(dict.fromkeys(c for c in named if c))

    @property
    def pages(self) -> tuple[Target, ...]:
        """Every pager that somebody is to be woken by."""
        steps = (step.to for plan in self._file.escalations.values() for several in plan.values() for step in several)
        return _of_pagers((*steps, *self._file.second_outlet.to))

    @property
    def asks(self) -> tuple[Target, ...]:
        """Every pager's schedule that is asked who is on call."""
        asked = (self._file.default.on_call_from, *(entry.on_call_from for entry in self._file.routes))
        return _of_pagers(target for target in asked if target is not None)

    @property
    def second_outlet(self) -> SecondOutlet:
        """Who is told when the chat does not take a card."""
        return self._file.second_outlet

    def rota(self, name: str) -> Rota | None:
        """The rota of this name."""
        return self._rotas.get(name)

    def slack_id(self, *known_as: str) -> str:
        """The Slack user whom `people` of the file gives one of these names or addresses, "" for none."""
        people = {name.lower(): id for name, id in self._file.people.items()}
        return next((people[name.lower()] for name in known_as if name.lower() in people), "")

    def steps(self, route: Route, severity: Severity) -> tuple[Step, ...]:
        """Who is reached one after the other while nobody takes an incident of this route, earliest first."""
        steps = self._file.escalations.get(route.escalation, {}).get(severity, ())
        return tuple(sorted(steps, key=lambda step: step.after))

    def quiet(self, severity: Severity, at: datetime) -> Quiet | None:
        """Whether incidents of this severity disturb nobody now."""
        here = at.astimezone(self._zone)
        found = []
        for entry in self._file.quiet_hours:
            began = day_within(entry.hours, here)
            if severity in entry.severity and began and (not entry.days or DAYS[began.weekday()] in entry.days):
                until = end_of(entry.hours, began, self._zone)
                reason = f"{severity.value} is quiet {entry.hours or 'all day'}" + (
                    f" on {', '.join(entry.days)}" if entry.days else ""
                )
                found.append(Quiet(until.astimezone(UTC), reason))
        return max(found, key=lambda quiet: quiet.until, default=None)

    def route(self, owner: str, service: str, severity: Severity, environment: str, at: datetime) -> Route:
        """The first route whose every given key matches, else the default; with its reasons."""
        for entry in self._file.routes:
            reasons, miss = self._compare(entry.match, owner, service, severity, environment, at)
            if not miss:
                return self._route(entry, self._file.default, reasons)
        return self.default

    def _route(self, entry: RouteEntry, default: DefaultEntry, reasons: tuple[str, ...]) -> Route:
        own = entry.on_call is not None  # people of its own are not outvoted by the default's rota
        return Route(
            entry.channel,
            entry.on_call if entry.on_call is not None else default.on_call,
            entry.name,
            reasons or ("it matches everything",),
            entry.on_call_from or (None if own else default.on_call_from),
            default.escalation if entry.escalation is None else entry.escalation,
        )

    def explain(self, owner: str, service: str, severity: Severity, environment: str, at: datetime) -> tuple[str, ...]:
        """One line per route that was tried, the outcome, and who is reached when; for `tocsin route explain`."""
        lines = []
        for number, entry in enumerate(self._file.routes, start=1):
            reasons, miss = self._compare(entry.match, owner, service, severity, environment, at)
            lines.append(f"{number}. {entry.name}: {'no, ' + miss if miss else 'yes, ' + (', '.join(reasons) or 'always')}")
            if not miss:
                break
        chosen = self.route(owner, service, severity, environment, at)
        people = ", ".join(self._called(id) for id in chosen.on_call) or "nobody"
        lines.append(f"→ {chosen.channel} by {chosen.rule}; on call: {people}")
        if self.overview and self.overview != chosen.channel:
            lines.append(f"  pointer in {self.overview} (overview)")
        lines += self._reach(chosen, severity, at)
        return tuple(lines)

    def _reach(self, chosen: Route, severity: Severity, at: datetime) -> list[str]:
        lines = []
        if chosen.on_call_from is not None:
            lines.append(f"  on call is asked of {chosen.on_call_from}; the people above if it does not answer")
            rota = self.rota(chosen.on_call_from.name) if chosen.on_call_from.kind == "rota" else None
            if rota is not None:
                turn = rota.turn(at)
                why = " (stands in)" if turn.override else ""
                until = turn.until.astimezone(rota.zone)
                whose = f"{self._called(turn.person)}{why}"
                lines.append(f"  rota {chosen.on_call_from.name}: {whose} until {until:%a %Y-%m-%d %H:%M %Z}")
        quiet = self.quiet(severity, at)
        if quiet is not None:
            lines.append(f"  quiet until {self._local(quiet.until)}: {quiet.reason}; nobody is mentioned or paged before")
        steps = self.steps(chosen, severity)
        start = quiet.until if quiet else at
        for step in steps:
            due = max(at + step.after, start)
            lines.append(f"  not acknowledged after {_span(step.after)} ({self._local(due)}): {self._called(str(step.to))}")
        if self._file.escalations and not steps:
            lines.append(f"  no escalation for {severity.value}")
        outlet = self.second_outlet
        if outlet.to and severity in outlet.severity and quiet is None:
            lines.append(f"  if Slack takes no card for {_span(outlet.after)}: {', '.join(str(t) for t in outlet.to)}")
        return lines

    def _called(self, id: str) -> str:
        """A Slack user with the name that `people` of the file has for them; anything else as it is."""
        name = next((name for name, known in self._file.people.items() if known == id), "")
        return f"{id} ({name})" if name else id

    def _local(self, at: datetime) -> str:
        return f"{at.astimezone(self._zone):%a %H:%M}"

    def _compare(
        self, match: Match, owner: str, service: str, severity: Severity, environment: str, at: datetime
    ) -> tuple[tuple[str, ...], str]:
        """The reasons why it matches, and the first reason why it does not ("" if it does)."""
        reasons = []
        given: Sequence[tuple[str, str, Sequence[str]]] = (
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
        began = day_within(match.hours, here)
        if began is None:
            return (), f"it is {here:%H:%M}, not {match.hours}"
        day = DAYS[began.weekday()]
        if match.days and day not in match.days:
            return (), f"it is {day}, not {', '.join(match.days)}"
        if match.hours or match.days:
            reasons.append(f"it is {day} {here:%H:%M}")
        return tuple(reasons), ""


def _of_pagers(targets: Iterable[Target]) -> tuple[Target, ...]:
    return tuple(dict.fromkeys(t for t in targets if t.kind not in ("person", "rota", "channel")))


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    return f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"


def read_routing(text: str, file: str = "routing.yaml", zone: tzinfo = UTC) -> Routing:
    """The routing that the text describes. Raises BadRules with every fault."""
    parsed, _ = read_rules(text, file, RoutingFile)
    return Routing(parsed, zone)


def routing_file(path: Path, zone: tzinfo = UTC) -> RuleFile[Routing]:
    """routing.yaml at this path, kept current; without the file everything goes to #incidents."""
    return RuleFile(path, lambda text, file: read_routing(text, file, zone), absent=lambda: Routing(zone=zone))
