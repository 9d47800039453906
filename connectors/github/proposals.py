"""A file proposed to a GitHub repository: a branch of its own, one commit, one pull request.

Format: https://docs.github.com/en/rest/git/refs, .../repos/contents#create-or-update-file-contents, .../pulls/pulls
"""

import base64
from urllib.parse import quote

import httpx

from bot.domain.care import Proposal
from bot.domain.payload import Node
from bot.errors import BadPayload, NotFound
from bot.wire.forge import known
from bot.wire.rest import Rest
from connectors.github.source import GitHubSettings


class GitHubProposals:
    """ports.Proposals; the token needs Contents and Pull requests: read and write."""

    def __init__(self, settings: GitHubSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        token = settings.token.get_secret_value() if settings.token else ""
        headers = {"authorization": f"Bearer {token}", "x-github-api-version": "2022-11-28", "user-agent": "tocsin"}
        self._api = Rest("GitHub", settings.api_url, headers, transport=transport)

    async def propose(self, proposal: Proposal) -> str:
        """The address of the pull request with this file; what an earlier try did is not done again."""
        if not known(proposal.repository):
            raise NotFound(f"{proposal.repository[:80]!r} is no repository like acme/runbooks.")
        at, branch = f"/repos/{proposal.repository}", proposal.own_branch
        base = proposal.branch or (await self._api.get(at))["default_branch"].needed()
        if (there := await self._open(at, proposal, branch)) is not None:
            return there
        await self._branch(at, base, branch)
        await self._file(at, proposal, branch)
        return await self._pull(at, proposal, base, branch)

    async def _open(self, at: str, proposal: Proposal, branch: str) -> str | None:
        owner = proposal.repository.partition("/")[0]
        pulls = await self._api.get(f"{at}/pulls", head=f"{owner}:{branch}", state="all", per_page="1")
        return next((one["html_url"].needed() for one in pulls.optional_items()), None)

    async def _branch(self, at: str, base: str, branch: str) -> None:
        if await self._found(f"{at}/git/ref/heads/{quote(branch)}") is not None:
            return
        head = (await self._api.get(f"{at}/git/ref/heads/{quote(base)}"))["object"]["sha"].needed()
        await self._api.send("POST", f"{at}/git/refs", {"ref": f"refs/heads/{branch}", "sha": head})

    async def _file(self, at: str, proposal: Proposal, branch: str) -> None:
        path = f"{at}/contents/{quote(proposal.path)}"
        old = await self._found(path, ref=branch)
        body = {"message": proposal.title, "content": base64.b64encode(proposal.text.encode()).decode(), "branch": branch}
        if old is not None:
            if base64.b64decode(old["content"].text().replace("\n", "")) == proposal.text.encode():
                return
            body["sha"] = old["sha"].needed()
        await self._api.send("PUT", path, body)

    async def _pull(self, at: str, proposal: Proposal, base: str, branch: str) -> str:
        asked = {"title": proposal.title[:250], "head": branch, "base": base, "body": proposal.body}
        try:
            made = await self._api.send("POST", f"{at}/pulls", asked)
        except BadPayload:  # 422: somebody was faster
            there = await self._open(at, proposal, branch)
            if there is None:
                raise
            return there
        return made["html_url"].needed()

    async def _found(self, path: str, **params: str) -> Node | None:
        try:
            return await self._api.get(path, **params)
        except NotFound:
            return None
