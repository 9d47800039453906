"""Jira, Cloud and Data Center: tickets both ways.

Webhooks: https://developer.atlassian.com/cloud/jira/platform/webhooks/ (signed with X-Hub-Signature, HMAC-SHA256 of the body).
REST: https://developer.atlassian.com/cloud/jira/platform/rest/v2/intro/; version 2 takes descriptions and comments as text.
"""

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from bot.domain.alert import Severity
from bot.domain.past import PastIncident
from bot.domain.payload import Node, read_json
from bot.domain.signature import digest, hmac_hex, proves
from bot.domain.ticket import Ticket, TicketStatus
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, BadSignature, NotFound
from bot.ports import Connector, Delivery, Ignored, IncidentHistory, Parsed, TicketDraft, Tracker, WebhookSettings
from bot.wire.rest import Rest, patient

NAME = "jira"
MARK = "tocsin-"  # how a label of ours begins
CATEGORIES = {
    "new": TicketStatus.OPEN,
    "undefined": TicketStatus.OPEN,
    "indeterminate": TicketStatus.IN_PROGRESS,
    "done": TicketStatus.DONE,
}
HISTORY = "summary,description,created,resolutiondate,priority,components"  # the fields of a past incident
EVENTS = frozenset({"jira:issue_created", "jira:issue_updated", "comment_created"})
_KEY = re.compile(r"[A-Z][A-Z0-9_]{1,30}-\d{1,9}")


class JiraSettings(WebhookSettings):
    """Where tickets are opened. Cloud: `user` (an e-mail address) and an API token; Data Center: a personal token alone."""

    url: str = ""
    user: str = ""
    token: SecretStr | None = None
    project: str = Field("", pattern=r"^([A-Z][A-Z0-9_]{1,30})?$")
    issue_type: str = "Task"
    priorities: dict[Severity, str] = Field(default_factory=dict)  # SEV1 = "Highest"; without one Jira's default stays
    search: Literal["jql", "classic"] = "jql"  # "classic" is Data Center's


class JiraWebhook:
    """Issues opened, moved and commented on in, tickets out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the body is signed with one of the secrets."""
        given = delivery.headers.get("x-hub-signature", "")
        if not proves(secrets, given, lambda secret: f"sha256={hmac_hex(secret, delivery.body)}"):
            raise BadSignature("X-Hub-Signature is missing or wrong; the webhook's secret in Jira must be Tocsin's.")

    def delivery_id(self, delivery: Delivery) -> str:
        """The body's own, since the id in the header is not signed; it is the same when it is delivered again."""
        return digest(delivery.body)

    def parse(self, delivery: Delivery) -> Parsed:
        """The news of one ticket."""
        payload = read_json(delivery.body).object()
        event = payload["webhookEvent"].needed()
        if event not in EVENTS:
            return (Ignored(event[:60]),)
        comment, at = payload["comment"], _milliseconds(payload["timestamp"]) or delivery.received_at
        ticket = ticket_of(payload["issue"].object(), at)
        if event != "comment_created":
            return (ticket,)
        said, author = comment["body"].text()[:4000], comment["author"]["displayName"].text()[:100]
        return (replace(ticket, comment=said, commented_by=author, comment_ref=comment["id"].text()[:40]),)


def ticket_of(issue: Node, at: datetime, base: str = "") -> Ticket:
    """One issue as Jira's webhooks and REST API write it. Raises BadPayload."""
    key, fields = issue["key"].needed(), issue["fields"]
    if not _KEY.fullmatch(key):
        raise BadPayload(f"{key[:40]!r} is no issue key like OPS-12", path=issue["key"].path)
    root = base or issue["self"].text().partition("/rest/")[0]
    components = [c["name"].text()[:100] for c in fields["components"].optional_items()]
    labels = [label.text()[:100] for label in fields["labels"].optional_items()]
    return Ticket(
        connector=NAME,
        ref=key,
        title=line(fields["summary"].text()) or key,
        status=CATEGORIES.get(fields["status"]["statusCategory"]["key"].text(), TicketStatus.OPEN),
        at=at,
        opened_at=fields["created"].time(),
        services=tuple(s for s in (*components, *labels) if s and not s.startswith(MARK)),
        text=fields["description"].text()[:4000],
        author=fields["reporter"]["displayName"].text()[:100],
        url=link(f"{root}/browse/{key}"),
    )


