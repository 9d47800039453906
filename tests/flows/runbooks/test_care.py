"""Runbooks are tried at night, owners hear once a month, people ask for the lists; nobody is told of what they may not see."""

from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest

from bot.domain.alert import Severity
from bot.domain.care import CareLimits, Check, Health, Tried
from bot.domain.document import Audience, Document, DocumentKind, Tier
from bot.domain.interaction import Feature, Feedback, Interaction, Opinion, Retrieved
from bot.domain.request import CommandRequest, Person
from bot.domain.suggestion import Judgement, Subject
from bot.domain.view import CareView
from bot.errors import Unavailable
from bot.flows.command import on_command
from bot.flows.desk import Desk
from bot.flows.runbooks.care import check_runbooks, monthly
from bot.flows.runbooks.needs import records_of, report
from bot.knowledge.links import Links
from bot.knowledge.sources import Sources
from bot.ports import Sighting
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock, an_alert
from tests.knowledge.test_links import a_site

ERRORS = Document(
    "runbook:runbooks/payments/errors.md",
    DocumentKind.RUNBOOK,
    "Payments errors",
    'Look at `rate(errors_total[5m])` and `rate(x{a="$b"}[1m])`.\n\n```promql\nrate(<metric>[5m])\n```',
    path="runbooks/payments/errors.md",
    services=("payments",),
    alerts=("HighErrorRate",),
)
SECRET = Document(
    "runbook:security/keys.md",
    DocumentKind.RUNBOOK,
    "Rotate signing keys",
    '`up{job="hsm"}`',
    channels=("#security",),
    owner="team-sec",
)


@dataclass
class FakeProbe:
    """A ports.QueryProbe: `says` by query, fine otherwise; `asked` are the queries in order; `away` raises."""

    says: dict[str, tuple[Health, str]] = field(default_factory=dict)
    rules: frozenset[str] | None = None
    asked: list[str] = field(default_factory=list)
    away: bool = False

    async def health(self, query: str, metrics: Collection[str]) -> tuple[Health, str]:
        """As told."""
        assert metrics
        self.asked.append(query)
        if self.away:
            raise Unavailable("Prometheus did not answer.")
        return self.says.get(query, (Health.FINE, ""))

    async def alerts(self) -> frozenset[str] | None:
        """As told."""
        if self.away:
            raise Unavailable("Prometheus did not answer.")
        return self.rules


async def no_pause(_seconds: float) -> None:
    """Nothing waits."""


async def a_caring_desk(database: SqlDatabase, clock: FakeClock, *books: Document, **fields: Any) -> Desk:
    desk = a_desk(database, clock, documents=books or (ERRORS, SECRET), **fields)
    await desk.library.sync()
    return desk


async def night(desk: Desk) -> dict[str, Check]:
    await check_runbooks({}, desk, no_pause)
    return {c.text: c for c in await desk.db.read(desk.checks.all)}


async def fired(desk: Desk, name: str, incident: str, *, service: str = "payments", severity: Severity = Severity.SEV2) -> None:
    alert = an_alert(name=name, service=service, severity=severity)
    one = Sighting(alert, f"{name[:15]:x<16}", f"{incident[-16:]:x<16}", "new", incident)
    await desk.db.write(lambda tx: desk.alerts.seen(tx, [one]))


async def shown(desk: Desk, document: str, incident: str, tier: Tier = Tier.SEARCH) -> None:
    one = Interaction(
        desk.new_id(),
        desk.clock(),
        Feature.DIAGNOSIS,
        "rules",
        incident,
        retrieved=(Retrieved(document, 1, 0.9, tier.value, True),),
    )
    await desk.db.write(lambda tx: desk.journal.add(tx, one))


def asked(which: str, channel: str = "C-PAYMENTS") -> CommandRequest:
    return CommandRequest(Person("U1"), channel, "runbook", (which,), which, "t", "r")


async def listed(desk: Desk, which: str, channel: str = "C-PAYMENTS") -> list[str]:
    view = await on_command(asked(which, channel), desk)
    assert isinstance(view, CareView)
    return [row.title for row in view.rows]


async def test_each_query_is_tried_and_what_came_of_it_is_kept(database: SqlDatabase, clock: FakeClock) -> None:
    probe = FakeProbe({"rate(errors_total[5m])": (Health.NO_METRIC, "errors_total had no sample in 7 days")})
    desk = await a_caring_desk(database, clock, probes=(probe,))
    kept = await night(desk)
    assert probe.asked == ["rate(errors_total[5m])", 'rate(x{a=~".+"}[1m])', 'up{job="hsm"}']
    assert {text: c.health for text, c in kept.items()} == {
        "rate(errors_total[5m])": Health.NO_METRIC,
        'rate(x{a="$b"}[1m])': Health.FINE,
        "rate(<metric>[5m])": Health.SKIPPED,
        'up{job="hsm"}': Health.FINE,
    }
    assert kept['up{job="hsm"}'].good_at == NOON


