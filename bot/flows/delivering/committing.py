"""When the commits of deployments were made: asked of the repositories, few at a time and not for long."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from bot.domain.change import Change, Commit
from bot.domain.delivery import Deployment, Kind
from bot.domain.service import Catalogue
from bot.errors import BotError
from bot.ports import ChangeSource

MOST = 60  # deployments that a repository is asked about, the newest
AT_ONCE = 4
MOST_COMMITS = 200  # of one deployment


async def commit_times(
    every: Iterable[Deployment],
    pushes: Sequence[Change],
    sources: Sequence[ChangeSource],
    catalogue: Catalogue,
    since: datetime,
    seconds: float,
) -> Mapping[Deployment, tuple[datetime, ...]]:
    """By deployment, the times of the commits that it brought; of its own commit alone where nobody can tell those between.

    A repository that does not answer within `seconds`, or does not know, is passed over: its deployments are not in the answer,
    unless a push told the time of their commit.
    """
    new = [d for d in every if d.kind is Kind.NEW and d.commit and d.at >= since]
    told = {push.commit: push.at for push in reversed(pushes)}
    pushed = {d: told.get(d.commit) for d in new}
    found: dict[Deployment, tuple[datetime, ...]] = {d: (at,) for d, at in pushed.items() if at is not None}
    wanted = sorted((d for d in new if d.repository and sources), key=lambda d: d.at, reverse=True)[:MOST]
    if not wanted:
        return found
    turns = asyncio.Semaphore(AT_ONCE)

    async def ask(one: Deployment) -> None:
        async with turns:
            commits = await _asked(one, sources, catalogue)
        if commits:
            found[one] = tuple(c.at for c in commits[:MOST_COMMITS])

    asked = [asyncio.ensure_future(ask(one)) for one in wanted]
    _, late = await asyncio.wait(asked, timeout=seconds)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    for task in asked:
        if task not in late:
            task.result()  # what is no BotError is a fault of ours, and said
    return found


async def _asked(one: Deployment, sources: Sequence[ChangeSource], catalogue: Catalogue) -> tuple[Commit, ...]:
    for source in sources:
        try:
            between = await source.between(one.repository, one.before, one.commit) if one.before else ()
            if between:
                return _of_service(one, between, catalogue)
            head = await source.commit(one.repository, one.commit)
        except BotError:
            continue
        if head is not None:
            return (head,)
    return ()


def _of_service(one: Deployment, commits: Sequence[Commit], catalogue: Catalogue) -> tuple[Commit, ...]:
    """The commits that touch what ships with the service; all where nobody said what does."""
    service = catalogue.get(one.service)
    if not service.paths:
        return tuple(commits)
    alone = Catalogue({service.name: service})
    return tuple(c for c in commits if not c.files or alone.shipping(service.repository, c.files))
