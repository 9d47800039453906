"""What 4/6 keeps: what people said of runbooks, and what was imported.

One function per aggregate; its table's metadata stands in `bot.storage` beside the store.
"""

import sqlalchemy as sa
from alembic import op

from bot.storage.database import UtcDateTime

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables of 4/6."""
    _copies()
    _suggestions()
    _past()
    _turns()
    _care()


def _suggestions() -> None:
    """What people said of the documents that they were shown."""
    op.create_table(
        "suggestion_opinions",
        sa.Column("problem", sa.String(200), nullable=False),
        sa.Column("service", sa.String(200), nullable=False),
        sa.Column("document", sa.String(255), nullable=False),
        sa.Column("said_by", sa.String(64), nullable=False),
        sa.Column("opinion", sa.String(20), nullable=False),
        sa.Column("incident_id", sa.String(64), nullable=False),
        sa.Column("said_at", UtcDateTime, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "problem", "service", "document", "said_by", "opinion", "incident_id", name="pk_suggestion_opinions"
        ),
    )
    op.create_index("ix_suggestion_opinions_service", "suggestion_opinions", ["service"])


def _past() -> None:
    """Past incidents that were imported, and what lay around our own."""
    op.create_table(
        "imported_incidents",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("origin", sa.String(80), nullable=False),
        sa.Column("imported_at", UtcDateTime, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_imported_incidents"),
    )
    op.create_index("ix_imported_incidents_origin", "imported_incidents", ["origin"])
    op.create_table(
        "incident_surroundings",
        sa.Column("incident_id", sa.String(64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("incident_id", name="pk_incident_surroundings"),
    )


def _copies() -> None:
    """Documents that lie elsewhere, and how their sources are doing."""
    op.create_table(
        "copies",
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("ref", sa.Text(), nullable=False),
        sa.Column("version", sa.String(255), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("source", "key", name="pk_copies"),
    )
    op.create_table(
        "sources",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("mark", sa.String(100), nullable=False),
        sa.Column("tried_at", UtcDateTime, nullable=True),
        sa.Column("synced_at", UtcDateTime, nullable=True),
        sa.Column("trouble", sa.Text(), nullable=False),
        sa.Column("brought", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sources"),
    )


def _turns() -> None:
    """Whose turn it is to do what one replica at a time should do."""
    op.create_table(
        "turns",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("until", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_turns"),
    )


def _care() -> None:
    """What of the runbooks was tried, since when each is known, and drafts."""
    op.create_table(
        "runbook_checks",
        sa.Column("document", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("health", sa.String(20), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("checked_at", UtcDateTime, nullable=True),
        sa.Column("good_at", UtcDateTime, nullable=True),
        sa.PrimaryKeyConstraint("document", "kind", "digest", name="pk_runbook_checks"),
    )
    op.create_table(
        "runbooks_known",
        sa.Column("document", sa.String(255), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("document", name="pk_runbooks_known"),
    )
    op.create_table(
        "runbook_drafts",
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("incident_id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("made_at", UtcDateTime, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_runbook_drafts"),
    )
    op.create_index("ix_runbook_drafts_incident_id", "runbook_drafts", ["incident_id"])
