"""Noise is kept from people with a reason, criticals never, and nothing of it is lost."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from bot.domain.alert import Alert, Severity, fingerprint
from bot.domain.incident import Status
from bot.domain.noise import WAITING, Decision, Episode, Kind, NoiseLimits, NoiseState, Outcome
from bot.domain.request import Person
from bot.errors import NotFound
from bot.flows.alerts import release
from bot.flows.grouping import regroup
from bot.flows.quiet import quieting
from bot.flows.quiet.arming import switch_name
from bot.flows.quiet.holds import release_overdue
from bot.incidents.noise.matchers import BadMatcher
from bot.incidents.noise.rules import read_noise
from bot.storage.alerts import alerts as alert_rows
from bot.storage.database import SqlDatabase, sql
from tests.fakes import NOON, an_alert
from tests.flows.desk_of_alerts import Story

ANN = Person("U0ANN")


@pytest.fixture
def story(database: SqlDatabase) -> Story:
    return Story(database)


def disk(story: Story, **fields: Any) -> Alert:
    """A warning of the blog's disk that began just now."""
    given = {
        "name": "DiskSlow",
        "service": "blog",
        "severity": Severity.SEV3,
        "started_at": story.clock(),
        "labels": {"disk": "a"},
    }
    return an_alert(**{**given, **fields})


def over(story: Story, alert: Alert) -> Alert:
    return replace(alert, resolved=True, ended_at=story.clock())


def fires_for(story: Story, seconds: float, **fields: Any) -> None:
    """It fires, and clears after so long; then an hour and a half passes."""
    alert = disk(story, **fields)
    story.alerts(alert)
    story.clock.advance(seconds=seconds)
    story.alerts(over(story, alert))
    story.clock.advance(minutes=90)


def learned(story: Story, times: int = 5, seconds: float = 40, **fields: Any) -> None:
    """It fired so often in the last days, cleared by itself after so long, and nobody was bothered by it."""
    alert = disk(story, **fields)
    past = tuple(Episode(NOON - timedelta(hours=3 * n + 1), seconds, by_itself=True) for n in range(times, 0, -1))
    state = NoiseState(fingerprint(alert), alert.name, alert.service, alert.environment, fired=times, episodes=past)
    story.write(lambda tx: story.desk.noise.keep(tx, [state], NOON))


def armed(story: Story, *kinds: Kind) -> None:
    for kind in kinds:
        story.write(lambda tx, k=kind: story.desk.switches.turn(tx, switch_name(k, "*"), "armed", "U0ANN", NOON))  # type: ignore[misc]  # mypy cannot infer a lambda with a default


def decisions(story: Story, *kinds: Kind) -> Sequence[Decision]:
    """The decisions of these kinds, the oldest first; without any, all but those on what is alone: nearly everything is."""
    made = story.database.read_now(lambda tx: story.desk.noise.decided(tx))[::-1]
    return [one for one in made if (one.kind in kinds if kinds else one.kind not in WAITING)]


def verdicts(story: Story) -> list[str]:
    return story.database.read_now(
        lambda tx: list(sql(tx).execute(select(alert_rows.c.verdict).order_by(alert_rows.c.id)).scalars())
    )


async def time_passes(story: Story, **span: float) -> None:
    """The clock moves on second by second where work is due, and that work runs."""
    until = story.clock() + timedelta(**span)
    while due := sorted(
        (
            s
            for s in story.work.started
            if s.name == "release" and s.id not in story.work.done and s.not_before and s.not_before <= until
        ),
        key=lambda s: s.not_before or NOON,
    ):
        story.clock.set(max(story.clock(), due[0].not_before or NOON))
        story.work.done.add(due[0].id)
        await release(due[0].args, story.desk)
    story.clock.set(until)


def rules(story: Story, text: str) -> None:
    made = read_noise(text)
    story.desk = replace(story.desk, noise_rules=lambda: made)


# --- transients ---------------------------------------------------------------------------------------------------


