"""A drafted runbook becomes one pull request, however often it is proposed and whatever the forge answers in between."""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import parse_qs, unquote

import httpx
import pytest
from pydantic import SecretStr

from bot.domain.care import Proposal
from bot.errors import BadPayload, NotAllowed, NotFound, Unavailable
from connectors.github.proposals import GitHubProposals
from connectors.github.source import GitHubSettings
from connectors.gitlab.proposals import GitLabProposals
from connectors.gitlab.source import GitLabSettings

DRAFT = Proposal("d-1", "acme/runbooks", "docs/payments/errors.md", "# Errors\n", "Runbook: Errors", "Drafted.")
BRANCH = "tocsin/runbook-d-1"


@dataclass
class Forge:
    """Both forges' own memory, and what to answer in place of it: `instead` by "METHOD end-of-path"."""

    branches: dict[str, str] = field(default_factory=lambda: {"main": "a" * 40})
    files: dict[tuple[str, str], str] = field(default_factory=dict)  # (branch, path) -> text
    pulls: list[dict[str, object]] = field(default_factory=list)
    instead: dict[str, int] = field(default_factory=dict)
    headers: list[httpx.Headers] = field(default_factory=list)
    meanwhile: dict[str, object] = field(default_factory=dict)  # a pull request that appears while one is refused

    def taken(self, request: httpx.Request) -> httpx.Response | None:
        """The answer that a test wants in place of the true one, once."""
        self.headers.append(request.headers)
        path = unquote(request.url.raw_path.decode().partition("?")[0])
        for asked in list(self.instead):
            method, _, end = asked.partition(" ")
            if method == request.method and path.endswith(end):
                self.pulls += [self.meanwhile] if self.meanwhile else []
                status = self.instead.pop(asked)
                busy = {"retry-after": "7"} if status == 429 else {}
                return httpx.Response(status, json={"message": "no"}, headers=busy)
        return None


def github(forge: Forge) -> Callable[[httpx.Request], httpx.Response]:
    """As https://docs.github.com/en/rest documents it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if (instead := forge.taken(request)) is not None:
            return instead
        path = unquote(request.url.raw_path.decode().partition("?")[0]).removeprefix("/repos/acme/runbooks")
        query = parse_qs(request.url.query.decode())
        body = json.loads(request.content) if request.content else {}
        if path == "":
            return httpx.Response(200, json={"default_branch": "main"})
        if path.startswith("/git/ref/heads/"):
            sha = forge.branches.get(path.removeprefix("/git/ref/heads/"))
            return httpx.Response(200, json={"object": {"sha": sha}}) if sha else httpx.Response(404, json={})
        if path == "/git/refs":
            forge.branches[body["ref"].removeprefix("refs/heads/")] = body["sha"]
            return httpx.Response(201, json={})
        if path.startswith("/contents/"):
            name = path.removeprefix("/contents/")
            if request.method == "GET":
                text = forge.files.get((query["ref"][0], name))
                known = {"content": base64.encodebytes((text or "").encode()).decode(), "sha": "f" * 40}
                return httpx.Response(404, json={}) if text is None else httpx.Response(200, json=known)
            if (body["branch"], name) in forge.files and body.get("sha") != "f" * 40:
                return httpx.Response(409, json={"message": "does not match"})
            forge.files[body["branch"], name] = base64.b64decode(body["content"]).decode()
            return httpx.Response(201, json={})
        if request.method == "GET":
            return httpx.Response(200, json=[p for p in forge.pulls if f"acme:{p['head']}" == query["head"][0]])
        forge.pulls.append({**body, "html_url": f"https://forge.example/pull/{len(forge.pulls) + 1}"})
        return httpx.Response(201, json=forge.pulls[-1])

    return answer


def gitlab(forge: Forge) -> Callable[[httpx.Request], httpx.Response]:
    """As https://docs.gitlab.com/api documents it."""

    def answer(request: httpx.Request) -> httpx.Response:
        if (instead := forge.taken(request)) is not None:
            return instead
        raw = request.url.raw_path.decode().partition("?")[0]
        assert raw.startswith("/api/v4/projects/acme%2Frunbooks")
        path = raw.removeprefix("/api/v4/projects/acme%2Frunbooks")
        query = parse_qs(request.url.query.decode())
        body = json.loads(request.content) if request.content else {}
        if path == "":
            return httpx.Response(200, json={"default_branch": "main"})
        if path == "/repository/branches":
            forge.branches[body["branch"]] = forge.branches[body["ref"]]
            return httpx.Response(201, json={})
        if path.startswith("/repository/branches/"):
            there = unquote(path.removeprefix("/repository/branches/")) in forge.branches
            return httpx.Response(200 if there else 404, json={})
        if path.startswith("/repository/files/"):
            name = unquote(path.removeprefix("/repository/files/"))
            branch = query["ref"][0] if request.method == "GET" else body["branch"]
            if request.method == "GET":
                return httpx.Response(200 if (branch, name) in forge.files else 404, json={})
            assert (request.method == "PUT") == ((branch, name) in forge.files)
            forge.files[branch, name] = body["content"]
            return httpx.Response(201, json={})
        if request.method == "GET":
            return httpx.Response(200, json=[p for p in forge.pulls if p["head"] == query["source_branch"][0]])
        head, base = body["source_branch"], body["target_branch"]
        forge.pulls.append({"head": head, "base": base, "title": body["title"], "web_url": "https://forge.example/pull/1"})
        return httpx.Response(201, json=forge.pulls[-1])

    return answer


