"""Alerts become incidents: told once, kept exactly, ended by themselves."""

import time
from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from bot.domain.alert import Alert, Severity, unreadable
from bot.domain.incident import Incident, Status
from bot.flows.alerts import on_alerts
from bot.flows.settling import close_old, settle
from bot.ports import Transaction
from bot.storage.alerts import alerts as alert_rows
from bot.storage.database import SqlDatabase, sql
from tests.fakes import NOON, an_alert
from tests.flows.desk_of_alerts import Story


@pytest.fixture
def story(database: SqlDatabase) -> Story:
    return Story(database)


def ended(story: Story, **fields: object) -> Alert:
    return an_alert(resolved=True, ended_at=story.clock(), **fields)


async def settled(story: Story, incident: Incident) -> None:
    await settle({"incident_id": incident.id}, story.desk)


def test_the_first_alert_opens_an_incident_is_announced_and_looked_into(story: Story) -> None:
    story.alerts(an_alert())
    incident = story.only()
    assert (incident.key, incident.title, incident.service) == ("INC-1", "payments answers with errors", "payments")
    assert (incident.status, incident.severity, incident.firing) == (Status.OPEN, Severity.SEV2, 1)
    assert story.ends() == ["first_card", "investigate"]
    assert story.told(incident) == ["HighErrorRate on payments “payments answers with errors”: it opened the incident"]


def test_a_repeat_never_makes_a_new_incident_nor_any_work(story: Story) -> None:
    story.alerts(an_alert())
    before, work = story.only(), story.ends()
    story.clock.advance(hours=5)
    story.alerts(an_alert(), an_alert())
    after = story.only()
    assert (after.events, after.firing) == (3, before.firing)
    assert story.ends() == work
    assert len(story.told(after)) == 1


def test_three_services_that_call_each_other_are_one_incident_with_reasons(story: Story) -> None:
    story.alerts(an_alert(service="checkout"))
    story.clock.advance(seconds=12)
    story.alerts(
        an_alert(service="storefront", started_at=story.clock()), an_alert(service="payments-api", started_at=story.clock())
    )
    reasons = {m.service: m.reason for m in story.only().members}
    assert reasons == {
        "checkout": "it opened the incident",
        "storefront": "storefront calls checkout, 12 s apart",
        "payments": "checkout calls payments, 12 s apart",
    }


def test_an_alias_and_a_missing_environment_are_the_same_problem(story: Story) -> None:
    story.alerts(an_alert(), an_alert(service="payments-api", environment=""))
    assert [(m.service, m.events) for m in story.only().members] == [("payments", 2)]


def test_one_more_instance_is_visible_in_the_same_member(story: Story) -> None:
    story.alerts(an_alert())
    story.alerts(an_alert(labels={"pod": "payments-2"}))
    assert [m.firing for m in story.only().members] == [2]
    assert "HighErrorRate on payments: 2 instances fire (were 1)" in story.told(story.only())


async def test_the_incident_settles_once_its_last_alert_stayed_clear(story: Story) -> None:
    story.alerts(an_alert())
    story.alerts(ended(story))
    (work,) = story.work.named("settle")
    assert work.not_before == story.clock() + story.desk.limits.settle
    await settled(story, story.only())
    assert story.only().live
    story.clock.advance(seconds=60)
    await settled(story, story.only())
    await settled(story, story.only())
    done = story.only()
    assert (done.status, done.resolved_by) == (Status.RESOLVED, "alerts cleared")
    assert [t for t in story.told(done) if "resolved" in t] == ["resolved: alerts cleared"]


async def test_an_alert_that_fires_again_in_time_keeps_the_incident_open(story: Story) -> None:
    story.alerts(an_alert())
    story.alerts(ended(story))
    story.clock.advance(seconds=50)
    story.alerts(an_alert(started_at=story.clock()))
    story.clock.advance(seconds=50)
    await settled(story, story.only())
    assert story.only().live
    assert "HighErrorRate on payments fires again" in story.told(story.only())


