"""Which rule keeps an alert from people, with its reason: what people wrote first, then what the past and the graph say."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bot.domain.alert import Alert
from bot.domain.incident import Incident
from bot.domain.noise import CRITICAL, Kind, NoiseLimits, NoiseState, Silence, Source
from bot.incidents.kinship import Kinship
from bot.incidents.noise.learning import flap_score, span, transient
from bot.incidents.noise.matchers import labels_of, match
from bot.incidents.noise.rules import NoiseRules, equal


@dataclass(frozen=True, slots=True)
class Ruling:
    """It is kept from people until then, by this kind of rule, for this reason."""

    kind: Kind
    reason: str
    until: datetime
    incident_id: str = ""  # the incident that explains it


@dataclass(frozen=True, slots=True)
class Written:
    """What people wrote, as it stands at this moment. `sources` fire now; a window or silence may open later."""

    rules: NoiseRules
    silences: Sequence[Silence] = ()
    sources: Mapping[tuple[str, str], Source] = field(default_factory=dict)  # by rule and equal values

    @property
    def empty(self) -> bool:
        """Nobody wrote anything."""
        rules = self.rules
        return not (self.silences or rules.windows or rules.inhibits or rules.occurrences)


def critical(alerts: Iterable[Alert]) -> bool:
    """One of them is SEV1 or SEV2, or cannot be read: it is never held on an idea of ours."""
    return any(a.severity in CRITICAL or not a.readable for a in alerts)


def by_people(alerts: Sequence[Alert], state: NoiseState, written: Written, now: datetime, limits: NoiseLimits) -> Ruling | None:
    """The rule that keeps all of these alerts of one problem back; a critical one only by a rule that says so."""
    if written.empty:
        return None
    found = [_one(alert, state, written, now, limits) for alert in alerts]
    rulings = [ruling for ruling in found if ruling is not None]
    if not rulings or len(rulings) < len(found):
        return None
    return min(rulings, key=lambda ruling: ruling.until)


def _one(alert: Alert, state: NoiseState, written: Written, now: datetime, limits: NoiseLimits) -> Ruling | None:
    labels = labels_of(alert)
    grave = critical([alert])
    soon = now + timedelta(seconds=limits.look_again)
    later = now + timedelta(seconds=10 * limits.look_again)  # somebody may take a window out of the file
    for silence in written.silences:
        if silence.active(now) and (silence.critical or not grave) and match(silence.matchers, labels):
            who = f"{silence.id} by {silence.by}" + (f": {silence.reason}" if silence.reason else "")
            return Ruling(silence.kind, f"{who}, until {silence.ends_at:%Y-%m-%d %H:%M} UTC", silence.ends_at)
    for window in written.rules.windows:
        closes = window.open_until(now)
        if closes is not None and (window.critical or not grave) and match(window.matchers, labels):
            why = f" ({window.reason})" if window.reason else ""
            return Ruling(Kind.MAINTENANCE, f"{window.name}{why}, until {closes:%Y-%m-%d %H:%M} UTC", min(closes, later))
    for rule in written.rules.inhibits:
        source = written.sources.get((rule.name, equal(rule, labels)))
        if source is None or (grave and not rule.critical) or not match(rule.target_matchers, labels):
            continue
        if not match(rule.source_matchers, labels):  # as in Alertmanager: what is both is not inhibited by its like
            return Ruling(Kind.INHIBITION, f"rule {rule.name}: {source.told} fires", soon)
    for few in written.rules.occurrences:
        if (few.critical or not grave) and match(few.matchers, labels):
            times = sum(1 for at in state.fires if now - at < few.within)
            if times < few.times:
                within = span(few.within.total_seconds())
                reason = f"rule {few.name}: {times} of {few.times} times within {within}"
                return Ruling(Kind.OCCURRENCES, reason, now + few.within)
            return None
    return None


def by_past(state: NoiseState, rule: NoiseState | None, now: datetime, limits: NoiseLimits) -> tuple[Ruling, ...]:
    """It flaps, or usually clears by itself soon, or both. What fired too seldom to say asks others of its rule."""
    longest = now + timedelta(seconds=limits.longest_hold)
    found: list[Ruling] = []
    if state.flapping:
        window = timedelta(seconds=limits.flap_window)
        changes = sum(1 for at in state.changes if now - at < window)
        score = flap_score(state.changes, now, window)
        reason = (
            f"flapping: {changes} changes within {span(limits.flap_window)} (score {score:.1f}, from {limits.flap_changes:g})"
        )
        found.append(Ruling(Kind.FLAPPING, reason, longest))
    learned = rule if rule is not None and len(state.episodes) < limits.transient_samples else state
    if brief := transient(learned, now, limits):
        what = "it" if learned is state else f"{state.name} (of whatever service)"
        reason = (
            f"{what} cleared by itself within {span(brief.hold)} in most of {brief.times} times "
            f"(likely {brief.share:.0%}, nine in ten within {span(brief.usual)})"
        )
        found.append(Ruling(Kind.TRANSIENTS, reason, min(now + timedelta(seconds=brief.hold), longest)))
    return tuple(found)


class Failing:
    """The services that live incidents are about now; says which of them explains trouble with another."""

    def __init__(self, incidents: Iterable[Incident], kinship: Kinship) -> None:
        self._kinship = kinship
        self._failing: dict[tuple[str, str], Incident] = {}
        for incident in incidents:
            if incident.live:
                for member in incident.members:
                    if member.firing:
                        self._failing.setdefault((incident.environment, member.service), incident)

    def above(self, alert: Alert, now: datetime, limits: NoiseLimits) -> Ruling | None:
        """A service that this one depends on, directly or through one more, fails; the nearest."""
        if not self._failing or (alert.environment, alert.service) in self._failing:
            return None
        related = self._kinship.of(alert.service).items()
        for name, kin in sorted(related, key=lambda pair: (-pair[1].weight, pair[0])):
            incident = self._failing.get((alert.environment, name)) if kin.needed else None
            if incident is not None:
                reason = f"{kin.sentence}, which fails ({incident.key})"
                return Ruling(Kind.UPSTREAM, reason, now + timedelta(seconds=limits.look_again), incident.id)
        return None
