"""The clock struck: one digest per slot, reminders for what nobody moves."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.actions.policy import read_policies
from bot.domain.incident import Entry, EntryKind, Incident, Status
from bot.domain.interaction import Feature, Interaction
from bot.domain.view import DigestView, NoteView, Place
from bot.errors import Unavailable
from bot.flows.desk import Desk
from bot.flows.investigation import look
from bot.flows.report import digest, remind
from bot.ports import Card
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import FakeClock, a_change, an_incident

POLICIES = """
groups: {on-call: [U0ONCALL], approvers: [U0APPROVER]}
rules:
  - {name: production, actions: [rollback], environments: [production], services: ["*"], request: [on-call], approve: [approvers]}
"""


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock, policies=read_policies(POLICIES))


async def kept(desk: Desk, **fields: object) -> Incident:
    """An incident with its card in #payments."""
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0, **fields)))
    await desk.db.write(lambda tx: desk.cards.put(tx, Card(f"card:{incident.id}", Place("C-PAYMENTS", "9.1"))))
    return incident


def notes(desk: Desk) -> list[NoteView]:
    return [p.view for p in desk.channel.posts if isinstance(p.view, NoteView)]


async def test_the_digest_counts_the_day(desk: Desk, clock: FakeClock) -> None:
    await kept(desk)
    ten_minutes_later = clock() + timedelta(minutes=10)
    await kept(desk, id="over", number=41, status=Status.RESOLVED, resolved_at=ten_minutes_later, confirmed_cause="a typo")
    await kept(desk, id="old", number=1, opened_at=clock() - timedelta(days=3), status=Status.CLOSED)
    await desk.db.write(lambda tx: desk.changes.save(tx, [a_change()]))
    await digest({"slot": "2026-11-22"}, desk)
    (post,) = desk.channel.posts
    assert post.place.channel == "C-INCIDENTS"
    assert isinstance(post.view, DigestView)
    assert post.view.lines[0] == "2 incidents opened, 1 of them resolved, half within 10 min"
    assert "1 changes shipped" in post.view.lines
    assert "1 causes confirmed by people" in post.view.lines
    assert [i.number for i in post.view.open_incidents] == [42]


async def test_one_digest_per_slot_however_often_it_is_tried(desk: Desk) -> None:
    desk.channel.lose_answers = 1
    with pytest.raises(Unavailable):
        await digest({"slot": "2026-11-22"}, desk)
    for slot in ("2026-11-22", "2026-11-22", "2026-11-23"):
        await digest({"slot": slot}, desk)
    assert [p.key for p in desk.channel.posts] == ["digest:2026-11-22", "digest:2026-11-23"]


async def test_the_digest_anchors_the_audit(desk: Desk, clock: FakeClock) -> None:
    await desk.db.write(lambda tx: desk.ledger.append(tx, clock(), "U0ONCALL", "resolved", "i-1", {}))
    (entry,) = await desk.db.read(desk.ledger.entries)
    await digest({"slot": "s"}, desk)
    view = desk.channel.posts[0].view
    assert isinstance(view, DigestView)
    assert f"audit: 1 lines, head 1:{entry.hash[:32]}" in view.lines


async def test_the_digest_anchors_the_journal_and_tells_the_weeks_quality_on_mondays(desk: Desk, clock: FakeClock) -> None:
    old = Interaction("j0", clock() - timedelta(days=8), Feature.QUESTION, "rules")
    new = Interaction("j1", clock() - timedelta(days=6), Feature.QUESTION, "rules", latency_ms=1500)
    await desk.db.write(lambda tx: [desk.journal.add(tx, answer) for answer in (old, new)])
    _, head = await desk.db.read(desk.journal.head)
    for slot in ("2026-11-22T09:00", "2026-11-23T09:00"):
        await digest({"slot": slot}, desk)
    sunday, monday = (p.view.lines for p in desk.channel.posts if isinstance(p.view, DigestView))
    assert f"journal: 2 lines, head 2:{head[:32]}" in sunday
    assert not any("quality" in line for line in sunday)
    assert monday[-1].startswith("quality of 7 days: 1 answers, 0 of them by a model; nobody judged one")


async def test_what_nobody_moves_is_brought_up_again_once_per_span(desk: Desk, clock: FakeClock) -> None:
    await kept(desk, on_call=("U0ONCALL",))
    await remind({"slot": "1", "hours": 4}, desk)
    assert notes(desk) == []
    clock.advance(hours=5)
    for slot in ("2", "2", "3"):
        await remind({"slot": slot, "hours": 4}, desk)
        clock.advance(minutes=15)
    (note,) = notes(desk)
    assert "INC-42 is still open and nobody has acknowledged it" in note.text
    assert note.mention == ("U0ONCALL",)
    assert desk.channel.posts[0].place.thread == "9.1"
    clock.advance(hours=3)
    await remind({"slot": "4", "hours": 4}, desk)
    assert len(notes(desk)) == 2


async def test_a_repeated_alert_is_no_move_and_a_persons_deed_is_one(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk, opened_at=clock())
    clock.advance(hours=5)
    repeated = await desk.db.write(lambda tx: desk.incidents.save(tx, replace(incident, updated_at=clock())))
    await remind({"slot": "1", "hours": 4}, desk)
    assert len(notes(desk)) == 1
    deed = Entry(repeated.id, clock(), EntryKind.STATUS, "acknowledged", "U0ONCALL")
    await desk.db.write(lambda tx: desk.timeline.add(tx, [deed]))
    clock.advance(hours=3)
    await remind({"slot": "2", "hours": 4}, desk)
    assert len(notes(desk)) == 1
    clock.advance(hours=2)
    await remind({"slot": "3", "hours": 4}, desk)
    assert len(notes(desk)) == 2


async def test_a_silenced_incident_is_not_brought_up_until_the_silence_ends(desk: Desk, clock: FakeClock) -> None:
    await kept(desk, silenced_until=clock() + timedelta(hours=10))
    clock.advance(hours=5)
    await remind({"slot": "1", "hours": 4}, desk)
    assert notes(desk) == []
    clock.advance(hours=6)
    await remind({"slot": "2", "hours": 4}, desk)
    assert len(notes(desk)) == 1


async def test_an_incident_that_nobody_could_look_into_is_looked_into_again(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk)
    await desk.db.write(lambda tx: look(tx, incident, desk))  # it will fail for good
    await remind({"slot": "1", "hours": 4}, desk)
    assert [w.id.startswith(f"look:{incident.id}:") for w in desk.work.named("investigate")] == [True, True]


async def test_an_acknowledged_incident_is_brought_up_in_other_words(desk: Desk, clock: FakeClock) -> None:
    await kept(desk, status=Status.ACKNOWLEDGED, acknowledged_by="U0ONCALL")
    clock.advance(hours=5)
    await remind({"slot": "1", "hours": 4}, desk)
    assert "it is acknowledged and has not moved" in notes(desk)[0].text
