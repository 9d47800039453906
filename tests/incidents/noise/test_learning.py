"""What the past of a problem says, and what it does not."""

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.noise import LEARNED, Episode, Hold, Kind, NoiseLimits, NoiseState, Storm
from bot.incidents.noise import storm
from bot.incidents.noise.learning import current, expected, flap_score, flaps, transient
from tests.fakes import NOON, an_alert

LIMITS = NoiseLimits()
HOUR = timedelta(hours=1)


def episodes(*seconds: float, by_itself: bool = True, days_ago: float = 0) -> tuple[Episode, ...]:
    return tuple(Episode(NOON - timedelta(days=days_ago), s, by_itself) for s in seconds)


def state(**fields: object) -> NoiseState:
    return NoiseState("f" * 16, "DiskSlow", "search", "production", **fields)  # type: ignore[arg-type]  # a test's own fields


def test_five_times_within_a_minute_are_a_transient_and_four_are_too_few_to_say() -> None:
    found = transient(state(episodes=episodes(30, 40, 50, 55, 60)), NOON, LIMITS)
    assert found is not None
    assert (found.usual, found.hold) == (60, 75)
    assert transient(state(episodes=episodes(30, 40, 50, 60)), NOON, LIMITS) is None


def test_what_needed_somebody_one_time_in_five_is_no_transient() -> None:
    past = episodes(30, 40, 50, 60) + episodes(35, by_itself=False)
    assert transient(state(episodes=past), NOON, LIMITS) is None


def test_what_takes_longer_than_the_longest_hold_is_no_transient() -> None:
    assert transient(state(episodes=episodes(*[900] * 20)), NOON, LIMITS) is None


def test_what_is_long_ago_convinces_nobody_any_more() -> None:
    assert transient(state(episodes=episodes(*[30] * 8, days_ago=60)), NOON, LIMITS) is None


@given(st.lists(st.floats(0, 1e6), max_size=30), st.integers(1, 600))
def test_a_hold_is_never_longer_than_the_setting(seconds: list[float], longest: int) -> None:
    found = expected(episodes(*seconds), NOON, NoiseLimits(longest_hold=longest))
    assert 0 <= found.hold <= longest
    assert 0 < found.share < 1


def test_newer_changes_weigh_more_and_old_ones_nothing() -> None:
    assert round(flap_score([NOON], NOON, HOUR), 2) == 1.2
    assert round(flap_score([NOON - timedelta(minutes=59, seconds=59)], NOON, HOUR), 2) == 0.8
    assert flap_score([NOON - HOUR], NOON, HOUR) == 0


def test_it_flaps_from_six_and_stops_below_three() -> None:
    six = tuple(NOON - timedelta(minutes=n) for n in range(12, 0, -2))
    assert flaps(state(changes=six), NOON, LIMITS)
    three = six[-3:]
    assert flaps(state(changes=three, flapping=True), NOON, LIMITS)
    assert not flaps(state(changes=three), NOON, LIMITS)
    assert not flaps(state(changes=three, flapping=True), NOON + HOUR, LIMITS)


def test_what_another_version_learned_is_forgotten_and_a_hold_stays() -> None:
    hold = Hold(Kind.SILENCE, "", NOON, NOON + HOUR, an_alert(), "i")
    old = state(version=LEARNED - 1, fired=9, episodes=episodes(30), flapping=True, hold=hold)
    assert current(old) == state(hold=hold)


def test_a_storm_begins_at_the_threshold_and_ends_below_half_of_it() -> None:
    limits = NoiseLimits(storm_problems=10, storm_window=300)
    calm = storm.after(Storm("production"), 9, NOON, limits)
    assert calm.since is None
    raging = storm.after(calm, 1, NOON + timedelta(seconds=60), limits)
    assert raging.since == NOON + timedelta(seconds=60)
    assert storm.size(raging) == 10
    later = storm.after(raging, 6, NOON + timedelta(seconds=290), limits)
    assert storm.after(later, 0, NOON + timedelta(seconds=400), limits).since == raging.since
    assert storm.after(later, 0, NOON + timedelta(seconds=600), limits).since is None
