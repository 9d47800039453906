"""The charts that the chat keeps for a message of ours; see `bot.domain.chart`."""

from datetime import datetime

from sqlalchemy import Column, PrimaryKeyConstraint, Table, Text, select

from bot.domain.chart import DrawnSet
from bot.ports import Transaction
from bot.storage.codec import dump, load
from bot.storage.columns import Key
from bot.storage.database import UtcDateTime, metadata, sql
from bot.storage.upsert import upsert

charts = Table(
    "charts",
    metadata,
    Column("about", Key(200), nullable=False),
    Column("drawn_at", UtcDateTime, nullable=False),
    Column("body", Text, nullable=False),
    PrimaryKeyConstraint("about", name="pk_charts"),
)


class SqlChartStore:
    """ports.ChartStore in SQL."""

    def put(self, tx: Transaction, about: str, drawn: DrawnSet, at: datetime) -> None:
        """Keep them in place of those before."""
        upsert(tx, charts, [{"about": about, "drawn_at": at, "body": dump(drawn)}])

    def get(self, tx: Transaction, about: str) -> DrawnSet | None:
        """What was drawn last, or None."""
        body = sql(tx).execute(select(charts.c.body).where(charts.c.about == about)).scalar_one_or_none()
        return None if body is None else load(DrawnSet, body)
