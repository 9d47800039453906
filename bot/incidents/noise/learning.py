"""What the past of a problem says: how often it fired, whether it flaps, and whether it clears by itself and how soon."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache

from bot.domain.noise import LEARNED, Episode, NoiseLimits, NoiseState
from bot.incidents.dedup import BEGINS, News, Verdict

KEPT = 30  # newest fires, changes and episodes that are kept
LONGEST = timedelta(days=30)  # an alert may say that it began years ago
QUANTILE = 0.9  # a hold lasts as long as nine in ten of those that cleared by themselves took ...
ANY_SERVICE = "any service"  # of the state that stands for a rule
MARGIN = 1.25  # ... and a quarter more


def current(state: NoiseState) -> NoiseState:
    """The state, without what another version of the learning left; a hold stays."""
    if state.version == LEARNED:
        return state
    return replace(forgotten(state), version=LEARNED)


def forgotten(state: NoiseState) -> NoiseState:
    """The state with nothing learned; that it fires, and a hold, stay."""
    return replace(state, fired=0, fires=(), changes=(), flapping=False, episodes=())


@lru_cache(maxsize=10_000)
def rule_mark(environment: str, name: str) -> str:
    """What the alert rule of this name is known by, over all services: a fingerprint that no problem has."""
    return hashlib.sha256("\x1f".join(("rule", environment, name)).encode()).hexdigest()[:16]


def taught(rule: NoiseState | None, state: NoiseState, before: int) -> NoiseState:
    """What is known of a problem's rule once the problem cleared: the episodes after the first `before` are new."""
    known = rule or NoiseState(rule_mark(state.environment, state.name), state.name, ANY_SERVICE, state.environment)
    fresh = state.episodes[before:] if before < KEPT else state.episodes[-1:]
    return replace(known, fired=known.fired + len(fresh), episodes=(*known.episodes, *fresh)[-KEPT:])


def begun(news: News) -> NoiseState:
    """The state of a problem of which nothing was kept so far; that it fired already is known from its instance."""
    event, _ = news.events[0]
    alert = event.alert
    state = NoiseState(news.fingerprint, alert.name, alert.service, alert.environment)
    before = news.before
    if before is None or not before.count:
        return state
    since = min((*before.firing.values(), *((before.last_at,) if before.last_at else ())), default=None)
    if since is None:
        return state
    return replace(state, fired=1, fires=(since,), changes=(since,), began=since)


def heard(state: NoiseState, news: News, now: datetime, limits: NoiseLimits, *, by_itself: bool) -> NoiseState:
    """The state after the news, by the receiver's clock; `by_itself`: nobody did anything about what cleared."""
    count = news.before.count if news.before else 0
    fires, changes = list(state.fires), list(state.changes)
    began, episodes, fired = state.began, list(state.episodes), state.fired
    for _, verdict in news.events:
        if verdict in BEGINS:
            fired += 1
            fires.append(now)
            count += 1
            if count == 1:
                changes.append(now)
                began = now
        elif verdict is Verdict.CLEARED:
            count -= 1
            if count == 0:
                changes.append(now)
                if began is not None:
                    lasted = min(max(now - began, timedelta(0)), LONGEST)
                    episodes.append(Episode(now, lasted.total_seconds(), by_itself))
                began = None
    after = replace(
        state,
        fired=fired,
        fires=tuple(fires[-KEPT:]),
        changes=tuple(changes[-KEPT:]),
        began=began,
        episodes=tuple(episodes[-KEPT:]),
    )
    return replace(after, flapping=flaps(after, now, limits))


# --- flapping -----------------------------------------------------------------------------------------------------


def flap_score(changes: Sequence[datetime], now: datetime, window: timedelta) -> float:
    """How often it changed within the window; the newest change counts 1.2, the oldest 0.8.

    The weights are those of Nagios ("Detection and Handling of State Flapping"), which looks at the last 21 checks. We are
    told of changes and not of checks, so changes within a span of time are counted.
    """
    ages = [(now - at) / window for at in changes]
    return sum(0.8 + 0.4 * (1 - age) for age in ages if 0 <= age < 1)


def flaps(state: NoiseState, now: datetime, limits: NoiseLimits) -> bool:
    """It begins to flap at `flap_changes` and ends below half of it, so that it does not flap between both."""
    score = flap_score(state.changes, now, timedelta(seconds=limits.flap_window))
    return score >= limits.flap_changes or (state.flapping and score >= limits.flap_changes / 2)


# --- transients ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the past says: of so many times (old ones count less), this share cleared by itself within `hold`."""

    times: int
    weight: float
    share: float
    usual: float  # seconds that nine in ten of those that cleared by themselves took; 0 for none
    hold: float  # seconds


def expected(episodes: Sequence[Episode], now: datetime, limits: NoiseLimits) -> Expectation:
    """Each time counts half as much after every half-life; the share is by Laplace's rule of succession: (s + 1) / (n + 2)."""
    half = limits.transient_half_life_days * 86400
    weighed = [(0.5 ** (max((now - e.at).total_seconds(), 0) / half), e) for e in episodes]
    total = sum(weight for weight, _ in weighed)
    usual = _quantile([(e.seconds, weight) for weight, e in weighed if e.by_itself])
    hold = min(max(usual * MARGIN, usual + 10), limits.longest_hold) if usual is not None else 0.0
    good = sum(weight for weight, e in weighed if e.by_itself and e.seconds <= hold)
    return Expectation(len(episodes), total, (good + 1) / (total + 2), usual or 0.0, hold)


def _quantile(values: Sequence[tuple[float, float]]) -> float | None:
    total, reached = sum(weight for _, weight in values), 0.0
    for value, weight in sorted(values):
        reached += weight
        if reached >= QUANTILE * total:
            return value
    return None


def transient(state: NoiseState, now: datetime, limits: NoiseLimits) -> Expectation | None:
    """What the past of a problem, or of a rule, says if it says that this will clear by itself soon, else None."""
    if len(state.episodes) < limits.transient_samples:
        return None
    found = expected(state.episodes, now, limits)
    return found if found.share >= limits.transient_share else None


def span(seconds: float) -> str:
    """A span as people say it: "45 s", "3 min"."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
