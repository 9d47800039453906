"""GitHub: commits, deployments, releases, workflow runs and the results of checks by webhook; diffs by REST.

Format: https://docs.github.com/en/webhooks/webhook-events-and-payloads. Signed with HMAC-SHA256 over the raw body.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qs

from pydantic import BaseModel

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.signature import digest, hmac_hex, proves
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, BadSignature
from bot.ports import ChangeSource, Connector, Delivery, Ignored, IncidentHistory, Noted, Parsed, Proposals, Reviews, Tracker
from connectors.github import wiki
from connectors.github.deployer import github_deployer
from connectors.github.history import GitHubHistory
from connectors.github.pages import github_documents
from connectors.github.proposals import GitHubProposals
from connectors.github.reviews import GitHubReviews, pull_requests
from connectors.github.source import GitHubCommits, GitHubSettings
from connectors.github.tickets import GitHubIssues, issue_events

NAME = "github"
MOST_FILES = 300  # of one commit; no diff is read from here
STATES = {
    "queued": ChangeStatus.PENDING,
    "pending": ChangeStatus.PENDING,
    "in_progress": ChangeStatus.RUNNING,
    "success": ChangeStatus.SUCCEEDED,
    "failure": ChangeStatus.FAILED,
    "error": ChangeStatus.FAILED,
}
CHECKED = {"success": True} | dict.fromkeys(("failure", "timed_out", "startup_failure", "error"), False)  # others do not judge
CONCLUSIONS_FAILED = frozenset({"failure", "timed_out", "cancelled", "startup_failure", "action_required", "stale"})


@dataclass(frozen=True, slots=True)
class GitHubWebhook:
    """Five kinds of events in, changes out; results of checks are noted beside them, everything else is ignored.

    The issues of the repository `tickets` are tickets; with `impact`, pull requests are looked at.
    """

    tickets: str = ""
    impact: bool = False

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the body is signed with one of the secrets."""
        given = delivery.headers.get("x-hub-signature-256", "")
        if not proves(secrets, given, lambda secret: f"sha256={hmac_hex(secret, delivery.body)}"):
            raise BadSignature("X-Hub-Signature-256 is missing or wrong; the webhook's secret must be Tocsin's.")

    def delivery_id(self, delivery: Delivery) -> str:
        """The body's own, since the id in the header is not signed; it is the same when it is delivered again."""
        return digest(delivery.body)

    def parse(self, delivery: Delivery) -> Parsed:
        """The changes of one event."""
        event = delivery.headers.get("x-github-event", "")
        if not event:
            raise BadPayload("the header X-GitHub-Event is missing", path="$headers")
        payload = read_json(_body(delivery)).object()
        read = _EVENTS.get(event)
        if event in ("issues", "issue_comment") and self.tickets and payload["repository"]["full_name"].text() == self.tickets:
            return tuple(issue_events(payload, delivery.received_at))
        if event == "pull_request" and self.impact:
            return tuple(pull_requests(payload, delivery.received_at))
        if read is None:
            return (Ignored(event[:60]),)
        return tuple(read(payload, delivery.received_at))


def _body(delivery: Delivery) -> bytes:
    if not delivery.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return delivery.body
    try:
        form = parse_qs(delivery.body.decode("ascii"), max_num_fields=10)
    except ValueError:
        raise BadPayload("this is not a form with the field payload") from None
    return form.get("payload", [""])[0].encode("utf-8", "replace")


def _repository(payload: Node) -> str:
    return payload["repository"]["full_name"].needed()[:140]


def _push(payload: Node, received_at: datetime) -> Iterator[Change | Ignored]:
    repository = _repository(payload)
    ref = payload["ref"].needed()
    if payload["deleted"].value is True:
        yield Ignored(f"push: {ref[:80]} was deleted")
        return
    commits = list(payload["commits"].items()) or [payload["head_commit"]]
    for commit in commits:
        yield _commit(commit.object(), repository, received_at)


def _commit(commit: Node, repository: str, received_at: datetime) -> Change:
    sha = commit["id"].needed()[:64]
    files = [f.text() for kind in ("added", "removed", "modified") for f in commit[kind].optional_items()]
    author = commit["author"]
    return Change(
        id=f"{NAME}:commit:{repository}:{sha}",
        connector=NAME,
        kind=ChangeKind.COMMIT,
        status=ChangeStatus.SUCCEEDED,
        at=commit["timestamp"].time() or received_at,
        title=line(commit["message"].text()) or sha[:7],
        commit=sha,
        repository=repository,
        author=(author["username"].text() or author["name"].text())[:100],
        url=link(commit["url"].text()),
        files=tuple(dict.fromkeys(f for f in files if f))[:MOST_FILES],
    )


