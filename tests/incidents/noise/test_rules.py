"""noise.yaml and matchers: read as Alertmanager does, every fault with its line."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.domain.noise import Matcher
from bot.incidents.noise.matchers import BadMatcher, labels_of, match, parse, parse_several, too_wide
from bot.incidents.noise.rules import read_noise
from bot.incidents.noise.windows import Window, read_days, read_hours
from bot.topology.rulefile import BadRules
from tests.fakes import an_alert


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("service=payments", True),
        ('service="payments"', True),
        ("service!=payments", False),
        ('pod=~"payments-[0-9]+"', True),
        ('pod=~"payments"', False),  # the whole value has to match
        ("pod!~web-.*", True),
        ("nothing=", True),  # a label that is missing is empty
        ("nothing!=", False),
        ("environment=production", True),
    ],
)
def test_a_matcher_says_what_alertmanager_would(text: str, matches: bool) -> None:
    assert match([parse(text)], labels_of(an_alert())) is matches


def test_several_matchers_in_one_text_are_told_apart_and_commas_in_quotes_are_not_ends() -> None:
    found = parse_several(['{a="b,c", d=~"x|y,z"}', "e=f"])
    assert found == (Matcher("a", "=", "b,c"), Matcher("d", "=~", "x|y,z"), Matcher("e", "=", "f"))


def test_no_matcher_at_all_matches_nothing_and_one_that_asks_for_nothing_is_too_wide() -> None:
    assert not match([], {"a": "b"})
    assert too_wide(parse_several(['a=~".*"', "b!=c"]))
    assert not too_wide(parse_several(['a=~".+"']))


@pytest.mark.parametrize("text", ["payments", "a=~(", "=b", "a b=c", "9a=b"])
def test_what_is_no_matcher_is_refused_with_a_good_one(text: str) -> None:
    with pytest.raises(BadMatcher):
        parse(text)


def test_faults_of_the_file_come_all_at_once_with_their_lines() -> None:
    with pytest.raises(BadRules) as refused:
        read_noise(
            "occurrences:\n"
            "  - {name: cron, matchers: ['a=~\"(\"'], times: 1, within: 30}\n"
            "maintenance:\n"
            "  - {name: x, matchers: a=b}\n"
            "  - {name: y, matchers: a=b, hours: 25:00-26:00}\n"
        )
    lines = [fault.line for fault in refused.value.faults]
    assert lines == [2, 2, 2, 4, 5]
    assert "from" in str(refused.value)


def test_two_entries_of_one_name_are_refused_since_reasons_name_them() -> None:
    with pytest.raises(BadRules, match="two entries are called x"):
        read_noise("occurrences:\n  - &a {name: x, matchers: a=b, times: 2, within: 1h}\n  - *a\n")


def nightly(**fields: object) -> Window:
    begins, ends = read_hours("22:00-06:00")
    given = {"zone": ZoneInfo("Europe/Zurich"), "begins": begins, "ends": ends, "days": read_days("fri")} | fields
    return Window("nightly", (parse("a=b"),), **given)  # type: ignore[arg-type]  # a test's own fields


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-11-20T21:30:00Z", "2026-11-21T05:00:00Z"),  # Friday evening in Zurich
        ("2026-11-21T04:59:00Z", "2026-11-21T05:00:00Z"),  # the hours after midnight belong to Friday
        ("2026-11-21T05:00:00Z", None),
        ("2026-11-21T21:30:00Z", None),  # Saturday evening
        ("2026-11-20T20:59:00Z", None),
    ],
)
def test_a_window_over_midnight_belongs_to_the_day_on_which_it_begins(at: str, until: str | None) -> None:
    found = nightly().open_until(datetime.fromisoformat(at))
    assert found == (datetime.fromisoformat(until) if until else None)


def test_a_window_keeps_its_local_hours_over_the_change_of_clocks() -> None:
    summer = nightly(days=read_days("sat")).open_until(datetime(2026, 10, 25, 4, 59, tzinfo=UTC))
    assert summer == datetime(2026, 10, 25, 5, 0, tzinfo=UTC)  # 06:00 in Zurich is winter time by then


def test_the_example_of_the_documentation_is_read_without_a_fault() -> None:
    page = (Path(__file__).parents[3] / "docs/noise.md").read_text(encoding="utf-8")
    rules = read_noise(page.split("```yaml", 1)[1].split("```", 1)[0])
    assert [w.name for w in rules.windows] == ["nightly backup", "move of the staging rack"]
    assert rules.windows[1].critical
    assert (len(rules.inhibits), len(rules.occurrences)) == (1, 1)
