"""What actions keep beside themselves: locks on services and environments.

One function per aggregate; its table's metadata stands in `bot.storage` beside the store.
"""

import sqlalchemy as sa
from alembic import op

from bot.storage.database import UtcDateTime

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the tables of actions."""
    _locks()


def _locks() -> None:
    """Who keeps others from changing what, why and until when."""
    op.create_table(
        "locks",
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("service", "environment", name="pk_locks"),
    )
