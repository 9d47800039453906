"""GitLab: commits, deployments, pipelines, tags, releases and feature flags by webhook; diffs by REST.

Format: https://docs.gitlab.com/user/project/integrations/webhook_events/. GitLab shows its secret token in a header; a
delivery has an Idempotency-Key, which a retry keeps.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime

from pydantic import BaseModel

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.signature import proves
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, BadSignature
from bot.ports import ChangeSource, Connector, Delivery, Ignored, Parsed, Proposals
from connectors.gitlab.deployer import gitlab_deployer
from connectors.gitlab.proposals import GitLabProposals
from connectors.gitlab.source import GitLabCommits, GitLabSettings

NAME = "gitlab"
MOST_FILES = 300
NOTHING = "0" * 40  # how GitLab writes that there is no commit
STATES = {
    "": ChangeStatus.PENDING,
    "created": ChangeStatus.PENDING,
    "blocked": ChangeStatus.PENDING,
    "waiting_for_resource": ChangeStatus.PENDING,
    "preparing": ChangeStatus.PENDING,
    "pending": ChangeStatus.PENDING,
    "running": ChangeStatus.RUNNING,
    "success": ChangeStatus.SUCCEEDED,
    "failed": ChangeStatus.FAILED,
    "canceled": ChangeStatus.FAILED,
}
CHECKED = {"success": True, "failed": False}
_SHA = re.compile(r"/commit/([0-9a-f]{40,64})(?:[/?#]|$)")
_ZONE = re.compile(r" (UTC|[+-]\d\d:?\d\d)$")


class GitLabWebhook:
    """Six kinds of events in, changes out; everything else is ignored with its reason."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the token is one of the secrets."""
        if not proves(secrets, delivery.headers.get("x-gitlab-token", ""), lambda secret: secret):
            raise BadSignature("X-Gitlab-Token is missing or wrong; the webhook's secret token must be Tocsin's.")

    def delivery_id(self, delivery: Delivery) -> str:
        """GitLab's own key, the same when it delivers again."""
        return delivery.headers.get("idempotency-key", "")[:100]

    def parse(self, delivery: Delivery) -> Parsed:
        """The changes of one event."""
        payload = read_json(delivery.body).object()
        event = payload["object_kind"].needed()
        if event == "feature_flag":
            return (_feature_flag(payload, delivery.received_at, self.delivery_id(delivery)),)
        read = _EVENTS.get(event)
        return tuple(read(payload, delivery.received_at)) if read else (Ignored(event[:60]),)


def _repository(payload: Node) -> str:
    return payload["project"]["path_with_namespace"].needed()[:140]


def _at(node: Node) -> datetime | None:
    """GitLab writes times in three ways, two of them with a blank before the zone."""
    if not isinstance(node.value, str):
        return node.time()
    return Node(_ZONE.sub(lambda found: found[1].replace("UTC", "+00:00"), node.value), node.path).time()


def _push(payload: Node, received_at: datetime) -> Iterator[Change | Ignored]:
    repository, head = _repository(payload), payload["after"].text()
    if head == NOTHING:
        yield Ignored(f"push: {payload['ref'].text()[:80]} was deleted")
        return
    author = payload["user_username"].text() or payload["user_name"].text()
    commits = list(payload["commits"].items())
    for commit in commits:
        yield _commit(commit.object(), repository, received_at)
    if not commits:
        yield Change(
            id=f"{NAME}:commit:{repository}:{payload['after'].needed()[:64]}",
            connector=NAME,
            kind=ChangeKind.COMMIT,
            status=ChangeStatus.SUCCEEDED,
            at=received_at,
            title=head[:7],
            commit=head[:64],
            repository=repository,
            author=author[:100],
        )


def _commit(commit: Node, repository: str, received_at: datetime) -> Change:
    sha = commit["id"].needed()[:64]
    files = [f.text() for kind in ("added", "removed", "modified") for f in commit[kind].optional_items()]
    return Change(
        id=f"{NAME}:commit:{repository}:{sha}",
        connector=NAME,
        kind=ChangeKind.COMMIT,
        status=ChangeStatus.SUCCEEDED,
        at=_at(commit["timestamp"]) or received_at,
        title=line(commit["message"].text()) or sha[:7],
        commit=sha,
        repository=repository,
        author=commit["author"]["name"].text()[:100],
        url=link(commit["url"].text()),
        files=tuple(dict.fromkeys(f for f in files if f))[:MOST_FILES],
    )


def _deployment(payload: Node, received_at: datetime) -> Iterator[Change | Ignored]:
    repository, state = _repository(payload), payload["status"].text()
    if state not in STATES:
        yield Ignored(f"deployment: {state[:40]}")
        return
    url = payload["deployable_url"].text()
    own = payload["deployment_id"].text() or payload["deployable_id"].text() or url or payload["deployment_id"].needed()
    found = _SHA.search(payload["commit_url"].text())
    sha, ref = found[1] if found else payload["short_sha"].text()[:64], payload["ref"].text()
    version = ref if ref not in ("", "main", "master", payload["project"]["default_branch"].text()) else sha[:7]
    yield Change(
        id=f"{NAME}:deployment:{repository}:{own[:120]}",
        connector=NAME,
        kind=ChangeKind.DEPLOY,
        status=STATES[state],
        at=_at(payload["status_changed_at"]) or received_at,
        title=line(payload["commit_title"].text()) or f"deploy {version or repository}",
        environment=payload["environment"].text()[:100],
        version=version[:100],
        commit=sha,
        repository=repository,
        author=(payload["user"]["username"].text() or payload["user"]["name"].text())[:100],
        url=link(url),
    )


