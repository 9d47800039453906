"""Every incident has one home, and anybody can ask why."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from bot.domain.alert import Severity
from bot.incidents.routing import Routing, read_routing, routing_file
from bot.topology.rulefile import BadRules

RULES = """\
default:
  channel: "#incidents"
  on_call: [U0ONCALL]
overview: "#alerts"
routes:
  - name: nights
    match: {owner: team-payments, hours: "22:00-06:00", days: fri}
    channel: "#night-shift"
    on_call: [U0NIGHT]
  - name: payments team
    match: {owner: team-payments, severity: [SEV1, SEV2]}
    channel: "#payments"
  - name: staging
    match: {environment: staging}
    channel: "#staging"
    on_call: []
"""
SUNDAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def routed(routing: Routing, at: datetime = SUNDAY, owner: str = "team-payments", severity: Severity = Severity.SEV2,
           environment: str = "production") -> tuple[str, tuple[str, ...], str]:  # fmt: skip
    route = routing.route(owner=owner, service="payments", severity=severity, environment=environment, at=at)
    return route.channel, route.on_call, route.rule


def test_the_first_route_that_matches_wins_and_says_why() -> None:
    route = read_routing(RULES).route("team-payments", "payments", Severity.SEV2, "production", SUNDAY)
    assert (route.channel, route.on_call, route.rule) == ("#payments", ("U0ONCALL",), "payments team")
    assert route.reasons == ("owner is team-payments", "severity is SEV2")


def test_what_no_route_matches_goes_to_the_default() -> None:
    assert routed(read_routing(RULES), severity=Severity.SEV4) == ("#incidents", ("U0ONCALL",), "default")


def test_a_route_may_have_nobody_on_call() -> None:
    routing = read_routing(RULES)
    assert routed(routing, owner="", environment="staging") == ("#staging", (), "staging")


@pytest.mark.parametrize(
    ("day", "hour", "rule"),
    [
        (20, 23, "nights"),  # Friday evening
        (21, 5, "nights"),  # Saturday before six still belongs to Friday's night
        (21, 23, "payments team"),  # Saturday evening does not
        (20, 5, "payments team"),  # Friday before six belongs to Thursday's night
    ],
)
def test_hours_over_midnight_belong_to_the_day_they_began(day: int, hour: int, rule: str) -> None:
    assert routed(read_routing(RULES), datetime(2026, 11, day, hour, tzinfo=UTC))[2] == rule


def test_hours_are_read_in_the_configured_zone() -> None:
    routing = read_routing(RULES, zone=ZoneInfo("Asia/Tokyo"))
    assert routed(routing, datetime(2026, 11, 20, 14, tzinfo=UTC))[2] == "nights"


def test_explain_tells_every_route_that_was_tried() -> None:
    lines = read_routing(RULES).explain("team-payments", "payments", Severity.SEV2, "production", SUNDAY)
    assert lines == (
        "1. nights: no, it is 12:00, not 22:00-06:00",
        "2. payments team: yes, owner is team-payments, severity is SEV2",
        "→ #payments by payments team; on call: U0ONCALL",
        "  pointer in #alerts (overview)",
    )


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('default: {channel: "#a", on_call: [olivia]}', "default.on_call[0]"),
        ("routes:\n  - {name: a, match: {hours: 9-18}, channel: '#a'}", "hours are written like"),
        ("routes:\n  - {name: a, match: {days: monday}, channel: '#a'}", "days are written like"),
        ("routes:\n  - {name: a, match: {severity: high}, channel: '#a'}", "match.severity[0]"),
        ("routes:\n  - {name: a, match: {ownr: x}, channel: '#a'}", "did you mean owner?"),
        ("default: {channel: nowhere}", "default.channel"),
    ],
)
def test_a_wrong_rule_is_refused_with_what_would_be_right(text: str, told: str) -> None:
    with pytest.raises(BadRules) as refused:
        read_routing(text)
    assert told in str(refused.value)


def test_without_a_file_everything_goes_to_incidents(tmp_path: Path) -> None:
    assert routing_file(tmp_path / "routing.yaml").current.default.channel == "#incidents"
