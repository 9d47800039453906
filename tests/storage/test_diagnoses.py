"""The latest look at an incident replaces the one before, and comes back whole."""

from dataclasses import replace

from bot.domain.evidence import Candidate, Confidence, Diagnosis, Evidence, EvidenceKind, Fact, Verdict
from bot.storage.database import SqlDatabase
from bot.storage.diagnoses import SqlDiagnosisStore
from tests.fakes import NOON

STORE = SqlDiagnosisStore()
GUILTY = Candidate(
    "c1", "payments", "raise retries", shipped_at=NOON, score=0.9, facts=(Fact("retries 2 → 10", 3.0, ("E1",), "retry"),)
)
LOOK = Diagnosis(
    Verdict.CONVICTED, Confidence.STRONG, "payments v43 did it", NOON, onset=NOON, cause=GUILTY, suspects=(GUILTY,),
    evidence=(Evidence("E1", EvidenceKind.DIFF, "retries = 10", "git", NOON, "payments"),),
)  # fmt: skip


def test_the_latest_look_comes_back_whole(database: SqlDatabase) -> None:
    database.write_now(lambda tx: STORE.save(tx, "i", LOOK))
    newer = replace(LOOK, summary="still payments v43")
    database.write_now(lambda tx: STORE.save(tx, "i", newer))
    assert database.read_now(lambda tx: STORE.latest(tx, "i")) == newer
    assert database.read_now(lambda tx: STORE.latest(tx, "j")) is None