def _deployment(payload: Node, received_at: datetime) -> Iterator[Change | Ignored]:
    deployment = payload["deployment"].object()
    yield _deploy(payload, ChangeStatus.PENDING, deployment["created_at"].time() or received_at, deployment)


def _deployment_status(payload: Node, received_at: datetime) -> Iterator[Change | Ignored]:
    told = payload["deployment_status"].object()
    state = told["state"].needed()
    if state not in STATES:
        yield Ignored(f"deployment_status: {state[:40]}")
        return
    at = told["updated_at"].time() or told["created_at"].time() or received_at
    yield _deploy(payload, STATES[state], at, told)


def _deploy(payload: Node, status: ChangeStatus, at: datetime, told: Node) -> Change:
    """A deployment as `told` (itself or one of its statuses) reports it."""
    repository, deployment = _repository(payload), payload["deployment"].object()
    sha, ref = deployment["sha"].text()[:64], deployment["ref"].text()
    extra = _extra(deployment["payload"])
    service = next((extra[k].text() for k in ("service", "app", "application", "component") if extra[k].text()), "")
    branch = payload["repository"]["default_branch"].text()
    named = ref if ref not in ("", branch, sha, "main", "master") else sha[:7]
    version = extra["version"].text() or extra["tag"].text() or named
    creator = deployment["creator"]["login"].text() or told["creator"]["login"].text()
    return Change(
        id=f"{NAME}:deployment:{repository}:{deployment['id'].needed()[:30]}",
        connector=NAME,
        kind=ChangeKind.DEPLOY,
        status=status,
        at=at,
        title=line(deployment["description"].text()) or f"deploy {version or repository}",
        services=(service[:100],) if service else (),
        environment=(told["environment"].text() or deployment["environment"].text())[:100],
        version=version[:100],
        commit=sha,
        repository=repository,
        author=creator[:100],
        url=next((u for k in ("log_url", "target_url", "environment_url") if (u := link(told[k].text()))), ""),
    )


def _extra(payload: Node) -> Node:
    """What the deployer put beside a deployment: an object, or one written as text."""
    if isinstance(payload.value, str) and payload.value[:1] == "{":
        try:
            return Node(json.loads(payload.value), payload.path)
        except (ValueError, RecursionError):
            return Node(None, payload.path)
    return payload


def _release(payload: Node, received_at: datetime) -> Iterator[Change | Ignored]:
    """A release is out once it is published; drafts and edits before that are pending, one taken back has failed."""
    repository, release = _repository(payload), payload["release"].object()
    action, tag = payload["action"].text("published"), release["tag_name"].text()
    out = release["published_at"].time()
    status = ChangeStatus.SUCCEEDED if out and release["draft"].value is not True else ChangeStatus.PENDING
    if action in ("deleted", "unpublished"):
        status = ChangeStatus.FAILED
    name = release["name"].text() or tag or "without a name"
    yield Change(
        id=f"{NAME}:release:{repository}:{release['id'].needed()[:30]}",
        connector=NAME,
        kind=ChangeKind.RELEASE,
        status=status,
        at=out or release["created_at"].time() or received_at,
        title=line(f"release {name} {action}"),
        version=tag[:100],
        repository=repository,
        author=release["author"]["login"].text()[:100],
        url=link(release["html_url"].text()),
    )


def _workflow_run(payload: Node, received_at: datetime) -> Iterator[Change | Ignored]:
    repository, run = _repository(payload), payload["workflow_run"].object()
    conclusion = run["conclusion"].text()
    status = ChangeStatus.RUNNING if run["status"].text() == "in_progress" else ChangeStatus.PENDING
    if conclusion:
        status = ChangeStatus.FAILED if conclusion in CONCLUSIONS_FAILED else ChangeStatus.SUCCEEDED
    sha, name = run["head_sha"].text()[:64], run["name"].text("workflow")
    yield Change(
        id=f"{NAME}:workflow_run:{repository}:{run['id'].needed()[:30]}",
        connector=NAME,
        kind=ChangeKind.BUILD,
        status=status,
        at=run["updated_at"].time() or received_at,
        title=line(f"{name} #{run['run_number'].text('?')} {conclusion}".strip()),
        commit=sha,
        repository=repository,
        author=run["actor"]["login"].text()[:100],
        url=link(run["html_url"].text()),
        checks={line(name, 60): CHECKED[conclusion]} if conclusion in CHECKED else {},
    )


