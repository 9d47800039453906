"""What keeps the house clean: knowledge synced, old things forgotten, long-resolved incidents closed."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial

from bot.flows.acting.executing import rescue
from bot.flows.desk import Desk
from bot.flows.quiet.holds import release_overdue
from bot.flows.runbooks.keeping_up import note_news
from bot.flows.settling import close_old
from bot.ports import Scalar, Transaction

Forget = Callable[[Transaction, datetime], int]


async def sweep(_args: Mapping[str, Scalar], desk: Desk, forget: Mapping[Forget, timedelta], raw: timedelta) -> None:
    """Each store forgets what is older than its span, old incidents are closed, actions whose work died are taken up again."""
    now = desk.clock()
    await forget_raw(desk, now - raw)

    def go(tx: Transaction) -> None:
        for prune, age in forget.items():
            prune(tx, now - age)
        close_old(tx, desk)
        rescue(tx, desk)
        release_overdue(tx, desk)

    await desk.db.write(go)


async def forget_raw(desk: Desk, before: datetime) -> int:
    """Deliveries that came in before a time and wait no more are gone, raw bodies included; how many those were."""
    count, after = 0, 0
    while True:
        old, more = await desk.db.read(partial(desk.inbox.old, before=before, after=after))
        if old:
            await desk.db.keep(partial(desk.inbox.forget, ids=old))
            count += len(old)
        if more is None:
            break
        after = more
    if count:
        await desk.db.write(desk.inbox.forget_outcomes)
    return count


async def sync_knowledge(_args: Mapping[str, Scalar], desk: Desk) -> None:
    """Runbooks and past incidents are read again, by every replica; only what changed is embedded anew."""
    await desk.db.write(partial(note_news, desk=desk))
    await desk.library.sync()