def _milliseconds(node: Node) -> datetime | None:
    """Jira's `timestamp`: milliseconds since 1970."""
    if not isinstance(node.value, int):
        return None
    seconds, rest = divmod(node.value, 1000)  # in whole numbers: one of 400 digits is no float
    at = Node(seconds, node.path).time()
    return at + timedelta(milliseconds=rest) if at is not None else None


class Jira:
    """ports.Tracker on Jira's REST API."""

    def __init__(self, settings: JiraSettings) -> None:
        token = settings.token.get_secret_value() if settings.token else ""
        basic = base64.b64encode(f"{settings.user}:{token}".encode()).decode()
        proof = f"Basic {basic}" if settings.user else f"Bearer {token}"
        self._own = settings
        self.api = self._api = Rest("Jira", settings.url, {"authorization": proof})

    async def open(self, draft: TicketDraft) -> Ticket:
        """Open it once per key: the key is a label, and an issue that carries it is the one."""
        mark = label_of(draft.key)
        if (there := await self._marked(mark)) is not None:
            return there
        fields: dict[str, object] = {
            "project": {"key": self._own.project},
            "issuetype": {"name": self._own.issue_type},
            "summary": line(draft.title, 250),
            "description": draft.text + (f"\n\n{draft.link}" if draft.link else ""),
            "labels": ["tocsin", mark],
        }
        if (priority := self._own.priorities.get(draft.severity)) is not None:
            fields["priority"] = {"name": priority}
        made = await self._api.send("POST", "/rest/api/2/issue", {"fields": fields})
        found = await self.get(made["key"].needed())
        if found is None:
            raise NotFound(f"Jira opened {made['key'].needed()[:40]} and does not know it any more.")
        return found

    async def get(self, ref: str) -> Ticket | None:
        """One issue by its key, or None."""
        try:
            issue = await self._api.get(f"/rest/api/2/issue/{_safe(ref)}")
        except NotFound:
            return None
        return ticket_of(issue, issue["fields"]["updated"].time() or datetime.now(UTC), self._own.url.rstrip("/"))

    async def comment(self, ref: str, text: str, key: str) -> None:
        """Add a comment once per key, which its last line carries."""
        mark = label_of(key)
        said = await self._api.get(f"/rest/api/2/issue/{_safe(ref)}/comment", orderBy="-created", maxResults="50")
        if not any(mark in one["body"].text() for one in said["comments"].optional_items()):
            await self._api.send("POST", f"/rest/api/2/issue/{_safe(ref)}/comment", {"body": f"{text}\n\n({mark})"})

    async def move(self, ref: str, status: TicketStatus) -> None:
        """Take the first transition that leads to this status; raises NotFound where the workflow has none."""
        now = await self.get(ref)
        if now is None or now.status is status:
            return
        offered = await self._api.get(f"/rest/api/2/issue/{_safe(ref)}/transitions")
        for one in offered["transitions"].items():
            if CATEGORIES.get(one["to"]["statusCategory"]["key"].text()) is status:
                body = {"transition": {"id": one["id"].needed()}}
                await self._api.send("POST", f"/rest/api/2/issue/{_safe(ref)}/transitions", body)
                return
        raise NotFound(f"Jira's workflow leads {ref} from {now.status.value} to no status that means {status.value}.")

    async def _marked(self, mark: str) -> Ticket | None:
        path = "/rest/api/3/search/jql" if self._own.search == "jql" else "/rest/api/2/search"
        found = await self._api.get(path, jql=f'labels = "{mark}"', maxResults="1", fields="summary")
        first = next(found["issues"].items(), None)
        return None if first is None else await self.get(first["key"].needed())