async def test_an_alert_that_came_and_went_while_the_incident_settled_only_delays_its_end(story: Story) -> None:
    story.alerts(an_alert())
    story.alerts(ended(story))
    story.clock.advance(seconds=40)
    story.alerts(an_alert(started_at=story.clock()), ended(story))
    story.clock.advance(seconds=20)
    await settled(story, story.only())
    assert story.only().live
    assert story.work.named("settle")[-1].not_before == story.clock() + timedelta(seconds=40)
    story.clock.advance(seconds=40)
    await settled(story, story.only())
    assert story.only().status is Status.RESOLVED


async def test_a_look_that_comes_a_little_early_by_another_clock_is_not_the_last_one(story: Story) -> None:
    story.alerts(an_alert())
    story.alerts(ended(story))
    story.clock.advance(seconds=59.5)
    await settled(story, story.only())
    story.clock.advance(seconds=10)
    _, work = story.work.named("settle")
    assert work.not_before is not None
    assert work.not_before <= story.clock()
    await settle(work.args, story.desk)
    assert story.only().status is Status.RESOLVED


def test_the_same_problem_reopens_its_resolved_incident_within_the_window(story: Story) -> None:
    story.alerts(an_alert())
    story.alerts(ended(story))
    story.move(story.only(), Status.RESOLVED)
    story.clock.advance(minutes=29)
    story.alerts(an_alert(started_at=story.clock()))
    assert (story.only().status, story.only().firing) == (Status.OPEN, 1)
    assert "reopened: HighErrorRate on payments fires again" in story.told(story.only())


def test_after_the_window_the_same_problem_opens_a_new_incident(story: Story) -> None:
    story.alerts(an_alert())
    story.alerts(ended(story))
    story.move(story.only(), Status.RESOLVED)
    story.clock.advance(minutes=31)
    story.write(lambda tx: close_old(tx, story.desk))
    assert story.only().status is Status.CLOSED
    story.alerts(an_alert(started_at=story.clock()))
    assert [i.status for i in story.incidents()] == [Status.CLOSED, Status.OPEN]


def test_a_resolved_incident_is_not_closed_before_its_time(story: Story) -> None:
    story.alerts(an_alert())
    story.move(story.only(), Status.RESOLVED)
    story.clock.advance(minutes=29)
    story.write(lambda tx: close_old(tx, story.desk))
    assert story.only().status is Status.RESOLVED


def test_a_repeat_of_what_somebody_resolved_by_hand_opens_nothing(story: Story) -> None:
    story.alerts(an_alert())
    story.move(story.only(), Status.RESOLVED)
    story.clock.advance(hours=4)
    story.alerts(an_alert())
    assert story.only().status is Status.RESOLVED


def test_an_end_of_something_never_seen_is_kept_and_opens_nothing(story: Story) -> None:
    story.alerts(ended(story))
    assert not story.incidents()
    rows = story.database.read_now(lambda tx: sql(tx).execute(select(alert_rows.c.verdict)).scalars().all())
    assert rows == ["cleared, never seen firing"]
    story.alerts(an_alert(severity=Severity.SEV3, started_at=NOON - timedelta(minutes=1)))
    assert not story.incidents()


def test_a_critical_alert_whose_end_came_before_its_beginning_is_told_and_over(story: Story) -> None:
    story.alerts(ended(story))
    story.alerts(an_alert(severity=Severity.SEV1, started_at=NOON - timedelta(minutes=1)))
    assert story.only().firing == 0
    story.alerts(an_alert(severity=Severity.SEV1, started_at=NOON - timedelta(minutes=1)))  # once
    assert story.only().members[0].firing == 0


def test_an_alert_that_came_and_went_in_one_batch_is_still_an_incident(story: Story) -> None:
    story.alerts(an_alert(resolved=True, ended_at=NOON), an_alert(started_at=NOON - timedelta(minutes=1)))
    assert story.only().firing == 0
    assert len(story.work.named("settle")) == 1


def test_an_acknowledged_incident_stays_so_when_another_alert_joins(story: Story) -> None:
    story.alerts(an_alert())
    story.move(story.only(), Status.ACKNOWLEDGED)
    story.alerts(an_alert(service="checkout"))
    assert (story.only().status, len(story.only().members)) == (Status.ACKNOWLEDGED, 2)


