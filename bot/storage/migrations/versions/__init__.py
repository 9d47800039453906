"""One file per step, numbered; Alembic finds them here."""