class JiraHistory:
    """ports.IncidentHistory: issues that a JQL query finds, as past incidents.

    https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-issue-search/ (pages by token), version 2 (by number).
    """

    def __init__(self, settings: JiraSettings, query: str) -> None:
        self._own, self._api = settings, Jira(settings).api
        self._query = query or "issuetype = Incident AND statusCategory = Done"

    async def incidents(self, since: datetime) -> AsyncIterator[PastIncident]:
        """Those that were created since a time, the oldest first."""
        classic, at, token = self._own.search == "classic", 0, ""
        where = f'({self._query}) AND created >= "{since.astimezone(UTC):%Y-%m-%d %H:%M}" ORDER BY created ASC'
        while True:
            where_at = {"startAt": str(at)} if classic else {"nextPageToken": token} if token else {}
            asked = {"jql": where, "maxResults": "100", "fields": HISTORY, **where_at}
            path = "/rest/api/2/search" if classic else "/rest/api/3/search/jql"
            page = await patient(self._api, path, asked)
            issues = list(page["issues"].optional_items())
            for issue in issues:
                yield _past(issue, self._own.url.rstrip("/"))
            at, token = at + len(issues), page["nextPageToken"].text()
            total = page["total"].value
            if not issues or not (token or (classic and isinstance(total, int) and at < total)):
                return


def _past(issue: Node, root: str) -> PastIncident:
    key, fields = issue["key"].needed(), issue["fields"]
    return PastIncident(
        ref=key[:40],
        title=line(fields["summary"].text() or key),
        origin=NAME,
        started=fields["created"].time(),
        resolved=fields["resolutiondate"].time(),
        severity=line(fields["priority"]["name"].text(), 40),
        services=tuple(c["name"].text()[:100] for c in fields["components"].optional_items()),
        link=link(f"{root}/browse/{key}"),
        text=written(fields["description"]),
    )


def written(node: Node, depth: int = 0) -> str:
    """The words of a text: as it stands, or of an Atlassian Document, whose headings become Markdown's."""
    if depth > 40:
        return ""
    if node["type"].text() == "text" or not isinstance(node.value, dict):
        return node["text"].text() if isinstance(node.value, dict) else node.text()
    inner = "".join(written(child, depth + 1) for child in node["content"].optional_items())
    match node["type"].text():
        case "heading":
            return f"\n\n## {inner}\n\n"
        case "paragraph" | "codeBlock":
            return f"{inner}\n\n"
        case "listItem":
            return f"- {inner.strip()}\n"
        case "hardBreak":
            return "\n"
        case _:
            return inner


def label_of(key: str) -> str:
    """A key of ours as a label: no blanks, always the same."""
    return MARK + hashlib.sha256(key.encode()).hexdigest()[:16]


def _safe(ref: str) -> str:
    """An issue key that may stand in a path. Raises NotFound for what is none."""
    if not _KEY.fullmatch(ref):
        raise NotFound(f"{ref[:40]!r} is no issue key of Jira, such as OPS-12.")
    return ref


def _tracker(settings: BaseModel) -> Tracker | None:
    if not isinstance(settings, JiraSettings) or not (settings.url and settings.token and settings.project):
        return None
    return Jira(settings)


def _history(settings: BaseModel, query: str) -> IncidentHistory | None:
    if not isinstance(settings, JiraSettings) or not (settings.url and settings.token):
        return None
    return JiraHistory(settings, query)


CONNECTOR = Connector(
    name=NAME,
    title="Jira",
    settings=JiraSettings,
    help="TOCSIN_JIRA_SECRET is the webhook's secret; url, user, token and project let Tocsin open tickets",
    webhook=JiraWebhook(),
    tracker=_tracker,
    history=_history,
)