def _check_run(payload: Node, received_at: datetime) -> Iterator[Noted | Ignored]:
    run = payload["check_run"].object()
    name, result = run["name"].needed(), run["conclusion"].text()
    at = run["completed_at"].time() or received_at
    yield _noted(payload, "check_run", name, result, run["head_sha"].needed(), at, run["html_url"].text())


def _check_suite(payload: Node, received_at: datetime) -> Iterator[Noted | Ignored]:
    suite = payload["check_suite"].object()
    name, result = suite["app"]["name"].text("checks"), suite["conclusion"].text()
    at = suite["updated_at"].time() or received_at
    yield _noted(payload, "check_suite", name, result, suite["head_sha"].needed(), at)


def _status(payload: Node, received_at: datetime) -> Iterator[Noted | Ignored]:
    name, at = payload["context"].text("default"), payload["updated_at"].time() or received_at
    yield _noted(payload, "status", name, payload["state"].needed(), payload["sha"].needed(), at, payload["target_url"].text())


def _noted(payload: Node, event: str, name: str, result: str, sha: str, at: datetime, url: str = "") -> Noted | Ignored:
    """The result of a check, beside its commit; a check that has not ended or does not judge is ignored."""
    name, repository = line(name, 60), _repository(payload)
    if result not in CHECKED:
        return Ignored(f"{event}: {name} {result[:40] or 'has not ended'}".strip())
    build = Change(
        id=f"{NAME}:check:{repository}:{sha[:64]}:{name}",
        connector=NAME,
        kind=ChangeKind.BUILD,
        status=ChangeStatus.SUCCEEDED if CHECKED[result] else ChangeStatus.FAILED,
        at=at,
        title=f"{name} {result}",
        commit=sha[:64],
        repository=repository,
        url=link(url),
        checks={name: CHECKED[result]},
    )
    return Noted(f"{event}: {name} {result} of {sha[:7]}, noted beside the commit", build)


_EVENTS: Mapping[str, Callable[[Node, datetime], Iterator[Change | Ignored]]] = {
    "push": _push,
    "gollum": wiki.pages,
    "deployment": _deployment,
    "deployment_status": _deployment_status,
    "release": _release,
    "workflow_run": _workflow_run,
    "check_run": _check_run,
    "check_suite": _check_suite,
    "status": _status,
}


def _configured(settings: BaseModel) -> GitHubWebhook:
    return GitHubWebhook(settings.tickets, settings.impact) if isinstance(settings, GitHubSettings) else GitHubWebhook()


def _tracker(settings: BaseModel) -> Tracker | None:
    if not isinstance(settings, GitHubSettings) or not (settings.token and settings.tickets):
        return None
    return GitHubIssues(settings)


def _source(settings: BaseModel) -> ChangeSource | None:
    return GitHubCommits(settings) if isinstance(settings, GitHubSettings) and settings.token else None


def _proposals(settings: BaseModel) -> Proposals | None:
    return GitHubProposals(settings) if isinstance(settings, GitHubSettings) and settings.token else None


def _reviews(settings: BaseModel) -> Reviews | None:
    able = isinstance(settings, GitHubSettings) and settings.token and settings.impact
    return GitHubReviews(settings) if isinstance(settings, GitHubSettings) and able else None


_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+(?: |$)")


def _history(settings: BaseModel, query: str) -> IncidentHistory | None:
    if not isinstance(settings, GitHubSettings) or not settings.token or not (_REPOSITORY.match(query) or settings.tickets):
        return None
    return GitHubHistory(settings.api_url, settings.token.get_secret_value(), settings.tickets, query)


CONNECTOR = Connector(
    name=NAME,
    title="GitHub",
    settings=GitHubSettings,
    help="TOCSIN_GITHUB_SECRET is the webhook's secret: repository or organisation › Settings › Webhooks; "
    "TOCSIN_GITHUB_TOKEN reads commits and diffs",
    webhook=GitHubWebhook(),
    configured=_configured,
    changes=_source,
    deployer=github_deployer,
    proposals=_proposals,
    reviews=_reviews,
    tracker=_tracker,
    documents=github_documents,
    history=_history,
)
