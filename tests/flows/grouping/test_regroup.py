"""Incidents merged, split and told apart: whole or not at all, taken back exactly, and remembered for later."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest
from sqlalchemy import event

from bot.actions.policy import read_policies
from bot.domain.alert import Alert
from bot.domain.incident import Incident, Status
from bot.domain.request import CommandRequest, Person, Regroup
from bot.domain.view import NoteView, Place
from bot.errors import BotError, IllegalMove, NotAllowed, NotFound, Outrun
from bot.flows.alerts import on_alerts
from bot.flows.command import on_command
from bot.flows.desk import Desk
from bot.flows.grouping import regroup
from bot.flows.grouping.regrouping import on_regroup, regroup_form
from bot.ports import Transaction
from bot.storage.belongings import SqlBelongingStore
from bot.storage.database import SqlDatabase, sql
from bot.storage.erasure import Names, erase
from tests.desk import a_desk
from tests.fakes import FakeClock, an_alert

REMEMBERED = "SELECT count(*) FROM belongings"
OLIVIA = Person("U0OLIVIA")


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock)


def of(service: str, name: str = "HighErrorRate", **more: object) -> Alert:
    return an_alert(**{"service": service, "name": name, "summary": f"{name} of {service}", "labels": {"pod": service}, **more})


async def told(desk: Desk, *batch: Alert) -> None:
    await desk.db.write(lambda tx: on_alerts(tx, [replace(a, started_at=desk.clock()) for a in batch], desk))


async def all_of(desk: Desk) -> Sequence[Incident]:
    found = await desk.db.read(lambda tx: desk.incidents.recent(tx))
    return sorted(found, key=lambda i: i.number)


async def merged(desk: Desk, a: Incident, b: Incident, person: Person = OLIVIA) -> str:
    shown = await desk.db.write(lambda tx: regroup.merge(tx, fresh(tx, a, desk), fresh(tx, b, desk), person, desk))
    assert isinstance(shown, NoteView)
    return shown.text


def fresh(tx: Transaction, incident: Incident, desk: Desk) -> Incident:
    found = desk.incidents.get(tx, incident.id)
    assert found is not None
    return found


async def undone(desk: Desk, incident: Incident) -> None:
    await desk.db.write(lambda tx: regroup.undo(tx, fresh(tx, incident, desk), OLIVIA, desk))


async def typed(desk: Desk, text: str) -> str:
    shown = await on_command(CommandRequest(OLIVIA, "C1", "incident", tuple(text.split()), text, "t", f"id {text}"), desk)
    assert isinstance(shown, NoteView)
    return shown.text


def plain(incident: Incident) -> Incident:
    return replace(incident, version=0, updated_at=incident.opened_at)


async def two(desk: Desk) -> tuple[Incident, Incident]:
    await told(desk, of("payments"), of("search", "SlowQueries"))
    one, other = await all_of(desk)
    return one, other


async def test_a_merged_incident_closes_says_where_it_went_and_gives_its_problems(desk: Desk) -> None:
    await two(desk)
    assert "INC-1 is merged into INC-2" in await typed(desk, "merge INC-1 into INC-2")
    gone, kept = await all_of(desk)
    assert (gone.status, gone.merged_into, gone.members) == (Status.CLOSED, "INC-2", ())
    assert {m.service for m in kept.members} == {"payments", "search"}
    assert next(m.reason for m in kept.members if m.service == "payments") == "merged from INC-1"
    for incident, words in ((gone, "merged into INC-2"), (kept, "took over 1 problem of INC-1")):
        entries = await desk.db.read(lambda tx, id=incident.id: desk.timeline.of(tx, id))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        lines = await desk.db.read(lambda tx, id=incident.id: desk.ledger.entries(tx, id))  # type: ignore[misc]  # as above
        assert [(e.text, e.by) for e in entries][-1] == (words, "U0OLIVIA")
        assert lines[-1].actor == "U0OLIVIA"
    assert len(await desk.db.read(lambda tx: desk.alerts.events(tx, kept.id))) == 2


async def test_what_clears_and_fires_after_a_merge_is_news_of_the_survivor(desk: Desk, clock: FakeClock) -> None:
    one, other = await two(desk)
    await merged(desk, one, other)
    clock.advance(seconds=30)
    await told(desk, of("payments", resolved=True, ended_at=clock()))
    gone, kept = await all_of(desk)
    assert gone.status is Status.CLOSED
    assert {m.service: m.firing for m in kept.members} == {"payments": 0, "search": 1}


async def test_a_merge_taken_back_leaves_both_as_they_were(desk: Desk, clock: FakeClock) -> None:
    before = await two(desk)
    await merged(desk, *before)
    clock.advance(minutes=5)
    assert "Taken back" in await typed(desk, "undo INC-1")
    assert [plain(i) for i in await all_of(desk)] == [plain(i) for i in before]
    assert await desk.db.read(lambda tx: desk.belongings.said(tx, [m.fingerprint for i in before for m in i.members])) == ()
    await told(desk, of("payments", labels={"pod": "payments-2"}))
    assert [sum(m.firing for m in i.members) for i in await all_of(desk)] == [2, 1]


async def test_what_happened_since_a_merge_stays_when_it_is_taken_back(desk: Desk, clock: FakeClock) -> None:
    one, other = await two(desk)
    await merged(desk, one, other)
    clock.advance(seconds=20)
    await told(desk, of("payments", resolved=True, ended_at=clock()))
    await undone(desk, one)
    back, rest = await all_of(desk)
    assert (back.status, back.firing, rest.firing) == (Status.OPEN, 0, 1)


async def test_after_a_quarter_of_an_hour_it_stays(desk: Desk, clock: FakeClock) -> None:
    one, other = await two(desk)
    await merged(desk, one, other)
    clock.advance(minutes=16)
    with pytest.raises(IllegalMove, match="15 minutes only"):
        await undone(desk, one)


async def test_a_split_makes_an_incident_of_its_own_and_can_be_taken_back(desk: Desk) -> None:
    await told(desk, of("payments"), of("checkout", "SlowPages"))
    (before,) = await all_of(desk)
    assert "INC-2 has 1 problem of INC-1" in await typed(desk, "split INC-1 SlowPages")
    rest, apart = await all_of(desk)
    assert ([m.name for m in rest.members], [m.name for m in apart.members]) == (["HighErrorRate"], ["SlowPages"])
    await typed(desk, "undo INC-1")
    back, ended = await all_of(desk)
    assert plain(back) == plain(before)
    assert (ended.status, ended.merged_into, ended.members) == (Status.CLOSED, "INC-1", ())


async def test_what_was_split_is_not_joined_again_and_what_was_merged_is(desk: Desk, clock: FakeClock) -> None:
    await told(desk, of("payments"), of("checkout", "SlowPages"))
    await typed(desk, "split INC-1 checkout")
    await over(desk, clock)
    await told(desk, of("payments"), of("checkout", "SlowPages"))
    assert len([i for i in await all_of(desk) if i.live]) == 2
    await over(desk, clock)
    await told(desk, of("search"), of("acmepay"))
    apart = [i for i in await all_of(desk) if i.live]
    assert len(apart) == 2
    await merged(desk, apart[0], apart[1])
    await over(desk, clock)
    await told(desk, of("search"), of("acmepay"))
    (again,) = [i for i in await all_of(desk) if i.live]
    assert "people put these two together before, at the same moment" in {m.reason for m in again.members}


async def over(desk: Desk, clock: FakeClock) -> None:
    """All alerts clear, and people resolve what is open."""
    for incident in await all_of(desk):
        for m in incident.members if incident.live else ():
            await told(desk, of(m.service, m.name, resolved=True, ended_at=desk.clock()))
        if incident.live:
            await typed(desk, f"resolve {incident.key}")
    clock.advance(hours=1)  # nothing can be reopened any more


async def test_two_that_are_not_related_stay_apart(desk: Desk, clock: FakeClock) -> None:
    await told(desk, of("payments"))
    clock.advance(minutes=20)
    await told(desk, of("checkout"))
    assert "are not related" in await typed(desk, "unrelated INC-1 INC-2")
    await over(desk, clock)
    await told(desk, of("payments"), of("checkout"))
    assert len([i for i in await all_of(desk) if i.live]) == 2


async def test_incidents_of_different_environments_are_never_merged(desk: Desk) -> None:
    await told(desk, of("payments"), of("payments", environment="staging"))
    one, other = await all_of(desk)
    with pytest.raises(IllegalMove, match="never one incident"):
        await merged(desk, one, other)


async def test_neither_itself_nor_what_is_over_is_merged(desk: Desk) -> None:
    one, other = await two(desk)
    with pytest.raises(IllegalMove, match="into itself"):
        await merged(desk, one, one)
    await typed(desk, "resolve INC-2")
    with pytest.raises(IllegalMove, match="INC-2 is resolved"):
        await merged(desk, one, other)


async def test_somebody_faster_wins(desk: Desk) -> None:
    one, other = await two(desk)
    await typed(desk, "ack INC-1")
    with pytest.raises(Outrun):
        await desk.db.write(lambda tx: regroup.merge(tx, one, other, OLIVIA, desk))
    assert {i.status for i in await all_of(desk)} == {Status.ACKNOWLEDGED, Status.OPEN}


async def test_only_known_people_may(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock, policies=read_policies("groups: {sre: [U0ONCALL]}\nrules: []\n", "policies.yaml"))
    one, other = await two(desk)
    with pytest.raises(NotAllowed, match="Only people of the groups"):
        await merged(desk, one, other)
    assert "merged" in await merged(desk, one, other, Person("U0ONCALL"))


class Broken(SqlBelongingStore):
    """Breaks off between the two incidents and what is remembered."""

    def say(self, tx: object, words: object) -> None:
        raise NotFound("the machine stops here")


async def test_a_merge_that_breaks_off_has_not_happened(desk: Desk) -> None:
    before = await two(desk)
    broken = replace(desk, belongings=Broken())
    with pytest.raises(BotError, match="stops here"):
        await merged(broken, *before)
    assert await all_of(desk) == list(before)
    assert len(await desk.db.read(lambda tx: desk.alerts.events(tx, before[0].id))) == 1


class Stopped(Exception):
    """The process ends here."""


async def test_a_merge_that_ends_at_any_of_its_statements_is_whole_or_nothing(desk: Desk) -> None:
    before, broke = await two(desk), 0
    kept_before = await desk.db.read(lambda tx: sql(tx).exec_driver_sql(REMEMBERED).all())

    def merge_until(tx: Transaction, last: int) -> None:
        count = itertools.count(1)

        def ends(*_: object) -> None:
            if next(count) == last:
                raise Stopped

        event.listen(sql(tx), "before_cursor_execute", ends)
        try:
            regroup.merge(tx, fresh(tx, before[0], desk), fresh(tx, before[1], desk), OLIVIA, desk)
        finally:
            event.remove(sql(tx), "before_cursor_execute", ends)

    for last in range(1, 200):
        try:
            await desk.db.write(lambda tx, last=last: merge_until(tx, last))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
            break
        except Stopped:
            broke += 1
            assert await all_of(desk) == list(before)
            assert await desk.db.read(lambda tx: sql(tx).exec_driver_sql(REMEMBERED).all()) == kept_before
    assert broke > 8
    assert [i.status for i in await all_of(desk)] == [Status.CLOSED, Status.OPEN]


@pytest.mark.parametrize("seed", range(2))
async def test_whatever_is_merged_and_taken_back_is_as_before(desk: Desk, clock: FakeClock, seed: int) -> None:
    random = Random(seed)
    for _ in range(random.randint(1, 4)):
        some = [of(s, f"Rule{random.randint(1, 5)}") for s in random.choices(("payments", "search"), k=random.randint(1, 6))]
        await told(desk, of("payments"), of("search"), *some)
        clock.advance(seconds=random.randint(1, 200))
        await told(desk, *(replace(a, resolved=True, ended_at=clock()) for a in some if random.random() < 0.4))
    before = [i for i in await all_of(desk) if i.live]
    one, other = random.sample(before, 2)
    await merged(desk, one, other)
    clock.advance(seconds=random.randint(0, 800))
    await undone(desk, random.choice((one, other)))
    assert [plain(i) for i in await all_of(desk) if i.live] == [plain(i) for i in before]


async def test_the_form_offers_what_there_is_and_checks_it_again(desk: Desk, clock: FakeClock) -> None:
    await told(desk, of("payments"), of("checkout", "SlowPages"), of("search"))
    first, second = await all_of(desk)
    form = await regroup_form(first.id, desk)
    assert [words for _, words in form.others] == ["INC-2 · search · HighErrorRate of search"]
    assert [words for _, words in form.problems][:2] == ["everything of payments", "everything of checkout"]
    sent = Regroup(OLIVIA, Place("C1"), first.id, "merge", second.id, "", "v1")
    clock.advance(minutes=1)
    await typed(desk, "resolve INC-2")
    with pytest.raises(IllegalMove, match="only open incidents"):
        await on_regroup(sent, desk)
    fingerprint = next(m.fingerprint for m in first.members if m.service == "checkout")
    shown = await on_regroup(replace(sent, deed="split", other="", problem=fingerprint), desk)
    assert isinstance(shown, NoteView)
    assert "INC-3 has 1 problem of INC-1" in shown.text


@pytest.mark.parametrize("words", ["merge INC-1", "split INC-1", "undo", "unrelated INC-1", "merge"])
async def test_half_a_command_is_answered_with_the_whole(desk: Desk, words: str) -> None:
    assert (await typed(desk, words)).startswith("Usage: /incident ")


async def test_what_is_not_there_cannot_be_split_off(desk: Desk) -> None:
    await told(desk, of("payments"))
    with pytest.raises(NotFound, match="no problem 'Nope'; it has HighErrorRate"):
        await typed(desk, "split INC-1 Nope")
    with pytest.raises(IllegalMove, match="Nothing would remain"):
        await typed(desk, "split INC-1 payments")
    with pytest.raises(NotFound, match="could be taken back"):
        await typed(desk, "undo INC-1")


async def test_whoever_is_erased_no_longer_stands_beside_what_they_merged(desk: Desk) -> None:
    one, other = await two(desk)
    await merged(desk, one, other)
    done = await desk.db.write(lambda tx: erase(tx, Names(["U0OLIVIA"]), "erased-1", really=True))
    assert {"belongings", "regroupings"} <= {t.table for t in done}
    said = await desk.db.read(lambda tx: desk.belongings.said(tx, [m.fingerprint for m in one.members]))
    assert {word.by for word in said} == {"erased-1"}
    await undone(desk, one)
    assert [i.live for i in await all_of(desk)] == [True, True]