def _pipeline(payload: Node, received_at: datetime) -> Iterator[Change | Ignored]:
    repository, run = _repository(payload), payload["object_attributes"].object()
    state, id = run["status"].text(), run["id"].needed()[:30]
    if state not in STATES:
        yield Ignored(f"pipeline: {state[:40]}")
        return
    yield Change(
        id=f"{NAME}:pipeline:{repository}:{id}",
        connector=NAME,
        kind=ChangeKind.BUILD,
        status=STATES[state],
        at=_at(run["finished_at"]) or _at(run["created_at"]) or received_at,
        title=f"pipeline #{id} {state}".strip(),
        commit=run["sha"].text()[:64],
        repository=repository,
        author=(payload["user"]["username"].text() or payload["user"]["name"].text())[:100],
        url=link(run["url"].text()) or link(f"{payload['project']['web_url'].text()}/-/pipelines/{id}"),
        checks={"pipeline": CHECKED[state]} if state in CHECKED else {},
    )


def _tag_push(payload: Node, received_at: datetime) -> Iterator[Change | Ignored]:
    """A tag is a release, and the same one as the release that GitLab makes of it."""
    repository, tag = _repository(payload), payload["ref"].needed().removeprefix("refs/tags/")
    gone = payload["after"].text() == NOTHING
    yield Change(
        id=f"{NAME}:release:{repository}:{tag[:100]}",
        connector=NAME,
        kind=ChangeKind.RELEASE,
        status=ChangeStatus.FAILED if gone else ChangeStatus.SUCCEEDED,
        at=received_at,
        title=line(f"tag {tag} deleted" if gone else payload["message"].text()) or line(f"tag {tag}"),
        version=tag[:100],
        commit=payload["checkout_sha"].text()[:64],
        repository=repository,
        author=(payload["user_username"].text() or payload["user_name"].text())[:100],
    )


def _release(payload: Node, received_at: datetime) -> Iterator[Change | Ignored]:
    repository, tag = _repository(payload), payload["tag"].needed()
    action = payload["action"].text() or "create"
    yield Change(
        id=f"{NAME}:release:{repository}:{tag[:100]}",
        connector=NAME,
        kind=ChangeKind.RELEASE,
        status=ChangeStatus.FAILED if action == "delete" else ChangeStatus.SUCCEEDED,
        at=_at(payload["released_at"]) or _at(payload["created_at"]) or received_at,
        title=line(f"release {payload['name'].text() or tag} {action}"),
        version=tag[:100],
        commit=payload["commit"]["id"].text()[:64],
        repository=repository,
        author=payload["commit"]["author"]["name"].text()[:100],
        url=link(payload["url"].text()),
    )


def _feature_flag(payload: Node, received_at: datetime, delivery_id: str) -> Change:
    """GitLab tells neither when a flag was turned nor which turn it was: the delivery stands for both."""
    repository, flag = _repository(payload), payload["object_attributes"].object()
    name, active = flag["name"].needed(), flag["active"].value
    if not isinstance(active, bool):
        raise BadPayload("true or false is documented", path=flag["active"].path)
    turn = delivery_id or f"{received_at.timestamp():.0f}"
    return Change(
        id=f"{NAME}:flag:{repository}:{name[:80]}:{turn}",
        connector=NAME,
        kind=ChangeKind.FLAG,
        status=ChangeStatus.SUCCEEDED,
        at=received_at,
        title=line(f"flag {name} turned {'on' if active else 'off'}"),
        version=f"{name[:90]}={'on' if active else 'off'}",
        repository=repository,
        author=(payload["user"]["username"].text() or payload["user"]["name"].text())[:100],
        url=link(f"{payload['project']['web_url'].text()}/-/feature_flags"),
    )


_EVENTS: Mapping[str, Callable[[Node, datetime], Iterator[Change | Ignored]]] = {
    "push": _push,
    "deployment": _deployment,
    "pipeline": _pipeline,
    "tag_push": _tag_push,
    "release": _release,
}


def _source(settings: BaseModel) -> ChangeSource | None:
    return GitLabCommits(settings) if isinstance(settings, GitLabSettings) and settings.token else None


def _proposals(settings: BaseModel) -> Proposals | None:
    return GitLabProposals(settings) if isinstance(settings, GitLabSettings) and settings.token else None


CONNECTOR = Connector(
    name=NAME,
    title="GitLab",
    settings=GitLabSettings,
    help="TOCSIN_GITLAB_SECRET is the webhook's secret token: project or group › Settings › Webhooks; "
    "TOCSIN_GITLAB_TOKEN reads commits and diffs",
    webhook=GitLabWebhook(),
    changes=_source,
    deployer=gitlab_deployer,
    proposals=_proposals,
)