def test_what_always_cleared_by_itself_is_at_first_only_said_to_be_worth_holding(story: Story) -> None:
    for _ in range(6):
        fires_for(story, 40)
    assert len(story.incidents()) == 6
    (made,) = decisions(story)
    assert (made.kind, made.acted, made.outcome) == (Kind.TRANSIENTS, False, Outcome.CLEARED)
    assert made.incident_id == story.incidents()[-1].id
    assert made.reason.startswith("it cleared by itself within 50 s in most of 5 times")


async def test_once_armed_it_is_held_and_what_clears_meanwhile_reaches_nobody(story: Story) -> None:
    learned(story)
    armed(story, Kind.TRANSIENTS)
    work = len(story.work.named("first_card"))
    alert = disk(story)
    story.alerts(alert)
    await time_passes(story, seconds=40)
    story.alerts(over(story, alert))
    await time_passes(story, hours=1)
    assert not story.incidents()
    assert len(story.work.named("first_card")) == work
    assert verdicts(story) == ["new, held: transients", "cleared"]
    (made,) = decisions(story)
    assert (made.acted, made.outcome) == (True, Outcome.CLEARED)


async def test_what_fires_longer_than_its_hold_becomes_an_incident_once(story: Story) -> None:
    learned(story)
    armed(story, Kind.TRANSIENTS)
    story.alerts(disk(story))
    began = story.clock()
    await time_passes(story, seconds=49)
    assert len(story.incidents()) == 0
    await time_passes(story, seconds=2)
    assert len(story.incidents()) == 1
    incident = story.incidents()[-1]
    assert (incident.firing, incident.events, incident.opened_at) == (1, 1, began)
    assert decisions(story)[-1].outcome is Outcome.OUTLASTED
    await release({"at": began.isoformat()}, story.desk)  # at least once: a second run changes nothing
    assert len(story.incidents()) == 1
    story.alerts(over(story, disk(story, started_at=began)))
    assert story.incidents()[-1].firing == 0


async def test_a_critical_alert_is_never_held_whatever_its_past(story: Story) -> None:
    learned(story, 8)
    armed(story, *[kind for kind in Kind if kind in (Kind.TRANSIENTS, Kind.FLAPPING, Kind.UPSTREAM, Kind.STORMS)])
    story.alerts(disk(story, severity=Severity.SEV2))
    assert len(story.incidents()) == 1
    assert not decisions(story)


async def test_a_critical_instance_of_a_held_problem_lets_it_go_at_once(story: Story) -> None:
    learned(story)
    armed(story, Kind.TRANSIENTS)
    story.alerts(disk(story))
    assert len(story.incidents()) == 0
    story.clock.advance(seconds=5)
    story.alerts(disk(story, severity=Severity.SEV2, labels={"disk": "b"}))
    assert len(story.incidents()) == 1
    assert story.incidents()[-1].firing == 2
    assert decisions(story)[-1].outcome is Outcome.TOLD
    await time_passes(story, minutes=10)
    assert len(story.incidents()) == 1


def test_duplicates_of_what_is_held_change_nothing(story: Story) -> None:
    learned(story)
    armed(story, Kind.TRANSIENTS)
    alert = disk(story)
    for _ in range(3):
        story.alerts(alert, alert)
    assert len(decisions(story)) == 1
    assert len(story.work.named("release")) == 1
    assert len(story.incidents()) == 0


async def test_what_usually_clears_joins_the_incident_beside_it_only_once_it_stayed(story: Story) -> None:
    learned(story)
    armed(story, Kind.TRANSIENTS)
    story.alerts(disk(story), disk(story, name="BlogDown", labels={"x": "y"}))
    assert [m.name for m in story.only().members] == ["BlogDown"]
    await time_passes(story, minutes=6)
    assert {m.name for m in story.only().members} == {"BlogDown", "DiskSlow"}


def test_a_rule_that_clears_by_itself_everywhere_is_held_where_it_is_new_and_a_critical_one_never(story: Story) -> None:
    for _ in range(5):
        alert = disk(story)
        story.alerts(alert)
        story.clock.advance(seconds=40)
        story.alerts(over(story, alert))
        story.clock.advance(minutes=40)
    armed(story, Kind.TRANSIENTS)
    told = len(story.incidents())
    story.alerts(disk(story, service="checkout"))
    (made,) = decisions(story)
    assert made.reason.startswith("DiskSlow (of whatever service) cleared by itself")
    assert len(story.incidents()) == told
    story.alerts(disk(story, service="payments", severity=Severity.SEV1))
    assert len(story.incidents()) == told + 1


