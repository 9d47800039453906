"""GitLab's commits by REST; its captured events, and Flux's."""

import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bot.domain.change import Change, ChangeKind
from bot.errors import BadPayload
from bot.ports import Delivery, Ignored, Parsed
from connectors import CONNECTORS
from connectors.gitlab.source import GitLabCommits, GitLabSettings
from tests.connectors.cases import RECEIVED

SHARED = Path(__file__).parents[3] / "shared" / "data" / "webhooks"
SHA, PARENT = "3f2c1a9b5d7e8f901234567890abcdef12345678", "1" * 40
KINDS = {
    "deployment": ChangeKind.DEPLOY,
    "pipeline": ChangeKind.BUILD,
    "push": ChangeKind.COMMIT,
    "release": ChangeKind.RELEASE,
    "tag_push": ChangeKind.RELEASE,
}


def a_commit(sha: str, minute: int = 0) -> dict[str, Any]:
    at = f"2026-11-22T10:{minute:02}:00.000+01:00"
    return {"id": sha, "author_name": "Ines", "committed_date": at, "message": "Retry more\n", "title": "Retry more"}


async def test_commits_and_comparisons_come_with_their_diffs() -> None:
    shas = [f"{n:040x}" for n in range(1, 26)]
    change = {"old_path": "pay/a.py", "new_path": "pay/a.py", "diff": "@@ -1 +1 @@\n-retries = 3\n+retries = 30\n"}
    base = "/gitlab/api/v4/projects/acme%2Fteam%2Fshop/repository"
    pages: dict[str, Any] = {f"{base}/commits/{s}/diff": [change] for s in (*shas, SHA)}
    pages[f"{base}/commits/{SHA}"] = a_commit(SHA)
    pages[f"{base}/compare"] = {"commits": [a_commit(s, n) for n, s in enumerate(shas)]}
    asked: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        page = pages.get(request.url.raw_path.decode().partition("?")[0])
        return httpx.Response(200, json=page) if page is not None else httpx.Response(404)

    settings = GitLabSettings(token=SecretStr("glpat-hush"), url="https://git.example/gitlab/")
    source = GitLabCommits(settings, httpx.MockTransport(serve))
    commit = await source.commit("acme/team/shop", SHA)
    assert commit is not None
    assert (commit.files, commit.truncated, f"{commit.at:%H:%M %Z}") == (("pay/a.py",), False, "09:00 UTC")
    assert commit.diff.endswith("@@ -1 +1 @@\n-retries = 3\n+retries = 30\n")
    assert asked[0].headers["private-token"] == "glpat-hush"
    found = await source.between("acme/team/shop", PARENT, SHA)
    assert [c.sha for c in found] == shas[::-1]
    assert [bool(c.diff) for c in found] == [True] * 20 + [False] * 5
    assert await source.commit("acme/other", SHA) is None
    before = len(asked)
    assert await source.commit("shop", SHA) is None
    assert await source.between("acme/shop", "HEAD~1", SHA) == ()
    assert len(asked) == before


def read(vendor: str, body: bytes) -> Parsed:
    (connector,) = [c for c in CONNECTORS if c.name == vendor]
    assert connector.webhook is not None
    return connector.webhook.parse(Delivery(vendor, {}, body, RECEIVED))


@pytest.mark.shared_data
def test_every_captured_gitlab_event_becomes_the_right_kind_of_change_or_is_ignored_with_a_reason() -> None:
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data/webhooks beside the project")
    for file in sorted(SHARED.glob("gitlab/*.json")):
        kind = json.loads(file.read_bytes())["object_kind"]
        parsed = read("gitlab", file.read_bytes())
        if kind in KINDS:
            assert {e.kind for e in parsed if isinstance(e, Change)} == {KINDS[kind]}, file.name
        else:
            assert parsed, file.name
            assert all(isinstance(e, Ignored) and e.reason for e in parsed), file.name


@pytest.mark.shared_data
def test_the_captured_flux_event_becomes_a_failed_deploy() -> None:
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data/webhooks beside the project")
    for file in sorted(SHARED.glob("flux/*.json")):
        (change,) = read("flux", file.read_bytes())
        assert isinstance(change, Change)
        assert (change.kind, change.status.value, len(change.commit)) == (ChangeKind.DEPLOY, "failed", 40)
        assert change.services == ("webapp",)


@pytest.mark.shared_data
@pytest.mark.parametrize("vendor", ["gitlab", "flux"])
def test_captured_events_cut_short_are_refused(vendor: str) -> None:
    if not SHARED.is_dir():
        pytest.skip("no ../shared/data/webhooks beside the project")
    for file in sorted(SHARED.glob(f"{vendor}/*.json")):
        body = file.read_bytes().rstrip()
        for cut in (0, 1, len(body) // 3, len(body) - 1):
            with pytest.raises(BadPayload):
                read(vendor, body[:cut])
