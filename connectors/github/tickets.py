"""GitHub issues of one repository as tickets, both ways.

Events: https://docs.github.com/en/webhooks/webhook-events-and-payloads#issues; REST: https://docs.github.com/en/rest/issues.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import quote

from bot.domain.payload import Node
from bot.domain.ticket import Ticket, TicketStatus
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, NotFound
from bot.ports import Ignored, TicketDraft
from bot.wire.rest import Rest
from connectors.github.source import GitHubSettings

NAME = "github"
NEWS = frozenset({"opened", "reopened", "closed", "labeled", "unlabeled", "edited", "transferred"})
BUSY = "in progress"  # this label says that somebody works on it
_REF = re.compile(r"[\w.-]{1,100}/[\w.-]{1,100}#\d{1,9}")


def issue_events(payload: Node, received_at: datetime) -> Iterator[Ticket | Ignored]:
    """`issues` and `issue_comment`: the ticket, with its comment if that is the news."""
    action, issue = payload["action"].text(), payload["issue"].object()
    if issue["pull_request"].value is not None:
        yield Ignored("a comment on a pull request")
        return
    repository = payload["repository"]["full_name"].needed()
    comment = payload["comment"]
    if comment.value is None and action not in NEWS:
        yield Ignored(f"issues: {action[:40]}")
        return
    if comment.value is not None and action != "created":
        yield Ignored(f"issue_comment: {action[:40]}")
        return
    yield ticket_of(issue, repository, issue["updated_at"].time() or received_at, comment)


def ticket_of(issue: Node, repository: str, at: datetime, comment: Node | None = None) -> Ticket:
    """One issue as GitHub writes it. Raises BadPayload."""
    ref = f"{repository}#{issue['number'].needed()}"
    if not _REF.fullmatch(ref):
        raise BadPayload(f"{ref[:60]!r} is no issue like acme/ops#7", path=issue["number"].path)
    labels = [label["name"].text()[:100] for label in issue["labels"].optional_items()]
    said = comment if comment is not None else Node(None)
    return Ticket(
        connector=NAME,
        ref=ref,
        title=line(issue["title"].text()) or ref,
        status=_status(issue, labels),
        at=at,
        opened_at=issue["created_at"].time(),
        services=tuple(x for x in labels if x and x not in (BUSY, "tocsin")),
        text=issue["body"].text()[:4000],
        author=issue["user"]["login"].text()[:100],
        url=link(issue["html_url"].text()),
        comment=said["body"].text()[:4000],
        commented_by=said["user"]["login"].text()[:100],
        comment_ref=said["id"].text()[:40],
    )


def _status(issue: Node, labels: list[str]) -> TicketStatus:
    if issue["state"].text() == "closed":
        return TicketStatus.DONE
    return TicketStatus.IN_PROGRESS if BUSY in labels else TicketStatus.OPEN


class GitHubIssues:
    """ports.Tracker on the issues of one repository."""

    def __init__(self, settings: GitHubSettings) -> None:
        token = settings.token.get_secret_value() if settings.token else ""
        headers = {"authorization": f"Bearer {token}", "x-github-api-version": "2022-11-28", "user-agent": "tocsin"}
        self._repository = settings.tickets
        self._api = Rest("GitHub", settings.api_url, headers)

    async def open(self, draft: TicketDraft) -> Ticket:
        """Open it once per key, which the issue's last line carries."""
        mark = _mark(draft.key)
        path = f"/repos/{self._repository}/issues"
        there = await self._api.get(path, labels="tocsin", state="all", per_page="100", sort="created", direction="desc")
        issue = next((one for one in there.optional_items() if mark in one["body"].text()), None)
        if issue is None:
            text = draft.text + (f"\n\n{draft.link}" if draft.link else "") + f"\n\n{mark}"
            issue = await self._api.send("POST", path, {"title": line(draft.title, 250), "body": text, "labels": ["tocsin"]})
        return ticket_of(issue.object(), self._repository, issue["updated_at"].time() or datetime.now(UTC))

    async def get(self, ref: str) -> Ticket | None:
        """One issue by "owner/name#7" or "#7", or None."""
        try:
            issue = await self._api.get(self._path(ref))
        except NotFound:
            return None
        return ticket_of(issue.object(), self._repository, issue["updated_at"].time() or datetime.now(UTC))

    async def comment(self, ref: str, text: str, key: str) -> None:
        """Add a comment once per key, which its last line carries."""
        path, mark = f"{self._path(ref)}/comments", _mark(key)
        now = await self._api.get(self._path(ref))
        count = now["comments"].value if isinstance(now["comments"].value, int) else 0
        said = await self._api.get(path, per_page="100", page=str(max(1, -(-count // 100))))  # the last page
        if not any(mark in one["body"].text() for one in said.optional_items()):
            await self._api.send("POST", path, {"body": f"{text}\n\n{mark}"})

    async def move(self, ref: str, status: TicketStatus) -> None:
        """Open, closed, or open with the label that says that somebody works on it, which goes as soon as nobody does."""
        path = self._path(ref)
        if status is TicketStatus.OPEN:  # first: an issue that is opened with it would say that somebody works on it again
            await self._unlabelled(path)
        await self._api.send("PATCH", path, {"state": "closed" if status is TicketStatus.DONE else "open"})
        if status is TicketStatus.IN_PROGRESS:
            await self._api.send("POST", f"{path}/labels", {"labels": [BUSY]})
        elif status is TicketStatus.DONE:
            await self._unlabelled(path)

    async def _unlabelled(self, path: str) -> None:
        """Nobody works on it. GitHub says 404 of a label that an issue does not carry."""
        with suppress(NotFound):
            await self._api.send("DELETE", f"{path}/labels/{quote(BUSY)}")

    def _path(self, ref: str) -> str:
        whole = ref if "/" in ref else f"{self._repository}#{ref.lstrip('#')}"
        if not _REF.fullmatch(whole) or whole.partition("#")[0] != self._repository:
            raise NotFound(f"{ref[:60]!r} is no issue of {self._repository}, such as {self._repository}#7.")
        return f"/repos/{self._repository}/issues/{whole.partition('#')[2]}"


def _mark(key: str) -> str:
    return f"(tocsin {re.sub(r'[^A-Za-z0-9:._-]', '-', key)[:100]})"