def test_an_armed_transient_is_held_though_it_flaps_too_and_that_is_in_shadow(story: Story) -> None:
    learned(story)
    mark = fingerprint(disk(story))
    known = story.database.read_now(lambda tx: story.desk.noise.states(tx, [mark]))[mark]
    changes = tuple(NOON - timedelta(minutes=4 * n) for n in range(12, 0, -1))
    flapping = replace(known, flapping=True, changes=changes)
    story.write(lambda tx: story.desk.noise.keep(tx, [flapping], NOON))
    armed(story, Kind.TRANSIENTS)
    story.alerts(disk(story))
    assert len(story.incidents()) == 0
    assert [(d.kind, d.acted) for d in decisions(story)] == [(Kind.TRANSIENTS, True)]


def test_what_people_had_to_mend_was_no_transient(story: Story) -> None:
    for _ in range(6):
        alert = disk(story)
        story.alerts(alert)
        story.move(story.incidents()[-1], Status.ACKNOWLEDGED)
        story.clock.advance(seconds=40)
        story.alerts(over(story, alert))
        story.clock.advance(minutes=90)
    assert not decisions(story)


# --- flapping -----------------------------------------------------------------------------------------------------


async def test_what_flaps_is_one_incident_and_then_held_until_it_stays_up(story: Story) -> None:
    armed(story, Kind.FLAPPING)
    story.desk = replace(
        story.desk, limits=replace(story.desk.limits, reopen=timedelta(minutes=1)), quiet=NoiseLimits(transient_samples=99)
    )
    for n in range(10):
        alert = disk(story)
        story.alerts(alert)
        await time_passes(story, seconds=60)
        story.alerts(over(story, alert))
        for incident in story.incidents():
            if incident.live and not incident.firing:
                story.move(incident, Status.RESOLVED, "alerts cleared")
        await time_passes(story, seconds=120)
        assert len(story.incidents()) == min(n + 1, 3)
    assert {d.kind for d in decisions(story)} == {Kind.FLAPPING}
    assert decisions(story)[0].reason.startswith("flapping: 7 changes within 60 min")
    story.alerts(disk(story))
    await time_passes(story, minutes=6)
    assert len(story.incidents()) == 4


# --- what people wrote --------------------------------------------------------------------------------------------


async def test_a_silence_outlives_flaps_and_when_it_ends_what_still_fires_is_told(story: Story) -> None:
    def hush(tx: Any) -> object:
        return quieting.silence(
            tx, story.desk, ["service=blog"], timedelta(hours=2), "U0ANN", story.clock(), reason="moving disks"
        )

    story.write(hush)
    for _ in range(3):
        alert = disk(story)
        story.alerts(alert)
        story.clock.advance(minutes=5)
        story.alerts(over(story, alert))
        story.clock.advance(minutes=5)
    story.alerts(disk(story))
    await time_passes(story, minutes=80)
    assert not story.incidents()
    assert decisions(story)[0].reason == "SIL-1 by U0ANN: moving disks, until 2026-11-22 14:00 UTC"
    await time_passes(story, minutes=20)
    assert story.only().firing == 1


def test_a_silence_lets_critical_alerts_through_unless_it_says_so(story: Story) -> None:
    hour = timedelta(hours=1)
    story.write(lambda tx: quieting.silence(tx, story.desk, ["service=blog"], hour, "U0ANN", story.clock()))
    story.alerts(disk(story, severity=Severity.SEV2))
    assert len(story.incidents()) == 1
    story.write(lambda tx: quieting.silence(tx, story.desk, ["service=store"], hour, "U0ANN", story.clock(), critical=True))
    story.alerts(disk(story, service="store", severity=Severity.SEV2))
    assert len(story.incidents()) == 1


