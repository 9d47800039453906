"""The schema through time: numbered steps in `versions`, run in one transaction under a lock, with Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from bot.errors import BadSettings

ADVISORY_LOCK = 0x70C514  # "tocsin"; any number that nobody else on this database uses


def upgrade(connection: Connection, name: str) -> None:
    """Bring the schema to the newest step. On SQLite the writer's transaction is the lock, on PostgreSQL an advisory one.

    Raises BadSettings when the schema is newer than this code.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = '120s'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
    config = _config()
    if current(connection, name) != _head(config):
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check(connection: Connection, name: str) -> None:
    """Raise BadSettings unless the schema is exactly the one this code knows."""
    found, head = current(connection, name), _head(_config())
    if found != head:
        raise BadSettings(
            f"The database {name} has schema {found or 'none'}, this Tocsin needs {head}. "
            "Run `tocsin db upgrade`, or start the server of this version: both bring the schema up to date."
        )


def current(connection: Connection, name: str) -> str | None:
    """The step that the schema is at, None for an empty database. Raises BadSettings if this code does not know it."""
    found = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}
    if found is not None and found not in known:
        raise BadSettings(
            f"The database {name} was written by a newer Tocsin (schema {found}; this one knows up to "
            f"{max(known, default='none')}). Install that version again, or restore a backup made before it."
        )
    return found


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    return config


def _head(config: Config) -> str | None:
    return ScriptDirectory.from_config(config).get_current_head()
