"""What people would have seen of a history: cards instead of firings, what would have been held, which rules are noise."""

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.domain.alert import Severity
from bot.domain.noise import ARMABLE, CRITICAL, Decision, Outcome
from bot.domain.vocabulary import SEVERITY_LABELS, first, service_of, severity_of
from bot.evals.backtest.history import Firing
from bot.evals.noise import Seen

SHORT = timedelta(minutes=5)  # what clears within this cleared before anybody could have looked
AFTER = timedelta(minutes=30)  # a critical alert within this after a hold, or a card within this after a deployment, follows it
WORST = 20


@dataclass(frozen=True, slots=True)
class RuleFigures:
    """One alerting rule over the history; `short` and `repeated` are shares of its firings."""

    name: str
    severity: str
    firings: int
    cards: int
    held: int
    median_s: float
    p90_s: float
    short: float
    repeated: float


@dataclass(frozen=True, slots=True)
class Outlook:
    """What would have happened. `held` counts decisions to hold; `late`: those that still fired when their hold ended."""

    days: float
    firings: int
    criticals: int
    cards: int
    notifications: int
    held: int
    cleared: int
    late: int
    followed: int
    held_criticals: int
    deployments: int
    after_deployment: int
    rules: tuple[RuleFigures, ...]
    per_day: tuple[tuple[datetime, int, int, int], ...]  # day, firings, held, cards

    @property
    def fewer(self) -> float:
        """The share of firings that would not have been a card."""
        return 1 - self.cards / self.firings if self.firings else 0.0


def outlook(
    found: Sequence[Firing],
    seen: Seen,
    decided: Iterable[Decision],
    deployed: Sequence[tuple[datetime, str, str]],
    span: tuple[datetime, datetime],
    known: Callable[[str], str] = lambda name: name,
) -> Outlook:
    """The figures of a replayed history. `known` gives the catalogue's name of a service that a label names."""
    holds = [d for d in decided if d.acted and d.kind in ARMABLE]
    cards = sorted(seen.told.values())
    criticals = [f for f in found if severity(f) in CRITICAL]
    return Outlook(
        days=(span[1] - span[0]) / timedelta(days=1),
        firings=len(found),
        criticals=len(criticals),
        cards=len(cards),
        notifications=seen.notifications,
        held=len(holds),
        cleared=sum(d.outcome is Outcome.CLEARED for d in holds),
        late=sum(d.outcome is Outcome.OUTLASTED for d in holds),
        followed=_followed(holds, criticals, known),
        held_criticals=sum(d.severity in CRITICAL for d in holds),
        deployments=len(deployed),
        after_deployment=sum(any(at <= card <= at + AFTER for at, _, _ in deployed) for card in cards),
        rules=tuple(sorted(_rules(found, seen, holds), key=lambda r: (-r.firings, r.name))),
        per_day=tuple(_per_day(found, holds, cards)),
    )


def severity(firing: Firing) -> Severity:
    """How bad an alert with these labels is to Tocsin."""
    return severity_of(first(firing.labels, SEVERITY_LABELS)[1])


def _followed(holds: Iterable[Decision], criticals: Iterable[Firing], known: Callable[[str], str]) -> int:
    """Holds after which a critical alert of the same service began shortly."""
    starts: dict[str, list[datetime]] = {}
    for firing in criticals:
        starts.setdefault(known(service_of(firing.labels)[0]), []).append(firing.start)
    return sum(any(d.at < at <= d.at + AFTER for at in starts.get(d.service, ())) for d in holds)


def _rules(found: Sequence[Firing], seen: Seen, holds: Sequence[Decision]) -> Iterator[RuleFigures]:
    by_name: dict[str, list[tuple[int, Firing]]] = {}
    for number, firing in enumerate(found):
        by_name.setdefault(firing.name, []).append((number, firing))
    held = Counter(d.name for d in holds)
    cards = _card_openers(found, seen)
    for name, numbered in by_name.items():
        mine = [firing for _, firing in numbered]
        seconds = sorted(f.lasted.total_seconds() for f in mine)
        yield RuleFigures(
            name=name,
            severity=first(mine[-1].labels, SEVERITY_LABELS)[1],
            firings=len(mine),
            cards=sum(number in cards for number, _ in numbered),
            held=held[name],
            median_s=statistics.median(seconds),
            p90_s=seconds[min(len(seconds) - 1, int(0.9 * len(seconds)))],
            short=sum(f.lasted <= SHORT for f in mine) / len(mine),
            repeated=1 - len({tuple(sorted(f.labels.items())) for f in mine}) / len(mine),
        )


def _card_openers(found: Sequence[Firing], seen: Seen) -> frozenset[int]:
    """The firings that began an incident of which people were told: the earliest of each."""
    opener: dict[str, int] = {}
    for number in range(len(found)):
        fate = seen.fates.get(str(number))
        if fate is not None and fate.incident in seen.told:
            opener.setdefault(fate.incident, number)
    return frozenset(opener.values())


def _per_day(
    found: Iterable[Firing], holds: Iterable[Decision], cards: Iterable[datetime]
) -> Iterator[tuple[datetime, int, int, int]]:
    counts: dict[datetime, list[int]] = {}
    moments: Mapping[int, list[datetime]] = {0: [f.start for f in found], 1: [d.at for d in holds], 2: list(cards)}
    for which, times in moments.items():
        for at in times:
            counts.setdefault(at.replace(hour=0, minute=0, second=0, microsecond=0), [0, 0, 0])[which] += 1
    for day in sorted(counts):
        yield (day, counts[day][0], counts[day][1], counts[day][2])


def sentences(told: Outlook, worst: int = WORST) -> Iterator[str]:
    """The outlook for a terminal."""
    yield (
        f"{told.firings:,} firings of {len(told.rules)} rules in {told.days:.0f} days -> {told.cards:,} cards "
        f"({100 * told.fewer:.1f} % fewer); {told.criticals:,} firings were critical, {told.held_criticals} of them held"
    )
    yield (
        f"held {told.held:,}: {told.cleared:,} cleared before anybody was told, {told.late:,} lasted longer than their hold; "
        f"{told.followed:,} were followed by a critical alert of the same service within {AFTER.seconds // 60} min"
    )
    if told.deployments:
        yield f"{told.after_deployment:,} cards within {AFTER.seconds // 60} min after one of {told.deployments:,} deployments"
    yield f"the {min(worst, len(told.rules))} noisiest rules:"
    yield f"  {'rule':40} {'severity':10} {'firings':>8} {'cards':>6} {'held':>6} {'median':>8} {'< 5 min':>8}"
    for rule in told.rules[:worst]:
        yield (
            f"  {rule.name[:40]:40} {rule.severity[:10]:10} {rule.firings:8,} {rule.cards:6,} {rule.held:6,} "
            f"{_span(rule.median_s):>8} {100 * rule.short:7.0f}%"
        )


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
