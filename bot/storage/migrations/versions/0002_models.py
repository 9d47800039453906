"""What models cost, the chain of the journal, and switches."""

import sqlalchemy as sa
from alembic import op

from bot.storage.database import UtcDateTime

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what 2/6 keeps."""
    op.create_table(
        "switches",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("position", sa.String(64), nullable=False),
        sa.Column("turned_by", sa.String(64), nullable=False),
        sa.Column("turned_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_switches"),
    )