def test_severity_rises_and_says_so_but_never_sinks(story: Story) -> None:
    story.alerts(an_alert(severity=Severity.SEV3))
    story.alerts(an_alert(service="checkout", severity=Severity.SEV2))
    assert story.only().severity is Severity.SEV2
    story.alerts(ended(story, service="checkout", severity=Severity.SEV2))
    assert story.only().severity is Severity.SEV2
    assert "severity raised from SEV3 to SEV2" in story.told(story.only())


def test_unreadable_deliveries_are_one_incident_until_somebody_resolves_it(story: Story) -> None:
    odd = unreadable("alertmanager", "$.alerts", "nothing is here", NOON)
    story.alerts(odd, an_alert())
    story.alerts(odd)
    titles = {i.title: i.events for i in story.incidents()}
    assert titles == {"unreadable deliveries from alertmanager": 2, "payments answers with errors": 1}
    story.move(next(i for i in story.incidents() if "unreadable" in i.title), Status.RESOLVED)
    story.alerts(odd)
    assert Counter(i.title for i in story.incidents())["unreadable deliveries from alertmanager"] == 2


def test_a_secret_in_a_label_is_kept_nowhere(story: Story) -> None:
    token = "ghp_" + "R4nd0mT0k3nAbCdEfGhIjKlMnOpQrStUvWx9"
    story.alerts(an_alert(labels={"note": token}, summary=f"token={token}", description=f"see {token}"))
    rows = story.database.read_now(lambda tx: sql(tx).execute(select(alert_rows.c.body)).scalars().all())
    assert token not in "".join(rows) + repr(story.only()) + "".join(story.told(story.only()))


def test_characters_that_no_database_takes_do_no_harm(story: Story) -> None:
    story.alerts(an_alert(summary="bro\x00ken \ud800 text", labels={"a\x00": "\udfff", "long": "x" * 9000}, name="n" * 900))
    assert story.only().title == "broken text"


def test_two_hundred_alerts_take_a_bounded_number_of_statements(story: Story) -> None:
    batch = [an_alert(labels={"pod": f"p{n}"}, name=f"Rule{n % 20}") for n in range(200)]
    statements: list[str] = []

    def counted(tx: Transaction) -> None:
        def count(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
            statements.append(statement)

        event.listen(sql(tx), "before_cursor_execute", count)
        on_alerts(tx, batch, story.desk)

    began = time.process_time()
    story.write(counted)
    assert time.process_time() - began < 2  # 0.1 s on an idle machine
    assert len(statements) < 30
    assert story.only().firing == 200


telling = st.lists(
    st.tuples(st.sampled_from(["checkout", "payments", "blog"]), st.sampled_from("ab"), st.booleans(), st.integers(1, 40)),
    min_size=1,
    max_size=15,
)


@given(telling)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_alert_counts_are_exact_whatever_comes(story: Story, told: list[tuple[str, str, bool, int]]) -> None:
    """Every example continues the same story: what fires by the incidents is what fires in truth, and every event is kept."""
    start = story.clock.advance(days=1)
    truth: dict[tuple[str, str], object] = {}
    for service, pod, on, minutes in told:
        now = story.clock.advance(minutes=minutes)
        labels, key = {"pod": pod, "day": str(start)}, (service, pod)
        name = f"Rule{start.toordinal()}"
        if on:
            begun = truth.setdefault(key, now)
            story.alerts(*[an_alert(service=service, name=name, labels=labels, started_at=begun)] * 2)
        else:
            truth.pop(key, None)
            story.alerts(an_alert(service=service, name=name, labels=labels, resolved=True, started_at=now, ended_at=now))
    mine = [i for i in story.incidents() if i.opened_at >= start]
    assert sum(i.firing for i in mine) == len(truth)
    assert not [i for i in mine if i.status is Status.CLOSED]
    kept = story.database.read_now(
        lambda tx: sql(tx).execute(select(alert_rows.c.id).where(alert_rows.c.name == f"Rule{start.toordinal()}")).all()
    )
    assert len(kept) == sum(2 if on else 1 for _, _, on, _ in told)
