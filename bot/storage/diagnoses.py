"""The latest look at each incident."""

from collections.abc import Sequence

from sqlalchemy import Column, String, Table, Text, bindparam, select

from bot.domain.evidence import Diagnosis
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

CHUNK = 400  # ids in one question

diagnoses = Table(
    "diagnoses",
    metadata,
    Column("incident_id", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("body", Text, nullable=False),
)
_KNOWN = select(diagnoses.c.incident_id).where(diagnoses.c.incident_id.in_(bindparam("incidents", expanding=True)))
_LATEST = select(diagnoses.c.body).where(diagnoses.c.incident_id == bindparam("incident"))


class SqlDiagnosisStore:
    """ports.DiagnosisStore in SQL."""

    def save(self, tx: Transaction, incident_id: str, diagnosis: Diagnosis) -> None:
        """Keep it as the latest; of two at the same moment one stands whole."""
        upsert(tx, diagnoses, [{"incident_id": incident_id, "at": diagnosis.at, "body": dump(diagnosis)}])

    def latest(self, tx: Transaction, incident_id: str) -> Diagnosis | None:
        """The latest, or None."""
        body = sql(tx).execute(_LATEST, {"incident": incident_id}).scalar_one_or_none()
        return None if body is None else load(Diagnosis, body)

    def known(self, tx: Transaction, incident_ids: Sequence[str]) -> set[str]:
        """Those of these incidents that were looked into."""
        found: set[str] = set()
        for first in range(0, len(incident_ids), CHUNK):
            found.update(sql(tx).execute(_KNOWN, {"incidents": incident_ids[first : first + CHUNK]}).scalars())
        return found
