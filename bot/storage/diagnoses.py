"""The latest look at each incident."""

from sqlalchemy import Column, String, Table, Text, insert, select, update

from bot.domain.evidence import Diagnosis
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.database import UtcDateTime, metadata, sql

diagnoses = Table(
    "diagnoses",
    metadata,
    Column("incident_id", String(64), primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("body", Text, nullable=False),
)


class SqlDiagnosisStore:
    """ports.DiagnosisStore in SQL."""

    def save(self, tx: Transaction, incident_id: str, diagnosis: Diagnosis) -> None:
        """Keep it as the latest."""
        values = {"at": diagnosis.at, "body": dump(diagnosis)}
        mine = diagnoses.c.incident_id == incident_id
        if sql(tx).execute(update(diagnoses).where(mine).values(**values)).rowcount == 0:
            sql(tx).execute(insert(diagnoses).values(incident_id=incident_id, **values))

    def latest(self, tx: Transaction, incident_id: str) -> Diagnosis | None:
        """The latest, or None."""
        body = sql(tx).execute(select(diagnoses.c.body).where(diagnoses.c.incident_id == incident_id)).scalar_one_or_none()
        return None if body is None else load(Diagnosis, body)
