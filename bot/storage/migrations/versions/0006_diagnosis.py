"""What diagnosis keeps between incidents: who was seen calling whom, what is watched, what was learned.

One function per aggregate; its table's metadata stands in `bot.storage` beside the store.
"""

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the tables of diagnosis."""
