"""Every night: learned once from the same incidents, in force only if it wins, and never against what a person chose."""

from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.evidence import Confidence, Diagnosis, Verdict
from bot.domain.incident import Status
from bot.domain.learning import SHIPPED, Learned, Weights
from bot.flows.desk import Desk
from bot.flows.investigation import investigate
from bot.flows.learning import nightly
from bot.flows.learning.nightly import learn_weights, lessons_of, weights_in_force
from bot.investigation.learning.learn import ENOUGH
from bot.investigation.learning.lessons import Lesson
from bot.ports import Transaction
from bot.storage.database import SqlDatabase
from tests.desk import a_desk
from tests.fakes import NOON, FakeClock, an_incident
from tests.investigation.learning.lessons import made_up, suspect


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock)


def keep(tx: Transaction, lesson: Lesson, number: int, desk: Desk) -> None:
    """An incident that is over, as it was looked into, with what a person said."""
    named = next((c for c in lesson.suspects if c.key == lesson.culprit), None)
    over = an_incident(
        version=0, id=lesson.incident, number=number, status=Status.RESOLVED, opened_at=lesson.at, resolved_at=lesson.at,
        confirmed_cause=f"shop ({named.commit})" if named else "a lightning", confirmed_by="U1",
    )  # fmt: skip
    desk.incidents.save(tx, over)
    look = Diagnosis(Verdict.UNDETERMINED, Confidence.WEAK, "no idea", lesson.at, suspects=lesson.suspects)
    desk.diagnoses.save(tx, lesson.incident, look)


async def confirmed(desk: Desk, lessons: list[Lesson], first: int = 1) -> None:
    await desk.db.write(lambda tx: [keep(tx, one, first + n, desk) for n, one in enumerate(lessons)])


async def test_what_wins_is_in_force_for_the_next_look(desk: Desk, clock: FakeClock) -> None:
    assert await weights_in_force(desk) == SHIPPED
    await confirmed(desk, made_up(20, seed=1, misleads=0.6))
    clock.advance(days=30)
    await learn_weights({}, desk)
    weights = await weights_in_force(desk)
    assert (weights.version, weights.of("cache")) == ("w1", 0.5)


async def test_the_same_incidents_are_learned_from_once_however_often_the_work_runs(desk: Desk) -> None:
    await confirmed(desk, made_up(ENOUGH, seed=0))
    for _ in range(3):
        await learn_weights({}, desk)
    (only,) = await desk.db.read(desk.weights.history)
    assert (only.number, only.incidents) == (1, ENOUGH)
    await confirmed(desk, [replace(one, incident=f"new-{one.incident}") for one in made_up(1, seed=7)], 500)
    await learn_weights({}, desk)
    assert [one.number for one in await desk.db.read(desk.weights.history)] == [2, 1]


async def test_killed_before_the_end_it_leaves_nothing_and_the_next_run_does_all(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await confirmed(desk, made_up(ENOUGH, seed=0))

    def killed(tx: Transaction, attempt: Learned, desk: Desk) -> None:
        desk.weights.keep(tx, attempt.as_number(1))
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(nightly, "_keep", killed)
        with pytest.raises(KeyboardInterrupt):
            await learn_weights({}, desk)
    assert await desk.db.read(desk.weights.history) == ()
    await learn_weights({}, desk)
    assert len(await desk.db.read(desk.weights.history)) == 1


async def test_fewer_than_twenty_confirmed_incidents_teach_nothing(desk: Desk) -> None:
    await confirmed(desk, made_up(ENOUGH - 1, seed=0))
    await learn_weights({}, desk)
    assert await desk.db.read(desk.weights.history) == ()


async def test_only_what_is_over_and_confirmed_is_learned_from(desk: Desk) -> None:
    await confirmed(desk, made_up(3, seed=0))
    await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0, id="live", number=90, confirmed_cause="x")))
    await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0, id="odd", number=91, status=Status.RESOLVED)))
    assert {one.incident for one in await desk.db.read(lambda tx: lessons_of(tx, desk))} == {"i000", "i001", "i002"}


async def test_what_a_person_chose_is_not_replaced(desk: Desk, clock: FakeClock) -> None:
    await desk.db.write(lambda tx: desk.weights.use(tx, 0, NOON, pinned=True))
    await confirmed(desk, made_up(20, seed=1, misleads=0.6))
    clock.advance(days=30)
    await learn_weights({}, desk)
    assert await weights_in_force(desk) == SHIPPED
    (refused,) = await desk.db.read(desk.weights.history)
    assert not refused.adopted
    assert "because a person chose shipped" in refused.reason


async def test_weights_that_convict_wrongly_whom_the_shipped_ones_spare_are_retired(desk: Desk, clock: FakeClock) -> None:
    loose = Learned(1, NOON, Weights("w1", {"pool": 1.5}, strict=False), 70, True, "gains")
    await desk.db.write(lambda tx: desk.weights.keep(tx, loose))
    assert (await weights_in_force(desk)).version == "w1"
    innocent, culprit = suspect("a", {"pool": 4.0}), suspect("b", {"x": 1.0})
    wrong = Lesson("i1", NOON + timedelta(days=1), (innocent, culprit), culprit.key)
    await confirmed(desk, [wrong])
    clock.advance(days=2)
    await learn_weights({}, desk)
    assert await weights_in_force(desk) == SHIPPED


async def test_a_look_uses_and_names_the_weights_in_force(desk: Desk) -> None:
    await desk.db.write(lambda tx: desk.weights.keep(tx, Learned(1, NOON, Weights("w1", {"pool": 1.2}), 40, True, "gains")))
    incident = await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0)))
    await investigate({"incident_id": incident.id}, desk)
    found = await desk.db.read(lambda tx: desk.diagnoses.latest(tx, incident.id))
    assert found is not None
    assert found.reckoning is not None
    assert found.reckoning.weights == "w1"
