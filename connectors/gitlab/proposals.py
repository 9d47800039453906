"""A file proposed to a GitLab project: a branch of its own, one commit, one merge request.

Format: https://docs.gitlab.com/api/branches/, /api/repository_files/, /api/merge_requests/
"""

from urllib.parse import quote

import httpx

from bot.domain.care import Proposal
from bot.errors import BadPayload, NotFound
from bot.wire.forge import known
from bot.wire.rest import Rest
from connectors.gitlab.source import GitLabSettings


class GitLabProposals:
    """ports.Proposals; the token needs the scope `api` and may push branches (Developer)."""

    def __init__(self, settings: GitLabSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        token = settings.token.get_secret_value() if settings.token else ""
        headers = {"private-token": token, "user-agent": "tocsin"}
        self._api = Rest("GitLab", f"{settings.url.rstrip('/')}/api/v4", headers, transport=transport)

    async def propose(self, proposal: Proposal) -> str:
        """The address of the merge request with this file; what an earlier try did is not done again."""
        if not known(proposal.repository):
            raise NotFound(f"{proposal.repository[:80]!r} is no project like acme/runbooks.")
        at, branch = f"/projects/{quote(proposal.repository, safe='')}", proposal.own_branch
        base = proposal.branch or (await self._api.get(at))["default_branch"].needed()
        if (there := await self._open(at, branch)) is not None:
            return there
        if not await self._there(f"{at}/repository/branches/{quote(branch, safe='')}"):
            await self._api.send("POST", f"{at}/repository/branches", {"branch": branch, "ref": base})
        await self._file(at, proposal, branch)
        asked = {"source_branch": branch, "target_branch": base, "title": proposal.title[:250], "description": proposal.body}
        try:
            made = await self._api.send("POST", f"{at}/merge_requests", {**asked, "remove_source_branch": True})
        except BadPayload:  # 409: somebody was faster
            there = await self._open(at, branch)
            if there is None:
                raise
            return there
        return made["web_url"].needed()

    async def _open(self, at: str, branch: str) -> str | None:
        requests = await self._api.get(f"{at}/merge_requests", source_branch=branch, per_page="1")
        return next((one["web_url"].needed() for one in requests.optional_items()), None)

    async def _file(self, at: str, proposal: Proposal, branch: str) -> None:
        path = f"{at}/repository/files/{quote(proposal.path, safe='')}"
        method = "PUT" if await self._there(path, ref=branch) else "POST"
        body = {"branch": branch, "content": proposal.text, "commit_message": proposal.title}
        await self._api.send(method, path, body)

    async def _there(self, path: str, **params: str) -> bool:
        try:
            await self._api.get(path, **params)
        except NotFound:
            return False
        return True