BOTH = pytest.mark.parametrize("vendor", ["github", "gitlab"])


def proposals(vendor: str, forge: Forge) -> GitHubProposals | GitLabProposals:
    if vendor == "github":
        return GitHubProposals(GitHubSettings(token=SecretStr("t-oken")), httpx.MockTransport(github(forge)))
    return GitLabProposals(GitLabSettings(token=SecretStr("t-oken")), httpx.MockTransport(gitlab(forge)))


@BOTH
async def test_a_draft_is_a_branch_with_one_file_and_a_pull_request(vendor: str) -> None:
    forge = Forge()
    assert await proposals(vendor, forge).propose(DRAFT) == "https://forge.example/pull/1"
    assert forge.files == {(BRANCH, "docs/payments/errors.md"): "# Errors\n"}
    assert forge.branches[BRANCH] == "a" * 40
    assert [(p["head"], p["base"], p["title"]) for p in forge.pulls] == [(BRANCH, "main", "Runbook: Errors")]
    assert all("t-oken" in (h.get("authorization", "") + h.get("private-token", "")) for h in forge.headers)


@BOTH
async def test_the_same_draft_twice_is_one_pull_request(vendor: str) -> None:
    forge = Forge()
    first = await proposals(vendor, forge).propose(DRAFT)
    assert await proposals(vendor, forge).propose(DRAFT) == first
    assert len(forge.pulls) == 1


@BOTH
@pytest.mark.parametrize("where", ["file", "pull"])
async def test_a_try_that_ended_halfway_is_gone_on_with(vendor: str, where: str) -> None:
    ends = {
        "github": {"file": "PUT errors.md", "pull": "POST /pulls"},
        "gitlab": {"file": "POST errors.md", "pull": "POST /merge_requests"},
    }
    forge = Forge(instead={ends[vendor][where]: 502})
    with pytest.raises(Unavailable):
        await proposals(vendor, forge).propose(DRAFT)
    await proposals(vendor, forge).propose(DRAFT)
    assert len(forge.pulls) == 1
    assert len(forge.files) == 1


@BOTH
@pytest.mark.parametrize(("status", "error"), [(401, NotAllowed), (403, NotAllowed), (404, NotFound), (429, Unavailable)])
async def test_a_refusal_is_an_error_of_ours_without_the_token(vendor: str, status: int, error: type[Exception]) -> None:
    end = "GET /repos/acme/runbooks" if vendor == "github" else "GET acme/runbooks"
    forge = Forge(instead={end: status})
    with pytest.raises(error) as told:
        await proposals(vendor, forge).propose(DRAFT)
    assert "t-oken" not in str(told.value)
    assert getattr(told.value, "retry_after", 7) == 7


@BOTH
@pytest.mark.parametrize("status", [409, 422])
async def test_what_somebody_else_opened_meanwhile_is_taken(vendor: str, status: int) -> None:
    end = "POST /pulls" if vendor == "github" else "POST /merge_requests"
    theirs: dict[str, object] = {"head": BRANCH, "html_url": "https://forge.example/9", "web_url": "https://forge.example/9"}
    forge = Forge(instead={end: status}, meanwhile=theirs)
    assert await proposals(vendor, forge).propose(DRAFT) == "https://forge.example/9"


@BOTH
@pytest.mark.parametrize("status", [409, 422])
async def test_a_pull_request_that_is_refused_for_good_is_an_error_and_may_be_tried_again(vendor: str, status: int) -> None:
    end = "POST /pulls" if vendor == "github" else "POST /merge_requests"
    forge = Forge(instead={end: status})
    with pytest.raises(BadPayload):
        await proposals(vendor, forge).propose(DRAFT)
    assert await proposals(vendor, forge).propose(DRAFT) == "https://forge.example/pull/1"


async def test_a_repository_that_is_none_is_not_asked_for() -> None:
    forge = Forge()
    with pytest.raises(NotFound):
        await proposals("github", forge).propose(Proposal("k", "../x", "a.md", "", "t", "b"))
    assert not forge.headers
