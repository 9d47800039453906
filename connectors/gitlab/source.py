"""Commits and diffs of GitLab by REST. Format: https://docs.gitlab.com/api/commits/ and https://docs.gitlab.com/api/repositories/"""

import asyncio
from dataclasses import replace
from urllib.parse import quote

import httpx
from pydantic import Field, SecretStr

from bot.domain.change import Commit
from bot.domain.payload import Node
from bot.errors import BadPayload
from bot.ports import WebhookSettings
from bot.wire.forge import MOST_COMMITS, MOST_DIFFS, Forge, known, patch


class GitLabSettings(WebhookSettings):
    """`token` reads commits and diffs: a project or group access token with read_api. `url` is GitLab's own address."""

    token: SecretStr | None = None
    url: str = Field("https://gitlab.com", pattern=r"^https?://[^\s@]+$")
    timeout_seconds: float = Field(4.0, gt=0)


class GitLabCommits:
    """ports.ChangeSource; what cannot be had is None or empty."""

    name = "gitlab"

    def __init__(self, settings: GitLabSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        headers = {"user-agent": "tocsin"}
        if settings.token:
            headers["private-token"] = settings.token.get_secret_value()
        url = f"{settings.url.rstrip('/')}/api/v4"
        self._forge = Forge("GitLab", url, headers, timeout=settings.timeout_seconds, transport=transport)

    async def commit(self, repository: str, sha: str) -> Commit | None:
        """One commit with its diff; None if GitLab does not show it to us."""
        if not known(repository, sha):
            return None
        found = await self._forge.get(f"{_path(repository)}/commits/{sha}")
        bare = _read(found) if found else None
        return await self._whole(repository, bare) if bare else None

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        """The commits after `base` up to `head`, newest first; the newest ones with their diffs."""
        if not known(repository, base, head):
            return ()
        found = await self._forge.get(f"{_path(repository)}/compare?from={base}&to={head}")
        listed = [c for node in found["commits"].optional_items() if (c := _read(node))] if found else []
        newest = sorted(reversed(listed), key=lambda c: c.at, reverse=True)[:MOST_COMMITS]
        whole = await asyncio.gather(*(self._whole(repository, c) for c in newest[:MOST_DIFFS]))
        return (*whole, *newest[MOST_DIFFS:])

    async def _whole(self, repository: str, bare: Commit) -> Commit:
        found = await self._forge.get(f"{_path(repository)}/commits/{bare.sha}/diff?per_page=100")
        if found is None:
            return bare
        files, diff, cut = patch(
            (f["old_path"].text(), f["new_path"].text(), f["diff"].text()) for f in found.optional_items() if f["new_path"].text()
        )
        return replace(bare, files=files, diff=diff, truncated=cut or not files or len(files) >= 100)


def _path(repository: str) -> str:
    return f"/projects/{quote(repository, safe='')}/repository"


def _read(node: Node) -> Commit | None:
    """A commit as GitLab writes it, without its diff; None for what is none."""
    try:
        sha, at = node["id"].needed()[:64], node["committed_date"].time() or node["created_at"].time()
    except BadPayload:
        return None
    if at is None or not known("a/b", sha):
        return None
    return Commit(sha, node["author_name"].text()[:100], at, node["message"].text().strip(), truncated=True)
