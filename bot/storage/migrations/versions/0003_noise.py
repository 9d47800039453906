"""What 3/6 keeps: noise and its history, silences, pages, tickets, services that nobody could name.

One function per aggregate; its table's metadata stands in `bot.storage` beside the store.
"""

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the tables of 3/6."""
