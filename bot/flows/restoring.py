"""The database was put back to an earlier moment: what was to be done then is not done now without people saying so again."""

from datetime import datetime

from bot.domain.action import UNDECIDED, ActionStatus
from bot.ports import ActionStore, Ledger, Transaction

NOT_BEGUN = UNDECIDED | {ActionStatus.APPROVED}
WHY = "the database was restored from a backup; propose it again if it is still wanted"


def set_right(tx: Transaction, actions: ActionStore, ledger: Ledger, now: datetime) -> int:
    """Actions that had not begun expire, since they may have run after the backup was taken; how many those were.

    One that was executing needs nothing here: its deployer is asked what became of it, as after any crash.
    """
    expired = 0
    for action in actions.unfinished(tx):
        if action.status in NOT_BEGUN and actions.move(tx, action, action.move(ActionStatus.EXPIRED, now, WHY)):
            ledger.append(tx, now, "tocsin", "expired", action.id, {"why": WHY})
            expired += 1
    ledger.append(tx, now, "tocsin", "restored", "database", {"expired": str(expired)})
    return expired