async def test_ending_a_silence_early_tells_what_it_held(story: Story) -> None:
    hour = timedelta(hours=1)
    story.write(lambda tx: quieting.silence(tx, story.desk, ["alertname=~Disk.*"], hour, "U0ANN", story.clock()))
    story.alerts(disk(story))
    story.clock.advance(minutes=1)
    story.write(lambda tx: quieting.unsilence(tx, story.desk, story.work, "sil-1", "U0ANN", story.clock()))
    await release(story.work.named("release")[-1].args, story.desk)
    assert story.only().firing == 1
    deeds = story.database.read_now(lambda tx: [e.deed for e in story.desk.ledger.entries(tx)])
    assert deeds == ["silenced", "unsilenced"]
    with pytest.raises(NotFound, match="no silence SIL-1 in force"):
        story.write(lambda tx: quieting.unsilence(tx, story.desk, story.work, "SIL-1", "U0ANN", story.clock()))


@pytest.mark.parametrize("texts", [[], ['a=~".*"'], ["nonsense"]])
def test_a_silence_of_everything_or_nothing_is_refused(story: Story, texts: list[str]) -> None:
    with pytest.raises(BadMatcher):
        story.write(lambda tx: quieting.silence(tx, story.desk, texts, timedelta(hours=1), "U0ANN", story.clock()))


async def test_a_maintenance_window_holds_until_it_closes(story: Story) -> None:
    rules(story, 'maintenance:\n  - {name: nightly, matchers: service=blog, hours: "11:00-12:30"}\n')
    story.alerts(disk(story))
    await time_passes(story, minutes=29)
    assert not story.incidents()
    assert [d.reason for d in decisions(story)] == ["nightly, until 2026-11-22 12:30 UTC"]
    await time_passes(story, minutes=2)
    assert story.only().firing == 1


async def test_a_rule_inhibits_while_its_source_fires_and_equal_labels_agree(story: Story) -> None:
    rules(
        story,
        "inhibit_rules:\n"
        "  - {name: node down, source_matchers: alertname=NodeDown, target_matchers: 'alertname!=NodeDown', equal: [node]}\n",
    )
    source = disk(story, name="NodeDown", service="store", severity=Severity.SEV2, labels={"node": "n1"})
    story.alerts(source)
    story.alerts(disk(story, labels={"node": "n1"}), disk(story, service="inventory", labels={"node": "n2"}))
    assert [d.reason for d in decisions(story)] == ["rule node down: NodeDown on store fires"]
    assert {m.service for i in story.incidents() for m in i.members} == {"store", "inventory"}
    await time_passes(story, minutes=5)
    story.alerts(over(story, source))
    await time_passes(story, minutes=2)
    assert "blog" in {m.service for i in story.incidents() for m in i.members}


async def test_an_incident_only_at_the_third_time_or_when_it_lasts(story: Story) -> None:
    rules(story, "occurrences:\n  - {name: cron, matchers: alertname=DiskSlow, times: 3, within: 30m}\n")
    for _ in range(2):
        alert = disk(story)
        story.alerts(alert)
        await time_passes(story, minutes=1)
        story.alerts(over(story, alert))
        await time_passes(story, minutes=3)
    assert not story.incidents()
    story.alerts(disk(story))
    assert len(story.incidents()) == 1
    assert [d.reason for d in decisions(story)] == [f"rule cron: {n} of 3 times within 30 min" for n in (1, 2)]
    story.alerts(disk(story, service="store"))
    await time_passes(story, minutes=31)
    assert any(m.service == "store" for i in story.incidents() for m in i.members)


# --- upstream and storms ------------------------------------------------------------------------------------------


async def test_a_failing_upstream_explains_its_dependants_until_it_is_over(story: Story) -> None:
    armed(story, Kind.UPSTREAM)
    down = an_alert()
    story.alerts(down)
    await time_passes(story, minutes=40)
    story.alerts(disk(story, service="checkout"))
    (made,) = decisions(story)
    assert (made.kind, made.reason) == (Kind.UPSTREAM, "checkout calls payments, which fails (INC-1)")
    assert made.incident_id == story.only().id
    assert quieting_notices(story) == ("1 alert held because of it",)
    story.clock.advance(seconds=10)
    story.alerts(over(story, down))
    story.move(story.only(), Status.RESOLVED, "alerts cleared")
    await time_passes(story, minutes=2)
    assert any(m.service == "checkout" and m.firing for i in story.incidents() for m in i.members)


