"""Pages per shift, by night, and what came of them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bot.domain.delivery import Spread, Watch
from bot.incidents.delivery.pages import Acted, Paged, by_night, on_call
from bot.incidents.delivery.words import on_call_lines
from tests.fakes import NOON, an_incident

ZURICH = ZoneInfo("Europe/Zurich")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SINCE, UNTIL = NOON, NOON + 28 * DAY


@pytest.mark.parametrize(
    ("at", "zone", "night"),
    [
        ("2026-11-22T21:30", ZURICH, True),  # 22:30 there
        ("2026-11-22T20:30", ZURICH, False),
        ("2026-11-23T05:59", ZURICH, True),
        ("2026-11-23T06:00", ZURICH, False),  # 07:00
        ("2026-11-22T21:30", ZoneInfo("America/New_York"), False),
        ("2026-03-29T04:59", ZURICH, True),  # the clock was put forward that night: 06:59
        ("2026-03-29T05:00", ZURICH, False),
        ("2026-03-28T05:59", ZURICH, True),  # the day before, 06:59 as well
        ("2026-10-25T05:30", ZURICH, True),  # put back: 06:30
        ("2026-10-25T06:00", ZURICH, False),
        ("2026-10-24T20:00", ZURICH, True),  # still summer: 22:00
    ],
)
def test_night_is_by_the_clock_on_the_wall(at: str, zone: ZoneInfo, night: bool) -> None:
    assert by_night(datetime.fromisoformat(at).replace(tzinfo=UTC), zone) is night


def page(hours: float, name: str = "rota:backend", incident: str = "i1", shift: timedelta = 7 * DAY) -> Paged:
    return Paged(NOON + hours * HOUR, incident, name, ZURICH, shift)


def test_pages_by_shift_night_and_deed_calculated_by_hand() -> None:
    """NOON is 13:00 in Zurich: 10 hours later it is 23:00, 20 hours later 09:00."""
    pages = [page(1), page(10, incident="i2"), page(20, incident="i3"), page(30, "U1", "i1", DAY), page(-1), page(28 * 24)]
    acted = {
        "i1": [Acted(NOON + 2 * HOUR, more=False)],
        "i2": [Acted(NOON + 9 * HOUR, more=True), Acted(NOON + 35 * HOUR, more=True)],  # before the page, and too late
        "i3": [Acted(NOON + 20 * HOUR, more=False), Acted(NOON + 21 * HOUR, more=True)],
    }
    found = on_call(pages, acted, [], {}, SINCE, UNTIL)
    assert found.watches == (Watch("U1", 1.0, 28.0, 1, 0), Watch("rota:backend", 7.0, 4.0, 3, 1))
    assert (found.pages, found.night, found.acted, found.more) == (4, 1, 2, 1)
    assert on_call_lines(found)[1:] == (
        "U1: 0.0 pages a shift (a day), 1 in all, 0 by night",
        "rota:backend: 0.8 pages a shift (a week), 3 in all, 1 by night",
        "Pages: 2 of 4 pages acted on, 1 by more than an acknowledgement; 1 by night",
    )


def test_time_to_acknowledge_is_of_incidents_opened_in_the_span() -> None:
    incidents = [an_incident(id=f"i{n}", number=n, opened_at=NOON + n * HOUR) for n in range(1, 8)]
    incidents += [an_incident(id="merged", number=8, opened_at=NOON + HOUR, merged_into="INC-1")]
    incidents += [an_incident(id="early", number=9, opened_at=NOON - HOUR)]
    taken = {f"i{n}": NOON + n * HOUR + timedelta(minutes=n) for n in range(1, 6)}
    taken |= {"early": NOON, "i6": NOON}  # before it was opened: it was reopened
    found = on_call([], {}, incidents, taken, SINCE, UNTIL)
    assert found.acknowledge == Spread(5, timedelta(minutes=3))
    assert found.unacknowledged == 2
    assert on_call_lines(found)[0] == "Time to acknowledge: 3 min (median of 5 acknowledged incidents); 2 never acknowledged"
