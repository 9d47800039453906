"""What diagnosis keeps between incidents: who was seen calling whom, what is watched, what was learned.

One function per aggregate; its table's metadata stands in `bot.storage` beside the store.
"""

import sqlalchemy as sa
from alembic import op

from bot.storage.database import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables of diagnosis."""
    _topology()


def _topology() -> None:
    """Who was seen calling whom, and what passed minute by minute."""
    op.create_table(
        "known_calls",
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("callee", sa.String(200), nullable=False),
        sa.Column("source", sa.String(40), nullable=False),
        sa.Column("first_seen", UtcDateTime, nullable=False),
        sa.Column("last_seen", UtcDateTime, nullable=False),
        sa.Column("calls", sa.Float(), nullable=False),
        sa.Column("errors", sa.Float(), nullable=False),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        sa.Column("external", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("caller", "callee", "source", name="pk_known_calls"),
    )
    op.create_index("ix_known_calls_last_seen", "known_calls", ["last_seen"])
    op.create_table(
        "call_minutes",
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("callee", sa.String(200), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("total_ms", sa.Float(), nullable=False),
        sa.Column("external", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("at", "caller", "callee", name="pk_call_minutes"),
    )
    _charts()


def _charts() -> None:
    """The charts that the chat keeps for messages of ours."""
    op.create_table(
        "charts",
        sa.Column("about", sa.String(200), nullable=False),
        sa.Column("drawn_at", UtcDateTime, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("about", name="pk_charts"),
    )
