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
    _service_mappings()
    _noise()
    _reached()
    _changes()
    _tickets()
    _belongings()


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


def _tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("connector", sa.String(80), nullable=False),
        sa.Column("ref", sa.String(200), nullable=False),
        sa.Column("incident_id", sa.String(64), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("title", sa.String(300), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("opened_at", UtcDateTime, nullable=False),
        sa.Column("status_at", UtcDateTime, nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("connector", "ref", name="pk_tickets"),
    )
    op.create_index("ix_tickets_incident_id", "tickets", ["incident_id"])
    op.create_index("ix_tickets_service_opened_at", "tickets", ["service", "opened_at"])


def _noise() -> None:
    """What is known of the noise of each problem, each decision, silences, inhibiting sources, storms."""
    op.create_table(
        "noise_states",
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("held", sa.String(20), nullable=False),
        sa.Column("held_until", UtcDateTime, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("fingerprint", name="pk_noise_states"),
    )
    op.create_index("ix_noise_states_held_until", "noise_states", ["held_until"])
    op.create_index("ix_noise_states_updated_at", "noise_states", ["updated_at"])
    op.create_table(
        "noise_decisions",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("fingerprint", sa.String(16), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("acted", sa.Boolean(), nullable=False),
        sa.Column("until", UtcDateTime, nullable=True),
        sa.Column("outcome", sa.String(12), nullable=False),
        sa.Column("ended_at", UtcDateTime, nullable=True),
        sa.Column("incident_id", sa.String(64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_noise_decisions"),
    )
    for column in ("at", "fingerprint", "incident_id"):
        op.create_index(f"ix_noise_decisions_{column}", "noise_decisions", [column])
    op.create_table(
        "noise_silences",
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ends_at", UtcDateTime, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="pk_noise_silences"),
    )
    op.create_index("ix_noise_silences_ends_at", "noise_silences", ["ends_at"])
    op.create_table(
        "noise_sources",
        sa.Column("rule", sa.String(80), nullable=False),
        sa.Column("instance", sa.String(16), nullable=False),
        sa.Column("equal", sa.String(32), nullable=False),
        sa.Column("values", sa.Text(), nullable=False),
        sa.Column("told", sa.Text(), nullable=False),
        sa.Column("seen_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("rule", "instance", name="pk_noise_sources"),
    )
    op.create_index("ix_noise_sources_equal", "noise_sources", ["equal"])
    op.create_table(
        "noise_storms",
        sa.Column("environment", sa.String(100), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("environment", name="pk_noise_storms"),
    )


def _belongings() -> None:
    """What people said of which problems belong together, and what they merged and split."""
    op.create_table(
        "belongings",
        sa.Column("first", sa.String(16), nullable=False),
        sa.Column("second", sa.String(16), nullable=False),
        sa.Column("deed", sa.String(64), nullable=False),
        sa.Column("related", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("first", "second", "deed", name="pk_belongings"),
    )
    op.create_index("ix_belongings_second", "belongings", ["second"])
    op.create_index("ix_belongings_deed", "belongings", ["deed"])
    op.create_table(
        "regroupings",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("source_id", sa.String(64), nullable=False),
        sa.Column("target_id", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("undone_at", UtcDateTime, nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_regroupings"),
    )
    op.create_index("ix_regroupings_source_id", "regroupings", ["source_id"])
    op.create_index("ix_regroupings_target_id", "regroupings", ["target_id"])


def _service_mappings() -> None:
    """What people said about whose alerts are whose."""
    op.create_table(
        "service_mappings",
        sa.Column("label", sa.String(100), nullable=False),
        sa.Column("value", sa.String(255), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("said_by", sa.String(64), nullable=False),
        sa.Column("said_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("label", "value", name="pk_service_mappings"),
    )
