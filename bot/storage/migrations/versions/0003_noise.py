"""What 3/6 keeps: noise and its history, silences, pages, tickets, services that nobody could name.

One function per aggregate; its table's metadata stands in `bot.storage` beside the store.
"""

import sqlalchemy as sa
from alembic import op

from bot.storage.database import UtcDateTime

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables of 3/6."""
    _reached()
    _changes()


def _changes() -> None:
    """Changes are found by their commit, so that its checks can be told of what shipped it."""
    op.add_column("changes", sa.Column("sha", sa.String(64), nullable=True))
    op.create_index("ix_changes_sha", "changes", ["sha"])


def _reached() -> None:
    """Who was to be reached about which incident, one row per attempt."""
    op.create_table(
        "reached",
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("incident_id", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("how", sa.String(40), nullable=False),
        sa.Column("target", sa.String(200), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("page", sa.String(255), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_reached"),
    )
    op.create_index("ix_reached_incident_id", "reached", ["incident_id"])
