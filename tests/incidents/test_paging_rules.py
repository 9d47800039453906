"""Whose turn it is, who is reached when, and when nobody is: all of it decided by routing.yaml and a moment."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.domain.alert import Severity
from bot.incidents.routing import Routing, Target, read_routing
from bot.topology.rulefile import BadRules

ROTA = """
rotas:
  backend:
    every: {every}
    handover: {handover}
    timezone: Europe/Zurich
    start: 2026-01-05
    people: [U0ANNA, ben@example.com, U0CARL]
    overrides:
      - {{from: 2026-11-24T00:00:00, to: 2026-11-25T00:00:00, person: U0DORA}}
"""
RULES = """
default: {channel: "#incidents", on_call: [U0ONCALL], on_call_from: "rota:backend", escalation: standard}
escalations:
  standard:
    SEV1: [{after: 15m, to: "#leads"}, {after: 0m, to: pagerduty}, {after: 5m, to: "rota:backend"}]
    SEV3: [{after: 30m, to: U0LEAD}]
quiet_hours:
  - {severity: [SEV3, SEV4], hours: "22:00-07:00"}
  - {severity: SEV4, days: [sat, sun]}
second_outlet: {to: [email, "pagerduty:backup"], after: 2m}
people: {ben@example.com: U0BEN, "Anna Ops": U0ANNA}
""" + ROTA.format(every="week", handover="mon 09:00")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def turn(routing: Routing, when: str) -> str:
    rota = routing.rota("backend")
    assert rota is not None
    return rota.turn(at(when)).person


@pytest.mark.parametrize(
    ("when", "person"),
    [
        ("2026-01-05T07:59", "U0CARL"),  # 08:59 in Zurich: the week before, counted backwards
        ("2026-01-05T08:00", "U0ANNA"),
        ("2026-01-12T07:59", "U0ANNA"),
        ("2026-01-12T08:00", "ben@example.com"),
        ("2026-03-30T06:59", "U0CARL"),  # summer time began the day before: nine o'clock is seven UTC now
        ("2026-03-30T07:00", "U0ANNA"),
        ("2026-11-24T12:00", "U0DORA"),  # stands in
    ],
)
def test_a_week_is_handed_over_by_the_wall_clock(when: str, person: str) -> None:
    assert turn(read_routing(RULES), when) == person


@pytest.mark.parametrize(
    ("when", "day"),
    [
        ("2026-03-29T00:59", 0),  # 02:30 does not exist that day: it is handed over at 03:30
        ("2026-03-29T01:29", 0),
        ("2026-03-29T01:30", 1),
        ("2026-10-25T00:29", 0),  # 02:30 comes twice: the first one counts, and the second changes nothing
        ("2026-10-25T00:30", 1),
        ("2026-10-25T01:15", 1),
        ("2026-10-25T01:45", 1),
    ],
)
def test_a_day_is_handed_over_once_where_daylight_saving_skips_or_doubles_the_hour(when: str, day: int) -> None:
    routing = read_routing(ROTA.format(every="day", handover='"02:30"'))
    people = ["U0ANNA", "ben@example.com", "U0CARL"]
    before = turn(routing, when[:10] + "T00:00")
    assert turn(routing, when) == people[(people.index(before) + day) % 3]


def test_a_turn_says_when_it_ends_also_when_somebody_stands_in_soon() -> None:
    rota = read_routing(RULES).rota("backend")
    assert rota is not None
    assert rota.turn(at("2026-11-23T12:00")).until == at("2026-11-23T23:00")
    assert rota.turn(at("2026-11-24T12:00")).until == at("2026-11-24T23:00")
    assert rota.turn(at("2026-11-25T12:00")).until == at("2026-11-30T08:00")


def test_steps_come_by_severity_the_earliest_first() -> None:
    routing = read_routing(RULES)
    steps = routing.steps(routing.default, Severity.SEV1)
    assert [(s.after, str(s.to)) for s in steps] == [
        (timedelta(0), "pagerduty"),
        (timedelta(minutes=5), "rota:backend"),
        (timedelta(minutes=15), "#leads"),
    ]
    assert routing.steps(routing.default, Severity.SEV2) == ()
    assert routing.steps(routing.default, Severity.SEV3)[0].to == Target("person", "U0LEAD")


def test_quiet_hours_go_by_severity_and_end_in_the_morning() -> None:
    routing = read_routing(RULES)
    night = routing.quiet(Severity.SEV3, at("2026-11-23T23:00"))
    assert night is not None
    assert night.until == at("2026-11-24T07:00")
    weekend = routing.quiet(Severity.SEV4, at("2026-11-22T23:30"))  # a Sunday: of two rules the longer one
    assert weekend is not None
    assert weekend.until == at("2026-11-23T07:00")
    assert routing.quiet(Severity.SEV3, at("2026-11-23T07:00")) is None
    assert routing.quiet(Severity.SEV1, at("2026-11-23T23:00")) is None


def test_people_are_known_by_name_or_address_whatever_the_case() -> None:
    routing = read_routing(RULES)
    assert routing.slack_id("Ben", "BEN@example.com") == "U0BEN"
    assert routing.slack_id("anna ops") == "U0ANNA"
    assert routing.slack_id("nobody", "") == ""


def test_explain_shows_the_whole_way() -> None:
    lines = read_routing(RULES).explain("", "payments", Severity.SEV1, "production", at("2026-11-23T12:00"))
    assert lines == (
        "→ #incidents by default; on call: U0ONCALL",
        "  on call is asked of rota:backend; the people above if it does not answer",
        "  rota backend: ben@example.com until Tue 2026-11-24 00:00 CET",
        "  not acknowledged after 0 min (Mon 12:00): pagerduty",
        "  not acknowledged after 5 min (Mon 12:05): rota:backend",
        "  not acknowledged after 15 min (Mon 12:15): #leads",
        "  if Slack takes no card for 2 min: email, pagerduty:backup",
    )
    quiet = read_routing(RULES).explain("", "payments", Severity.SEV3, "production", at("2026-11-23T23:00"))
    assert "  quiet until Tue 07:00: SEV3 is quiet 22:00-07:00; nobody is mentioned or paged before" in quiet
    assert "  not acknowledged after 30 min (Tue 07:00): U0LEAD" in quiet


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("default: {on_call_from: 'rota:frontend'}", "there is no rota 'frontend'"),
        ("default: {escalation: standrad}", "there is no escalation 'standrad'"),
        ("escalations: {a: {SEV1: [{after: 5 minutes, to: email}]}}", 'a span is written like "5m"'),
        ("escalations: {a: {SEV1: [{after: 5m, to: olivia ops}]}}", "write a Slack user id"),
        ("quiet_hours: [{severity: [SEV1], hours: '22:00-07:00'}]", "SEV1 always disturbs"),
        ("second_outlet: {to: ['#incidents']}", "for when Slack is down"),
        (ROTA.format(every="week", handover='"09:00"'), "for weeks"),
        (ROTA.format(every="day", handover="mon 09:00"), "for days"),
        (ROTA.format(every="day", handover="soon"), "handover is written"),
        (ROTA.format(every="day", handover='"09:00"').replace("Europe/Zurich", "Zurich"), "not a time zone"),
        (ROTA.format(every="day", handover='"09:00"').replace("2026-11-25T", "2026-11-23T"), "end after it begins"),
    ],
)
def test_a_wrong_rule_is_refused_with_what_would_be_right(text: str, told: str) -> None:
    with pytest.raises(BadRules) as refused:
        read_routing(text)
    assert told in str(refused.value)


def test_the_example_of_the_documentation_is_one() -> None:
    page = (Path(__file__).parents[2] / "docs" / "paging.md").read_text(encoding="utf-8")
    routing = read_routing(page.split("```yaml", 1)[1].split("```", 1)[0])
    assert routing.steps(
        routing.route("team-payments", "payments", Severity.SEV1, "production", at("2026-11-23T12:00")), Severity.SEV1
    )
    assert routing.rota("backend") is not None
    assert routing.quiet(Severity.SEV3, at("2026-11-23T23:00")) is not None
    assert routing.second_outlet.to
    assert routing.health == "#tocsin"
