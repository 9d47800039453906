"""An incident is looked into: at once, again while there is news, never louder than the evidence, always in the journal."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from bot.domain.evidence import Candidate, Confidence, Diagnosis, Verdict
from bot.domain.incident import EntryKind, Incident, Status
from bot.domain.interaction import Feature
from bot.domain.telemetry import Readings, SourceStatus, Window
from bot.domain.view import EvidenceView, IncidentView
from bot.flows.desk import Desk, Limits
from bot.flows.investigation import investigate, look
from bot.storage.database import SqlDatabase
from tests.desk import a_desk, handlers
from tests.fakes import NOON, FakeClock, an_incident


@pytest.fixture
def desk(database: SqlDatabase, clock: FakeClock) -> Desk:
    return a_desk(database, clock)


async def kept(desk: Desk, **fields: object) -> Incident:
    return await desk.db.write(lambda tx: desk.incidents.save(tx, an_incident(version=0, **fields)))


async def latest(desk: Desk, incident: Incident) -> Diagnosis | None:
    return await desk.db.read(lambda tx: desk.diagnoses.latest(tx, incident.id))


@dataclass
class Source:
    """An evidence source that says nothing, or breaks."""

    name: str = "prometheus"
    error: Exception | None = None
    asked: int = 0

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One empty answer per service."""
        self.asked += 1
        if self.error:
            raise self.error
        return tuple(Readings(self.name, "q", window, SourceStatus.NO_DATA, "no series match") for _ in services)


async def test_the_first_look_is_at_once_and_the_next_ones_come_in_turns(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk)
    for _ in range(50):
        await desk.db.write(lambda tx: look(tx, incident, desk))
    first, again = desk.work.named("investigate")
    assert first.not_before is None
    assert again.not_before is not None
    assert clock() < again.not_before <= clock() + desk.limits.look_again
    clock.advance(seconds=desk.limits.look_again.total_seconds())
    await desk.db.write(lambda tx: look(tx, incident, desk))
    assert len(desk.work.named("investigate")) == 3


async def test_what_is_over_is_not_looked_into(desk: Desk) -> None:
    incident = await kept(desk, status=Status.RESOLVED, resolved_at=NOON)
    await desk.db.write(lambda tx: look(tx, incident, desk))
    await investigate({"incident_id": incident.id}, desk)
    assert desk.work.started == []
    assert await latest(desk, incident) is None


async def test_without_any_evidence_it_says_so_on_the_card_and_in_the_thread(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk)
    await investigate({"incident_id": incident.id}, desk)
    found = await latest(desk, incident)
    assert found is not None
    assert found.verdict is Verdict.UNDETERMINED
    assert found.cause is None
    await desk.work.run_all(handlers(desk), now=clock())
    card = next(p.view for p in desk.channel.posts if isinstance(p.view, IncidentView))
    assert card.diagnosis == found
    assert card.may_propose == ""
    assert any(isinstance(p.view, EvidenceView) and p.place.thread for p in desk.channel.posts)


async def test_a_source_that_breaks_is_told_and_blocks_nothing(database: SqlDatabase, clock: FakeClock) -> None:
    broken, silent = Source(error=RuntimeError("the cable is out")), Source(name="loki")
    desk = a_desk(database, clock, evidence_sources=(broken, silent))
    incident = await kept(desk)
    await investigate({"incident_id": incident.id}, desk)
    assert await latest(desk, incident) is not None
    assert broken.asked
    assert silent.asked


async def test_the_same_finding_is_journalled_once(desk: Desk, clock: FakeClock) -> None:
    incident = await kept(desk)
    for _ in range(3):
        await investigate({"incident_id": incident.id}, desk)
        clock.advance(seconds=30)
    (entry,) = await desk.db.read(lambda tx: desk.journal.recent(tx))
    assert (entry.feature, entry.engine, entry.incident_id) == (Feature.DIAGNOSIS, "rules", incident.id)
    told = await desk.db.read(lambda tx: desk.timeline.of(tx, incident.id))
    assert [e.kind for e in told] == [EntryKind.DIAGNOSIS]


async def test_telemetry_that_fades_does_not_acquit_what_stood_convicted(desk: Desk) -> None:
    incident = await kept(desk)
    cause = Candidate("github:1", "payments", "raise retries", version="v43")
    stood = Diagnosis(Verdict.CONVICTED, Confidence.STRONG, "payments v43", NOON, cause=cause)
    await desk.db.write(lambda tx: desk.diagnoses.save(tx, incident.id, stood))
    await investigate({"incident_id": incident.id}, desk)  # finds nothing at all
    now = await latest(desk, incident)
    assert now is not None
    assert now.cause == cause


async def test_an_undetermined_incident_is_looked_at_again_until_it_is_old(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock, limits=replace(Limits(), correlate=timedelta(minutes=15)))
    incident = await kept(desk)
    await desk.db.write(lambda tx: look(tx, incident, desk))
    await investigate({"incident_id": incident.id}, desk)
    assert len(desk.work.named("investigate")) == 2
    clock.advance(minutes=20)
    await investigate({"incident_id": incident.id}, desk)
    assert len(desk.work.named("investigate")) == 2
