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
    _watches()
    _weights()
    _charts()
    _use()


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


def _charts() -> None:
    """The charts that the chat keeps for messages of ours."""
    op.create_table(
        "charts",
        sa.Column("about", sa.String(200), nullable=False),
        sa.Column("drawn_at", UtcDateTime, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("about", name="pk_charts"),
    )


def _watches() -> None:
    """What is remembered of watched metrics, what was warned of, and deployments that settle in."""
    op.create_table(
        "watched_series",
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("metric", sa.String(255), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("service", "metric", name="pk_watched_series"),
    )
    op.create_index("ix_watched_series_at", "watched_series", ["at"])
    op.create_table(
        "warnings",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_warnings"),
    )
    op.create_index("ix_warnings_at", "warnings", ["at"])
    only_open = sa.text("open")
    op.create_index("ix_warnings_open", "warnings", ["id"], sqlite_where=only_open, postgresql_where=only_open)
    op.create_table(
        "bakes",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("began_at", UtcDateTime, nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_bakes"),
    )
    op.create_index("ix_bakes_began_at", "bakes", ["began_at"])
    only_active = sa.text("active")
    op.create_index("ix_bakes_active", "bakes", ["id"], sqlite_where=only_active, postgresql_where=only_active)


def _weights() -> None:
    """What was learned from confirmed causes."""
    op.create_table(
        "learned_weights",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("chosen_at", UtcDateTime, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_learned_weights"),
    )
    op.create_index("ix_learned_weights_chosen_at", "learned_weights", ["chosen_at"])


def _use() -> None:
    """When a copied page was last linked to, so that the one least used makes room."""
    op.add_column("copies", sa.Column("used_at", UtcDateTime, nullable=True))
