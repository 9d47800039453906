"""The latest look at an incident replaces the one before, and comes back whole."""

import threading
from dataclasses import replace

from bot.domain.evidence import Candidate, Confidence, Diagnosis, Evidence, EvidenceKind, Fact, Verdict
from bot.ports import Transaction
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


def test_the_first_looks_of_two_at_the_same_moment_are_one_of_both(database: SqlDatabase) -> None:
    other = replace(LOOK, summary="payments v43, said the other one")
    inside = threading.Event()
    late = threading.Thread(target=lambda: inside.wait(30) and database.write_now(lambda tx: STORE.save(tx, "i", other)))
    late.start()

    def first(tx: Transaction) -> None:
        STORE.save(tx, "i", LOOK)
        inside.set()
        late.join(0.3)  # the other one begins while this is not committed yet

    database.write_now(first)
    late.join(30)
    assert not late.is_alive()
    assert database.read_now(lambda tx: STORE.latest(tx, "i")) == other