async def test_what_its_upstream_explains_is_told_after_the_longest_hold_though_that_fails_on(story: Story) -> None:
    armed(story, Kind.UPSTREAM)
    story.alerts(an_alert())
    await time_passes(story, minutes=40)
    story.alerts(disk(story, service="checkout"))
    await time_passes(story, seconds=NoiseLimits().longest_hold - 2)
    assert len(story.incidents()) == 1
    await time_passes(story, seconds=2)
    assert any(m.service == "checkout" and m.firing for i in story.incidents() for m in i.members)
    assert [d.outcome for d in decisions(story)] == [Outcome.OUTLASTED]


def quieting_notices(story: Story) -> tuple[str, ...]:
    return story.database.read_now(lambda tx: quieting.noise_notices(tx, story.desk, story.incidents()[0]))


def a_storm(story: Story, count: int, start: int = 0) -> list[Alert]:
    """Problems of services that nothing links."""
    return [
        disk(
            story,
            name=f"Alert{n}",
            service=f"service-{n}",
            labels={"n": str(n)},
            severity=Severity.SEV2 if n % 5 == 0 else Severity.SEV3,
        )
        for n in range(start, start + count)
    ]


def test_a_storm_is_one_incident_that_counts_its_criticals(story: Story) -> None:
    armed(story, Kind.STORMS)
    story.alerts(*a_storm(story, 40))
    (incident,) = story.incidents()
    assert incident.storm
    assert incident.title == "Storm: 40 problems on 40 services in production (8 critical)"
    story.clock.advance(seconds=30)
    story.alerts(*a_storm(story, 10, start=100))
    assert story.only().title == "Storm: 50 problems on 50 services in production (10 critical)"
    assert quieting_notices(story)[-1] == "50 of 50 problems still fire, 10 of them critical"
    story.clock.advance(minutes=30)
    story.alerts(*a_storm(story, 1, start=200))
    assert len(story.incidents()) == 2


def test_in_shadow_a_storm_only_says_what_it_would_have_folded(story: Story) -> None:
    story.alerts(*a_storm(story, 40))
    assert len(story.incidents()) == 40
    assert [(d.kind, d.acted) for d in decisions(story)] == [(Kind.STORMS, False)] * 40


# --- what is alone ------------------------------------------------------------------------------------------------


async def test_a_warning_that_is_alone_waits_and_is_told_if_it_stays(story: Story) -> None:
    armed(story, Kind.ALONE)
    story.alerts(disk(story))
    assert not story.incidents()
    await time_passes(story, seconds=NoiseLimits().alone - 5)
    assert not story.incidents()
    await time_passes(story, seconds=10)
    assert story.only().firing == 1
    assert [(d.acted, d.outcome) for d in decisions(story, Kind.ALONE)] == [(True, Outcome.OUTLASTED)]


async def test_a_warning_that_clears_while_it_is_alone_is_told_to_nobody_and_kept(story: Story) -> None:
    armed(story, Kind.ALONE)
    alert = disk(story)
    story.alerts(alert)
    await time_passes(story, seconds=60)
    story.alerts(over(story, alert))
    await time_passes(story, minutes=5)
    assert not story.incidents()
    assert verdicts(story) == ["new, held: alone", "cleared"]


def test_company_ends_the_wait_and_both_are_one_incident(story: Story) -> None:
    armed(story, Kind.ALONE)
    story.alerts(disk(story, name="Slow", service="checkout"))
    assert not story.incidents()
    story.clock.advance(seconds=20)
    story.alerts(disk(story, name="Failing", service="payments"))
    assert {m.service for m in story.only().members} == {"checkout", "payments"}
    assert [d.outcome for d in decisions(story, Kind.ALONE)] == [Outcome.TOLD]


def test_a_critical_alert_never_waits_for_company(story: Story) -> None:
    armed(story, *Kind)
    story.alerts(disk(story, severity=Severity.SEV2))
    assert story.only().firing == 1