async def test_it_remembers_when_a_query_was_last_well_and_forgets_what_was_edited_away(
    database: SqlDatabase, clock: FakeClock
) -> None:
    probe = FakeProbe()
    desk = await a_caring_desk(database, clock, probes=(probe,))
    await night(desk)
    clock.advance(days=1)
    probe.says["rate(errors_total[5m])"] = (Health.BROKEN, "parse error")
    kept = await night(desk)
    assert (kept["rate(errors_total[5m])"].good_at, kept["rate(errors_total[5m])"].at) == (NOON, NOON + timedelta(days=1))
    edited = await a_caring_desk(database, clock, replace(ERRORS, text="`rate(errors_total[5m])`"), probes=(probe,))
    assert set(await night(edited)) == {"rate(errors_total[5m])"}


async def test_a_night_tries_a_bounded_number_the_longest_untried_first(database: SqlDatabase, clock: FakeClock) -> None:
    text = "\n\n".join(f"`rate(m{n}[5m])`" for n in range(5))
    probe = FakeProbe()
    desk = await a_caring_desk(database, clock, replace(ERRORS, text=text), probes=(probe,), care=CareLimits(most=2))
    for _ in range(3):
        clock.advance(days=1)
        await night(desk)
    assert [q[5:7] for q in probe.asked] == ["m0", "m1", "m2", "m3", "m4", "m0"]


async def test_a_prometheus_that_is_away_is_left_alone_after_five_tries_and_no_runbook_is_blamed(
    database: SqlDatabase, clock: FakeClock
) -> None:
    text = "\n\n".join(f"`rate(m{n}[5m])`" for n in range(9))
    probe = FakeProbe(away=True)
    desk = await a_caring_desk(database, clock, replace(ERRORS, text=text, reviewed=NOON.date()), probes=(probe,))
    kept = await night(desk)
    assert len(probe.asked) == 5
    assert {c.health for c in kept.values()} == {Health.UNKNOWN}
    found = await report(Audience(whole=True), records_of(desk))
    assert found.stale == ()
    assert "Whether alerts still have rules is not known" in found.note


async def test_of_several_prometheus_one_that_knows_the_metric_is_enough(database: SqlDatabase, clock: FakeClock) -> None:
    gone = FakeProbe({"rate(errors_total[5m])": (Health.NO_METRIC, "gone")})
    desk = await a_caring_desk(database, clock, replace(ERRORS, text="`rate(errors_total[5m])`"), probes=(gone, FakeProbe()))
    assert (await night(desk))["rate(errors_total[5m])"].health is Health.FINE


async def test_links_are_asked_for_on_listed_hosts_only(database: SqlDatabase, clock: FakeClock) -> None:
    with a_site() as site:
        site.says("/here", b"<p>here</p>")
        site.says("/login", status=401)
        site.says("/moved", status=302, location="/here")
        site.says("/away", status=302, location="https://elsewhere.example/x")
        pages = ["here", "gone", "login", "moved", "away"]
        text = " ".join(f"[p]({site.url}/{page})" for page in pages) + " https://elsewhere.example/y"
        sources = Sources((), links=Links((site.url,)))
        desk = await a_caring_desk(database, clock, replace(ERRORS, text=text), sources=sources)
        kept = {c.text.rpartition("/")[2]: c.health for c in (await night(desk)).values()}
    assert kept == {
        "here": Health.FINE,
        "gone": Health.DEAD,
        "login": Health.UNKNOWN,
        "moved": Health.FINE,
        "away": Health.UNKNOWN,
    }


async def test_stale_names_what_failed_and_the_owner_of_the_service(database: SqlDatabase, clock: FakeClock) -> None:
    probe = FakeProbe({"rate(errors_total[5m])": (Health.BROKEN, "1:3: parse error")}, frozenset({"Other"}))
    desk = await a_caring_desk(database, clock, ERRORS, probes=(probe,))
    await night(desk)
    view = await on_command(asked("stale"), desk)
    assert isinstance(view, CareView)
    (row,) = view.rows
    assert (row.title, row.owner) == ("Payments errors", "team-payments")
    assert row.lines == (
        "its query rate(errors_total[5m]) fails: 1:3: parse error",
        "is for the alert HighErrorRate, which no rule fires and which has not fired of late",
        "never reviewed",
    )


