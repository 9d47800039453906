"""What came in is only added to; what became of it stands apart. On SQLite the deliveries move into a file of their own."""

import sqlite3
from pathlib import Path
from typing import cast

import sqlalchemy as sa
from alembic import op

from bot.storage.box import box_of, prepare, take_over

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add outcomes, tell them of all that came in so far, then let go of the old columns."""
    _outcomes()
    # What waits is told by name: numbers that wait and numbers that are done lie mixed so far.
    op.execute(
        "INSERT INTO outcomes (parcel_id, state, attempts, error, outcome) SELECT id, state, attempts, error, outcome FROM inbox"
    )
    op.execute("INSERT INTO inbox_settled (id, through) SELECT 1, coalesce(max(id), 0) FROM inbox")
    if op.get_bind().dialect.name == "sqlite":
        _move()
    else:
        _slim()


def _outcomes() -> None:
    op.create_table(
        "outcomes",
        sa.Column("parcel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("parcel_id", name="pk_outcomes"),
    )
    waiting = sa.text("state = 'waiting'")
    op.create_index("ix_outcomes_waiting", "outcomes", ["parcel_id"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "inbox_settled",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("through", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_inbox_settled"),
    )


def _move() -> None:
    """Durably there before it is gone here: whatever happens in between, the next start does it again."""
    raw = cast(sqlite3.Connection, op.get_bind().connection.driver_connection)
    file = next(row[2] for row in raw.execute("PRAGMA database_list") if row[1] == "main")
    box = box_of(Path(file))
    prepare(box)
    take_over(box, raw)
    op.drop_table("inbox")


def _slim() -> None:
    for index in ("ix_inbox_waiting", "ix_inbox_received", "uq_inbox_delivery"):
        op.drop_index(index, "inbox")
    named = sa.text("delivery_id IS NOT NULL")
    op.create_index("uq_inbox_delivery", "inbox", ["connector", "delivery_id"], unique=True, postgresql_where=named)
    for column in ("state", "attempts", "error", "outcome"):
        op.drop_column("inbox", column)