async def test_what_may_belong_to_an_incident_waits_whether_it_stays(story: Story) -> None:
    armed(story, Kind.ALONE)
    story.alerts(disk(story, name="Down", service="payments", severity=Severity.SEV2))
    story.clock.advance(seconds=200)
    late = disk(story, name="Slow", service="checkout")
    story.alerts(late)
    assert len(story.only().members) == 1
    (made,) = decisions(story, Kind.ALONE)
    assert made.reason == "it may belong to INC-1 (checkout calls payments, 3 min apart), if it stays"
    await time_passes(story, seconds=NoiseLimits().alone + 1)
    assert len(story.only().members) == 2


async def test_a_notice_alone_is_told_to_nobody_and_stays_in_the_list(story: Story) -> None:
    armed(story, Kind.NOTICES)
    story.alerts(disk(story, severity=Severity.SEV4))
    await time_passes(story, minutes=40)
    assert not story.incidents()
    (made,) = decisions(story, Kind.NOTICES)
    assert made.reason == "a notice that is no part of an incident"


def test_what_opened_before_a_storm_was_one_is_part_of_it_and_can_be_taken_out_again(story: Story) -> None:
    armed(story, Kind.STORMS)
    story.alerts(*a_storm(story, 3))
    early = story.incidents()
    assert len(early) == 3
    story.clock.advance(seconds=30)
    story.alerts(*a_storm(story, 40, start=100))
    live = [i for i in story.incidents() if i.live]
    assert [i.title for i in live] == ["Storm: 43 problems on 43 services in production (9 critical)"]
    gone = next(i for i in story.incidents() if i.id == early[0].id)
    assert gone.merged_into == live[0].key
    story.write(lambda tx: regroup.undo(tx, gone, Person("U0ANN"), story.desk))
    assert sum(1 for i in story.incidents() if i.live) == 2


async def test_what_flaps_within_an_open_incident_joins_it_again_only_if_it_stays_up(story: Story) -> None:
    armed(story, Kind.FLAPPING)
    story.alerts(disk(story, name="Down", service="payments", severity=Severity.SEV2))
    for _ in range(6):
        alert = disk(story, name="Slow", service="payments")
        story.alerts(alert)
        story.clock.advance(seconds=40)
        story.alerts(over(story, alert))
        story.clock.advance(seconds=40)
    slow = next(m for m in story.only().members if m.name == "Slow")
    assert slow.events < 6
    assert decisions(story, Kind.FLAPPING)


# --- arming, figures, looking up ----------------------------------------------------------------------------------


def test_arming_is_per_team_recorded_and_can_be_taken_back(story: Story) -> None:
    say = [
        story.database.write_now(
            lambda tx, a=armed: quieting.arm(tx, story.desk, "transient", "team-web", "U0ANN", NOON, armed=a)
        )  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        for armed in (True, False)
    ]
    assert say[0] == "transients act for team-web from now on."
    entries = story.database.read_now(lambda tx: story.desk.ledger.entries(tx))
    assert [(e.deed, e.subject, e.detail) for e in entries] == [
        ("armed", "noise:transients", {"team": "team-web"}),
        ("disarmed", "noise:transients", {"team": "team-web"}),
    ]
    for word, team in (("silence", "team-web"), ("transients", "")):
        with pytest.raises(NotFound):
            story.write(lambda tx, w=word, t=team: quieting.arm(tx, story.desk, w, t, "U0ANN", NOON))  # type: ignore[misc]  # as above


def test_the_digest_says_what_would_have_been_held_and_what_of_it_mattered(story: Story) -> None:
    learned(story)
    for _ in range(2):
        fires_for(story, 40)
    story.move(story.incidents()[-1], Status.ACKNOWLEDGED) if story.incidents()[-1].live else None
    lines = story.database.read_now(lambda tx: quieting.digest_lines(tx, story.desk, NOON))
    (line,) = lines
    assert line.startswith("would have held 2 (of which 1 turned out to matter): transients 2")
    told = story.database.read_now(lambda tx: quieting.status(tx, story.desk, story.clock()))
    assert told[0] == "unowned: transients (in shadow): would have held 2, of which 1 turned out to matter"


