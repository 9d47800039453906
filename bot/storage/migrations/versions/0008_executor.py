"""What an executor of its own is handed, and what deliveries are counted by.

One function per aggregate; its table's metadata stands in `bot.storage` beside the store.
"""

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Nothing yet: no table has been added since 0007."""
