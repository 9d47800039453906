"""Slack's user groups: who is in which, asked every five minutes at most."""

import time
from collections.abc import Callable

from slack_sdk.web.async_client import AsyncWebClient

from bot.errors import NotAllowed, NotFound, Unavailable
from bot.ports import UserGroup
from bot.slack.payload import records, text, texts
from bot.slack.refusals import call

KEPT = 300.0  # seconds


class UserGroups:
    """All user groups of a workspace; none where Slack does not tell, which is asked again the next time."""

    def __init__(self, client: AsyncWebClient, now: Callable[[], float] = time.monotonic) -> None:
        self._client, self._now = client, now
        self._known: tuple[float, tuple[UserGroup, ...]] | None = None

    async def of(self, user: str) -> frozenset[str]:
        """The groups of a person by id and by handle."""
        mine = [g for g in await self._all() if user in g.people]
        return frozenset(name for g in mine for name in (g.id, g.handle) if name)

    async def find(self, name: str) -> UserGroup | None:
        """The group with this id or handle."""
        return next((g for g in await self._all() if name and name in (g.id, g.handle)), None)

    async def _all(self) -> tuple[UserGroup, ...]:
        if self._known is None or self._now() - self._known[0] > KEPT:
            try:
                asked = self._client.usergroups_list(include_users=True)
                found = records(await call("usergroups.list", "this workspace", asked), "usergroups")
            except (NotAllowed, NotFound, Unavailable):
                return ()
            groups = tuple(UserGroup(text(g, "id"), text(g, "handle"), tuple(texts(g, "users"))) for g in found)
            self._known = (self._now(), groups)
        return self._known[1]
