"""Pull requests of GitHub: what of them is worth looking at, and one comment of ours on each, edited in place.

Events: https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request;
REST: https://docs.github.com/en/rest/issues/comments.
"""

import hashlib
import hmac
import re
from collections.abc import Iterator
from datetime import datetime

import httpx

from bot.domain.payload import Node
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, NotFound
from bot.ports import Ignored, Proposed
from bot.wire.forge import known
from bot.wire.rest import Rest
from connectors.github.source import GitHubSettings

NAME = "github"
NEWS = frozenset({"opened", "reopened", "synchronize", "ready_for_review"})
LONGEST = 60_000  # characters of a comment; GitHub takes 65,536
MOST_PAGES = 10  # of a hundred comments each that are looked through


def pull_requests(payload: Node, _received_at: datetime) -> Iterator[Ignored]:
    """A pull request with new commits, unless it is a draft still. Raises BadPayload."""
    action, pull = payload["action"].text(), payload["pull_request"].object()
    if action not in NEWS or pull["draft"].value is True or pull["state"].text("open") != "open":
        yield Ignored(f"pull_request: {action[:40]}{' of a draft' if pull['draft'].value is True else ''}")
        return
    repository, number = payload["repository"]["full_name"].needed()[:140], pull["number"].needed()
    base, head = pull["base"]["sha"].needed(), pull["head"]["sha"].needed()
    if not (number.isdecimal() and len(number) < 10 and known(repository, base, head)):
        raise BadPayload("this is no pull request of a repository like acme/shop", path="$.pull_request")
    yield Proposed(
        f"pull_request: {repository}#{number} {action}, whose impact is told there",
        connector=NAME,
        repository=repository,
        number=int(number),
        base=base,
        head=head,
        title=line(pull["title"].text()),
        url=link(pull["html_url"].text()),
    )


class GitHubReviews:
    """ports.Reviews; the token needs Pull requests: read and write."""

    def __init__(self, settings: GitHubSettings, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._token = settings.token.get_secret_value() if settings.token else ""
        headers = {"authorization": f"Bearer {self._token}", "x-github-api-version": "2022-11-28", "user-agent": "tocsin"}
        self._api = Rest("GitHub", settings.api_url, headers, transport=transport)

    async def remark(self, repository: str, number: int, text: str, topic: str) -> None:
        """The one comment about this topic says this; it is found by a mark that only we could have made before it was there."""
        if not known(repository):
            raise NotFound(f"{repository[:80]!r} is no repository like acme/shop.")
        mark = self._mark(repository, number, topic)
        body = f"{text[:LONGEST]}\n\n{mark}"
        there = await self._ours(f"/repos/{repository}/issues/{number}/comments", mark)
        if there is None:
            await self._api.send("POST", f"/repos/{repository}/issues/{number}/comments", {"body": body})
        elif there["body"].text().replace("\r\n", "\n") != body:
            await self._api.send("PATCH", f"/repos/{repository}/issues/comments/{there['id'].needed()}", {"body": body})

    async def _ours(self, path: str, mark: str) -> Node | None:
        """The oldest comment with the mark: whoever copied it came later."""
        for page in range(1, MOST_PAGES + 1):
            comments = list((await self._api.get(path, per_page="100", page=str(page))).items())
            for one in comments:
                if mark in one["body"].text() and re.fullmatch(r"\d{1,20}", one["id"].text()):
                    return one
            if len(comments) < 100:
                return None
        return None

    def _mark(self, repository: str, number: int, topic: str) -> str:
        proof = hmac.new(self._token.encode(), f"{repository}#{number} {topic}".encode(), hashlib.sha256).hexdigest()[:32]
        return f"<!-- tocsin {topic} {proof} -->"