def test_explain_tells_the_past_the_present_and_each_decision(story: Story) -> None:
    learned(story)
    fires_for(story, 40)
    mark = fingerprint(disk(story))
    by_mark, by_name = (
        story.database.read_now(lambda tx, w=word: quieting.explain(tx, story.desk, w, story.clock(), NoiseLimits()))  # type: ignore[misc]  # as above
        for word in (mark, "diskslow")
    )
    assert by_mark == by_name
    assert by_mark[0].startswith(f"{mark} DiskSlow on blog (production): it does not fire; fired 6 times")
    assert by_mark[1].startswith("of 6 times it cleared by itself 6 times, nine in ten within 40 s")
    assert "would have held, transients" in by_mark[-1]
    with pytest.raises(NotFound):
        story.database.read_now(lambda tx: quieting.explain(tx, story.desk, "nobody", NOON, NoiseLimits()))


def test_explain_knows_a_critical_problem_too_though_nothing_is_learned_of_it(story: Story) -> None:
    alert = disk(story, severity=Severity.SEV2)
    story.alerts(alert)
    for word in (fingerprint(alert), "DiskSlow"):
        (said,) = story.database.read_now(lambda tx, w=word: quieting.explain(tx, story.desk, w, story.clock(), NoiseLimits()))  # type: ignore[misc]  # as above
        assert said.startswith(
            f"{fingerprint(alert)} DiskSlow on blog (production, SEV2): it fires; in INC-1; nothing of it was held"
        )
        assert "only a rule may hold a critical alert" in said


def test_reset_forgets_what_was_learned_and_lets_nothing_go(story: Story) -> None:
    learned(story)
    armed(story, Kind.TRANSIENTS)
    story.alerts(disk(story))
    forgot = story.database.write_now(lambda tx: quieting.reset(tx, story.desk, "", "U0ANN", NOON))
    (held,) = story.database.read_now(lambda tx: story.desk.noise.held(tx))
    assert (forgot, held.episodes) == (1, ())
    assert held.hold is not None


# --- what must not break ------------------------------------------------------------------------------------------


async def test_a_hold_whose_work_was_given_up_is_looked_at_by_the_sweep(story: Story) -> None:
    learned(story)
    armed(story, Kind.TRANSIENTS)
    story.alerts(disk(story))
    story.clock.advance(minutes=5)
    story.write(lambda tx: release_overdue(tx, story.desk))
    await release(story.work.named("release")[-1].args, story.desk)
    assert len(story.incidents()) == 1


def test_a_sender_whose_clock_is_wrong_is_held_by_our_clock(story: Story) -> None:
    ahead = timedelta(hours=3)
    for _ in range(5):
        alert = disk(story, started_at=story.clock() + ahead)
        story.alerts(alert)
        story.clock.advance(seconds=40)
        story.alerts(replace(alert, resolved=True, ended_at=story.clock() + ahead))
        story.clock.advance(minutes=90)
    armed(story, Kind.TRANSIENTS)
    story.alerts(disk(story, started_at=story.clock() + ahead))
    (held,) = story.database.read_now(lambda tx: story.desk.noise.held(tx))
    assert held.hold is not None
    assert timedelta(seconds=30) <= held.hold.until - story.clock() <= timedelta(seconds=60)


def test_a_batch_costs_few_statements_however_large_it_is(story: Story) -> None:
    def statements(batch: list[Alert]) -> int:
        count = 0

        def one(*_: object) -> None:
            nonlocal count
            count += 1

        engine = story.database._engines[0]
        event.listen(engine, "before_cursor_execute", one)
        story.alerts(*batch)
        event.remove(engine, "before_cursor_execute", one)
        return count

    def batch(count: int, start: int) -> list[Alert]:
        return [disk(story, service="store", name=f"A{n}", labels={"n": str(n)}) for n in range(start, start + count)]

    rules(story, "inhibit_rules:\n  - {name: r, source_matchers: alertname=X, target_matchers: alertname=Y}\n")
    story.alerts(*batch(1, 0))
    assert statements(batch(300, 1000)) <= statements(batch(10, 5000)) + 6
