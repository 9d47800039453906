"""Sources of documents are brought up to date: when their time has come, and at once when a push tells of news."""

from collections.abc import Iterable, Mapping
from datetime import timedelta

from bot.domain.change import Change, ChangeKind
from bot.flows.desk import Desk
from bot.flows.runbooks.keeping_up import note_news
from bot.ports import Scalar, Transaction

BREATH = 2  # seconds in which several pushes are one


async def sync_sources(_args: Mapping[str, Scalar], desk: Desk) -> None:
    """Each source whose time has come is synchronised, one run at a time; those that the settings name no more are forgotten."""
    now = desk.clock()

    def go(tx: Transaction) -> None:
        states = desk.copies.states(tx)
        if set(states) - desk.sources.known:
            desk.copies.only(tx, sorted(desk.sources.known))
            note_news(tx, desk)
        for name in desk.sources.due(states, now):
            _start(tx, name, f"{now.isoformat(timespec='minutes')}", desk)

    await desk.db.write(go)


async def sync_source(args: Mapping[str, Scalar], desk: Desk) -> None:
    """One source is synchronised; if it brought news, the library of every replica reads it."""
    name = str(args["name"])
    if name not in desk.sources.origins:
        return
    brought = await desk.sources.sync(name)
    if brought.news:
        await desk.db.write(lambda tx: note_news(tx, desk))
        await desk.library.sync()
    if brought.left:
        again = desk.clock()
        await desk.db.write(lambda tx: _start(tx, name, f"on {again.isoformat()}", desk))


def pushed(tx: Transaction, changes: Iterable[Change], desk: Desk) -> None:
    """A push to a repository that is a source has it synchronised at once."""
    repositories = {c.repository for c in changes if c.kind is ChangeKind.COMMIT} if desk.sources.origins else set()
    for name in {name for repository in repositories for name in desk.sources.of_repository(repository)}:
        slot = int(desk.clock().timestamp() // BREATH) + 1
        due = desk.clock().fromtimestamp(slot * BREATH, tz=desk.clock().tzinfo)
        _start(tx, name, f"push {slot}", desk, due - desk.clock())


def _start(tx: Transaction, name: str, which: str, desk: Desk, wait: timedelta = timedelta()) -> None:
    after = desk.clock() + wait if wait else None
    desk.work.start(
        tx, "housekeeping", "sync_source", f"source:{name}:{which}", {"name": name}, partition=f"source:{name}", not_before=after
    )
