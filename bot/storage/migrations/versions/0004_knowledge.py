"""What 4/6 keeps: what people said of runbooks, and what was imported.

One function per aggregate; its table's metadata stands in `bot.storage` beside the store.
"""

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the tables of 4/6."""
