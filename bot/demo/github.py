"""GitHub's webhooks for what happens in the shop's repository: `push` and `deployment_status`, signed.

Shapes: https://docs.github.com/en/webhooks/webhook-events-and-payloads. Identifiers that GitHub would count up are derived
from the content, so that the same event always has the same ones.
"""

import hashlib
import hmac
import json
import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.demo.changes import Author
from bot.demo.repository import BRANCH, Commit, Release
from bot.demo.sender import Delivery

FULL_NAME = "demo/shop"
NOBODY = "0" * 40


class GitHub:
    """Makes deliveries for one receiver with one webhook secret, of one repository."""

    def __init__(self, tocsin_url: str, secret: str, repository: str = FULL_NAME) -> None:
        self._repository = repository
        self._url = f"{tocsin_url}/webhooks/github"
        self._secret = secret

    def push(self, commits: Sequence[Commit]) -> Delivery:
        """One or more commits have arrived on the main branch, oldest first."""
        return self._delivery("push", push_payload(commits, self._repository), commits[-1].sha)

    def deployment_status(
        self,
        release: Release,
        run: str,
        environment: str,
        state: str,
        creator: Author,
        began: datetime,
        at: datetime,
    ) -> Delivery:
        """A deployment has reached a state: `in_progress`, `success` or `failure`."""
        payload = deployment_payload(release, run, environment, state, creator, began, at, self._repository)
        return self._delivery("deployment_status", payload, run + state)

    def _delivery(self, event: str, payload: dict[str, Any], identity: str) -> Delivery:
        body = json.dumps(payload, separators=(",", ":")).encode()
        signature = hmac.new(self._secret.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "User-Agent": "GitHub-Hookshot/demo",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{self._repository}/{event}/{identity}")),
            "X-GitHub-Hook-ID": "1",
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        return Delivery(self._url, headers, body)


def push_payload(commits: Sequence[Commit], repository: str = FULL_NAME) -> dict[str, Any]:
    """The body of a `push` event."""
    last = commits[-1]
    before = commits[0].parent or NOBODY
    return {
        "ref": f"refs/heads/{BRANCH}",
        "before": before,
        "after": last.sha,
        "repository": _repository(repository),
        "pusher": {"name": last.author.login, "email": last.author.email},
        "sender": _user(last.author),
        "created": before == NOBODY,
        "deleted": False,
        "forced": False,
        "base_ref": None,
        "compare": f"https://github.com/{repository}/compare/{before[:12]}...{last.sha[:12]}",
        "commits": [_commit(commit, repository) for commit in commits],
        "head_commit": _commit(last, repository),
    }


def deployment_payload(
    release: Release,
    run: str,
    environment: str,
    state: str,
    creator: Author,
    began: datetime,
    at: datetime,
    repository: str = FULL_NAME,
) -> dict[str, Any]:
    """The body of a `deployment_status` event."""
    number = _number(run)
    api = f"https://api.github.com/repos/{repository}/deployments/{number}"
    return {
        "action": "created",
        "deployment_status": {
            "url": f"{api}/statuses/{_number(run + state)}",
            "id": _number(run + state),
            "state": state,
            "creator": _user(creator),
            "description": f"{release.service} {release.version}: {state}",
            "environment": environment,
            "target_url": "",
            "log_url": "",
            "environment_url": "",
            "created_at": _iso(at),
            "updated_at": _iso(at),
            "deployment_url": api,
            "repository_url": f"https://api.github.com/repos/{repository}",
        },
        "deployment": {
            "url": api,
            "id": number,
            "sha": release.commit.sha,
            "ref": f"{release.service}-{release.version}",
            "task": "deploy",
            "payload": {"service": release.service, "version": release.version},
            "original_environment": environment,
            "environment": environment,
            "description": release.commit.message,
            "creator": _user(creator),
            "created_at": _iso(began),
            "updated_at": _iso(at),
            "statuses_url": f"{api}/statuses",
            "transient_environment": False,
            "production_environment": environment == "production",
        },
        "repository": _repository(repository),
        "sender": _user(creator),
    }


def _commit(commit: Commit, repository: str) -> dict[str, Any]:
    person = {"name": commit.author.name, "email": commit.author.email, "username": commit.author.login}
    return {
        "id": commit.sha,
        "tree_id": commit.tree,
        "distinct": True,
        "message": commit.message,
        "timestamp": _iso(commit.at),
        "url": f"https://github.com/{repository}/commit/{commit.sha}",
        "author": person,
        "committer": person,
        "added": list(commit.added),
        "removed": list(commit.removed),
        "modified": list(commit.modified),
    }


def _repository(full_name: str) -> dict[str, Any]:
    owner, _, name = full_name.partition("/")
    return {
        "id": _number(full_name),
        "name": name,
        "full_name": full_name,
        "private": True,
        "owner": {"name": owner, "login": owner, "id": _number(owner), "type": "Organization"},
        "html_url": f"https://github.com/{full_name}",
        "url": f"https://api.github.com/repos/{full_name}",
        "default_branch": BRANCH,
        "master_branch": BRANCH,
    }


def _user(author: Author) -> dict[str, Any]:
    kind = "Bot" if author.login.endswith("[bot]") else "User"
    return {"login": author.login, "id": _number(author.login), "type": kind, "site_admin": False}


def _number(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