async def test_missing_counts_incidents_that_showed_no_runbook(database: SqlDatabase, clock: FakeClock) -> None:
    desk = await a_caring_desk(database, clock)
    for n in range(3):
        await fired(desk, "DiskFull", f"i{n}", service="search", severity=Severity.SEV3)
    await fired(desk, "NoLogin", "i7", severity=Severity.SEV1, service="storefront")
    await fired(desk, "Slow", "i8")
    await fired(desk, "Odd", "i9")
    await fired(desk, "HighErrorRate", "i10")
    await shown(desk, ERRORS.id, "i0")
    await shown(desk, ERRORS.id, "i8")
    await shown(desk, ERRORS.id, "i7", Tier.POSSIBLE)
    link = Judgement(Subject("odd", "payments", "Odd"), ERRORS.id, Opinion.LINKED, "U1", NOON)
    await desk.db.write(lambda tx: desk.suggestions.say(tx, link))
    view = await on_command(asked("missing"), desk)
    assert isinstance(view, CareView)
    assert [(r.title, r.owner, r.lines[0]) for r in view.rows] == [
        ("NoLogin on storefront", "team-web", "fired once in 30 days, never with a runbook"),
        ("DiskFull on search", "team-search", "fired 3 times in 30 days, 2 of its incidents had no runbook"),
    ]


async def test_unused_needs_ninety_days_of_watching(database: SqlDatabase, clock: FakeClock) -> None:
    idle, liked = replace(ERRORS, id="runbook:idle", title="Idle"), replace(ERRORS, id="runbook:liked", title="Liked")
    desk = await a_caring_desk(database, clock, ERRORS, idle, liked)
    await night(desk)
    assert await listed(desk, "unused") == []
    clock.advance(days=91)
    await shown(desk, ERRORS.id, "i1")
    await desk.db.write(lambda tx: desk.journal.judge(tx, Feedback("f", clock(), "U1", Opinion.USEFUL, "x", document=liked.id)))
    assert await listed(desk, "unused") == ["Idle"]


async def test_who_may_not_see_a_runbook_is_told_nothing_of_it(database: SqlDatabase, clock: FakeClock) -> None:
    desk = await a_caring_desk(database, clock)
    assert await listed(desk, "stale") == ["Payments errors"]
    assert sorted(await listed(desk, "stale", "C-SECURITY")) == ["Payments errors", "Rotate signing keys"]


async def test_an_ordinary_question_is_still_a_question(database: SqlDatabase, clock: FakeClock) -> None:
    desk = await a_caring_desk(database, clock)
    words = ("stale", "cache", "in", "payments")
    view = await on_command(replace(asked("stale"), words=words, text=" ".join(words)), desk)
    assert not isinstance(view, CareView)


async def test_on_the_first_monday_each_owner_hears_once_of_what_is_theirs(database: SqlDatabase, clock: FakeClock) -> None:
    old = replace(ERRORS, reviewed=NOON.date() - timedelta(days=400))
    mine = replace(ERRORS, id="runbook:search", title="Search slow", services=("search",), alerts=(), reviewed=old.reviewed)
    desk = await a_caring_desk(database, clock, old, mine, SECRET)
    await monthly({"slot": "2026-11-09T09:00"}, desk)
    assert not desk.channel.posts  # type: ignore[attr-defined]  # a FakeChannel
    for _ in range(2):
        await monthly({"slot": "2026-11-02T09:00"}, desk)
    posts = desk.channel.posts  # type: ignore[attr-defined]  # as above
    assert [(p.place.channel, p.view.title, [r.title for r in p.view.rows]) for p in posts] == [
        ("C-INCIDENTS", "Runbooks that need their owner", ["Search slow"]),
        ("C-PAYMENTS", "Runbooks that need their owner", ["Payments errors"]),
    ]


async def test_what_fired_is_counted_by_beginnings(database: SqlDatabase, clock: FakeClock) -> None:
    desk = await a_caring_desk(database, clock)
    await fired(desk, "Slow", "i1")
    await fired(desk, "Slow", "i2", severity=Severity.SEV1)
    repeat = Sighting(an_alert(name="Slow"), "s" * 16, "k" * 16, "repeat", "i2")
    over = Sighting(an_alert(name="Slow", resolved=True, ended_at=NOON), "s" * 16, "k" * 16, "cleared", "i2")
    await desk.db.write(lambda tx: desk.alerts.seen(tx, [repeat, over]))
    (one,) = await desk.db.read(lambda tx: desk.alerts.fired(tx, NOON - timedelta(days=1)))
    assert (one.name, one.times, one.severity, sorted(one.incidents), one.last_at) == (
        "Slow",
        2,
        Severity.SEV1,
        ["i1", "i2"],
        NOON,
    )


@pytest.mark.parametrize("text", ["ä" * 300, "x\x00y", "'; DROP TABLE runbook_checks; --"])
async def test_any_text_is_kept_as_a_check(database: SqlDatabase, clock: FakeClock, text: str) -> None:
    desk = await a_caring_desk(database, clock)
    one = Check(f"runbook:{text}", Tried.LINK, text, Health.DEAD, text, NOON)
    await desk.db.write(lambda tx: desk.checks.put(tx, [one, one]))
    (kept,) = await desk.db.read(desk.checks.all)
    assert kept.text == text.replace("\x00", "\ufffd")
    await desk.db.write(lambda tx: desk.checks.drop(tx, [kept]))
    assert await desk.db.read(desk.checks.all) == ()
