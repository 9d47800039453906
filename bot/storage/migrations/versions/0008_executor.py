"""What an executor of its own is handed, and what deliveries are counted by.

One function per aggregate; its table's metadata stands in `bot.storage` beside the store.
"""

import sqlalchemy as sa
from alembic import op

from bot.storage.database import UtcDateTime

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Add the tables of this step."""
    _errands()
    _action_steps()
    _history()
    _batches()


def _errands() -> None:
    """What the bot has an executor do or ask, and which executors were heard of."""
    op.create_table(
        "errands",
        sa.Column("id", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("deployer", sa.String(200), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("signature", sa.String(200), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("taken_by", sa.String(200), nullable=False),
        sa.Column("taken_until", UtcDateTime),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_errands"),
    )
    op.create_index("ix_errands_state_created_at", "errands", ["state", "created_at"])
    op.create_index("ix_errands_created_at", "errands", ["created_at"])
    op.create_table(
        "executors",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.Column("deployers", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_executors"),
    )


def _action_steps() -> None:
    """Which actions a typed step of a runbook led to, and where."""
    op.create_table(
        "action_steps",
        sa.Column("action_id", sa.String(64), nullable=False),
        sa.Column("step", sa.String(300), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("action_id", name="pk_action_steps"),
    )
    op.create_index("ix_action_steps_created_at", "action_steps", ["created_at"])
    op.create_index("ix_action_steps_step", "action_steps", ["step", "created_at"])


def _history() -> None:
    """Past actions are read by time, of all services or of one."""
    op.create_index("ix_actions_created_at", "actions", ["created_at"])
    op.create_index("ix_actions_service_created_at", "actions", ["service", "created_at"])


def _batches() -> None:
    """Which actions were asked for together."""
    op.create_table(
        "action_batches",
        sa.Column("action_id", sa.String(64), nullable=False),
        sa.Column("batch", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("action_id", name="pk_action_batches"),
    )
    op.create_index("ix_action_batches_batch", "action_batches", ["batch"])
