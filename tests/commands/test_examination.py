"""Each judgement of the doctor says what is wrong and what to do next."""

from datetime import timedelta

import pytest

from bot.commands import examination as judge
from bot.domain.conversation import Abilities
from bot.domain.service import Catalogue, Service
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.slack.examine import FEATURES, Identity
from tests.fakes import NOON


def test_a_token_in_the_wrong_place_is_named_by_its_kind_and_never_shown() -> None:
    found = judge.of_token("SLACK_BOT_TOKEN", "xapp-1-very-secret", "xoxb-", "OAuth & Permissions")
    assert (found.ok, "an app-level token" in found.text, "very-secret" in found.text) == (False, True, False)
    assert judge.of_token("SLACK_BOT_TOKEN", "xoxb-1", "xoxb-", "").ok
    assert judge.kind_of("hello") == "no token that Slack gives out"


def test_without_either_way_to_be_reached_both_are_offered() -> None:
    assert not judge.of_mode(False, False).ok
    assert "SLACK_APP_TOKEN" in judge.of_mode(False, False).text
    assert (judge.of_mode(True, True).ok, judge.of_mode(False, True).ok) == (True, True)


@pytest.mark.parametrize(
    ("granted", "ok", "words"),
    [
        (frozenset({"a", "b", "more"}), True, "all 2 scopes"),
        (frozenset({"a"}), False, "not granted: b; add them under OAuth & Permissions"),
        (None, False, "does not tell"),
    ],
)
def test_granted_scopes_are_compared_with_the_manifest(granted: frozenset[str] | None, ok: bool, words: str) -> None:
    found = judge.of_scopes(Identity("tocsin", "Shop", granted), ("a", "b"))
    assert (found.ok, words in found.text) == (ok, True)


def test_a_refused_feature_says_what_people_do_without() -> None:
    assert all(judge.of_feature(method, "").ok for method in FEATURES)
    refused = judge.of_feature("chat.startStream", "unknown_method")
    assert (refused.ok, "posted whole" in refused.text) == (False, True)


def test_a_channel_without_the_bot_says_how_to_invite_it() -> None:
    assert "/invite @tocsin" in judge.of_channel("#payments", False).text
    assert judge.of_channel("#payments", True).ok


@pytest.mark.parametrize(
    ("signed", "ago", "ok", "words"),
    [
        (False, None, False, "refused until it is set: TOCSIN_GITHUB_SECRET"),
        (True, None, True, "none came yet: point it at /webhooks/github"),
        (True, timedelta(minutes=5), True, "5 min ago"),
        (True, timedelta(hours=20), True, "20 h ago"),
        (True, timedelta(days=9), False, "9 days ago; look at the sender"),
    ],
)
def test_a_door_tells_when_the_last_delivery_came(signed: bool, ago: timedelta | None, ok: bool, words: str) -> None:
    found = judge.of_door("github", signed, NOON - ago if ago is not None else None, NOON)
    assert (found.ok, words in found.text) == (ok, True)


def test_connectors_that_nobody_set_up_are_one_line_and_those_that_somebody_wants_are_their_own() -> None:
    signed = {"github": False, "grafana": True, "jira": False, "zabbix": False}
    found = list(judge.of_doors(signed, {"github"}, {}, NOON))
    assert [(f.subject, f.ok) for f in found] == [("github", False), ("grafana", True), ("connectors", True)]
    assert found[-1].text.startswith("not set up: jira, zabbix;")
    assert [f.ok for f in judge.of_doors({"jira": False}, (), {}, NOON)] == [False]  # nothing comes in at all
    assert [f.subject for f in judge.of_doors({"jira": False}, (), {"jira": NOON}, NOON)] == ["jira"]


def test_a_door_without_a_secret_says_what_its_vendor_proves_itself_by() -> None:
    (found,) = judge.of_doors({"cloudwatch": False}, {"cloudwatch"}, {}, NOON, {"cloudwatch": 'topics = ["arn:..."]'})
    assert found.text == 'all are refused until it is set: topics = ["arn:..."]'


def test_dead_and_late_work_is_counted_by_queue() -> None:
    counts = {("slack", "dead"): 2, ("actions", "dead"): 1, ("slack", "ready"): 5}
    dead, late = judge.of_work(counts, 300.0)
    assert (dead.ok, "1 of actions, 2 of slack was given up" in dead.text) == (False, True)
    assert (late.ok, "300 s" in late.text) == (False, True)
    assert [f.ok for f in judge.of_work({("slack", "ready"): 5}, 3.0)] == [True]


def test_services_of_which_nothing_was_heard_are_counted_named_and_helped() -> None:
    names = [f"s{n}" for n in range(8)]
    services = {n: Service(n, owner="team" if n == "s0" else "") for n in names} | {"pay": Service("pay", external=True)}
    shipped, alerted, owners = judge.of_coverage(Catalogue(services), {"s0", "s1"}, set(names))
    assert "no deployment events in 30 days for 6 of 8 services (s2, s3, s4, s5, s6 and 1 more): point GitHub" in shipped.text
    assert (alerted.ok, alerted.text) == (True, "all 8 services have alerts in 30 days")
    assert "no owner for 7 of 8 services" in owners.text
    assert list(judge.of_coverage(Catalogue(), (), ())) == []


def test_a_model_that_can_do_nothing_did_not_answer() -> None:
    assert not judge.of_abilities("openai:x", Abilities()).ok
    able = judge.of_abilities("openai:x", Abilities(tools=True, json_schema=True, context=128000, small=False))
    assert (able.ok, "tools, JSON schema, 128000 tokens, investigates with tools" in able.text) == (True, True)


def test_a_source_of_evidence_that_fails_needs_attention_and_one_that_knows_nothing_is_told() -> None:
    def reading(status: SourceStatus, reason: str = "", series: tuple[Series, ...] = ()) -> Readings:
        return Readings("prometheus", "up", Window(NOON, NOON), status, reason, series=series)

    asked = ("cart", "pay")
    good = reading(SourceStatus.OK, series=(Series("cart", "x", ()),))
    bad = judge.of_evidence("prometheus", asked, (good, reading(SourceStatus.FAILED, "Prometheus answered 503.")))
    assert (bad.ok, "503" in bad.text, "Asked: up" in bad.text) == (False, True, True)
    found = judge.of_evidence("prometheus", asked, (good, good))
    assert (found.ok, found.text) == (True, "prometheus answers: 2 series of cart, pay in the last 15 minutes")
    nothing = judge.of_evidence("prometheus", asked, (reading(SourceStatus.NO_DATA, "no series match"),))
    assert (nothing.ok, "with nothing of cart, pay" in nothing.text, "no series match" in nothing.text) == (True, True, True)
    assert judge.of_evidence("prometheus", (), ()).ok
    assert "nothing to ask of cart, pay" in judge.of_evidence("cloudwatch", asked, ()).text


def test_ours_and_outside_services_are_tried() -> None:
    many = {f"s{n}": Service(f"s{n}") for n in range(9)} | {"out": Service("out", external=True)}
    assert judge.to_ask(Catalogue(many)) == ("s0", "s1", "s2", "s3", "s4", "out")
