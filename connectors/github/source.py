"""Commits and diffs of GitHub by REST. Format: https://docs.github.com/en/rest/commits/commits"""

import asyncio
from datetime import UTC, datetime

import httpx
from pydantic import Field, SecretStr

from bot.domain.change import Commit
from bot.domain.payload import Node
from bot.errors import BadPayload
from bot.ports import WebhookSettings
from bot.wire.forge import MOST_COMMITS, MOST_DIFFS, Forge, known, patch


class GitHubSettings(WebhookSettings):
    """`token` reads commits and diffs: fine-grained, with Contents: read-only. `api_url` is another one for an own server.

    With `impact`, pull requests get a comment with the impact of their commits; the token has to write pull requests.
    """

    token: SecretStr | None = None
    api_url: str = Field("https://api.github.com", pattern=r"^https?://[^\s@]+$")
    timeout_seconds: float = Field(4.0, gt=0)
    tickets: str = Field("", pattern=r"^([\w.-]+/[\w.-]+)?$")  # a repository whose issues are tickets; "" is none
    impact: bool = False


class GitHubCommits:
    """ports.ChangeSource; what cannot be had is None or empty."""

    name = "github"

    def __init__(self, settings: GitHubSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        token = settings.token.get_secret_value() if settings.token else ""
        headers = {"accept": "application/vnd.github+json", "x-github-api-version": "2022-11-28", "user-agent": "tocsin"}
        if token:
            headers["authorization"] = f"Bearer {token}"
        self._forge = Forge("GitHub", settings.api_url, headers, timeout=settings.timeout_seconds, transport=transport)

    async def commit(self, repository: str, sha: str) -> Commit | None:
        """One commit with its diff; None if GitHub does not show it to us."""
        if not known(repository, sha):
            return None
        found = await self._forge.get(f"/repos/{repository}/commits/{sha}")
        return _read(found) if found else None

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        """The commits after `base` up to `head`, newest first; the newest ones with their diffs."""
        if not known(repository, base, head):
            return ()
        found = await self._forge.get(f"/repos/{repository}/compare/{base}...{head}")
        listed = [c for node in found["commits"].optional_items() if (c := _read(node))] if found else []
        newest = listed[::-1][:MOST_COMMITS]
        whole = await asyncio.gather(*(self.commit(repository, c.sha) for c in newest[:MOST_DIFFS]))
        return tuple(full or bare for full, bare in zip([*whole, *[None] * len(newest)], newest, strict=False))


def _read(node: Node) -> Commit | None:
    """A commit as GitHub writes it; None for what is none. Without its files it is marked as cut."""
    try:
        sha, about = node["sha"].needed()[:64], node["commit"].object()
        at = about["committer"]["date"].time() or about["author"]["date"].time() or datetime.min.replace(tzinfo=UTC)
    except BadPayload:
        return None
    files, diff, cut = patch(
        (f["previous_filename"].text() or f["filename"].text(), f["filename"].text(), f["patch"].text())
        for f in node["files"].optional_items()
    )
    return Commit(sha, about["author"]["name"].text()[:100], at, about["message"].text().strip(), files, diff, cut or not files)
