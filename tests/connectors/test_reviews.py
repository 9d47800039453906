"""Pull requests of GitHub: which are looked at, and one comment of ours on each, whoever else writes there."""

import json
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from bot.errors import BadPayload, NotFound, Unavailable
from bot.ports import Delivery, Ignored, Proposed
from connectors.github import CONNECTOR, GitHubWebhook
from connectors.github.reviews import GitHubReviews
from connectors.github.source import GitHubSettings
from tests.fakes import NOON

BASE, HEAD = "b" * 40, "c" * 40


def event(action: str = "opened", **pull: Any) -> Delivery:
    """As https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request documents it."""
    request = {
        "number": 7, "state": "open", "draft": False, "title": "More patience", "html_url": "https://github.com/acme/shop/pull/7",
        "base": {"ref": "main", "sha": BASE}, "head": {"ref": "patience", "sha": HEAD}, **pull,
    }  # fmt: skip
    body = {"action": action, "number": 7, "pull_request": request, "repository": {"full_name": "acme/shop"}}
    return Delivery("github", {"x-github-event": "pull_request"}, json.dumps(body).encode(), NOON, {})


@pytest.mark.parametrize("action", ["opened", "reopened", "synchronize", "ready_for_review"])
def test_a_pull_request_with_new_commits_is_looked_at(action: str) -> None:
    (proposed,) = GitHubWebhook(impact=True).parse(event(action))
    assert isinstance(proposed, Proposed)
    assert (proposed.repository, proposed.number, proposed.base, proposed.head) == ("acme/shop", 7, BASE, HEAD)
    assert proposed.reason == f"pull_request: acme/shop#7 {action}, whose impact is told there"


@pytest.mark.parametrize(
    ("delivery", "reason"),
    [
        (event("closed"), "pull_request: closed"),
        (event(draft=True), "pull_request: opened of a draft"),
        (event("synchronize", state="closed"), "pull_request: synchronize"),
    ],
)
def test_others_are_left_alone(delivery: Delivery, reason: str) -> None:
    assert GitHubWebhook(impact=True).parse(delivery) == (Ignored(reason),)


def test_unless_it_is_turned_on_none_is() -> None:
    assert GitHubWebhook().parse(event()) == (Ignored("pull_request"),)
    assert CONNECTOR.reviews is not None
    assert CONNECTOR.reviews(GitHubSettings(token=SecretStr("t"))) is None
    assert CONNECTOR.reviews(GitHubSettings(token=SecretStr("t"), impact=True)) is not None


@pytest.mark.parametrize("pull", [{"head": {"sha": "../../x"}}, {"number": "7/../8"}, {"base": {}}])
def test_what_is_no_pull_request_is_refused(pull: dict[str, Any]) -> None:
    with pytest.raises(BadPayload):
        GitHubWebhook(impact=True).parse(event(**pull))


@dataclass
class Comments:
    """The comments of one pull request, as https://docs.github.com/en/rest/issues/comments documents them."""

    there: list[dict[str, Any]] = field(default_factory=list)
    status: int = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer t0ken"
        if self.status:
            return httpx.Response(self.status, json={"message": "no"})
        path = request.url.path
        if request.method == "GET":
            assert path == "/repos/acme/shop/issues/7/comments"
            first = 100 * (int(request.url.params["page"]) - 1)
            return httpx.Response(200, json=self.there[first : first + 100])
        body = json.loads(request.content)["body"]
        if request.method == "POST":
            self.there.append({"id": len(self.there) + 1, "body": body})
            return httpx.Response(201, json=self.there[-1])
        assert request.method == "PATCH"
        one = next(c for c in self.there if path == f"/repos/acme/shop/issues/comments/{c['id']}")
        one["body"] = body
        return httpx.Response(200, json=one)

    def reviews(self) -> GitHubReviews:
        return GitHubReviews(GitHubSettings(token=SecretStr("t0ken"), impact=True), httpx.MockTransport(self))


async def test_there_is_one_comment_which_is_edited_in_place_however_many_others_write() -> None:
    forge = Comments([{"id": n + 1, "body": "me too"} for n in range(150)])
    await forge.reviews().remark("acme/shop", 7, "first", "impact")
    await forge.reviews().remark("acme/shop", 7, "second", "impact")
    assert len(forge.there) == 151
    assert forge.there[150]["body"].startswith("second\n\n<!-- tocsin impact ")


async def test_a_comment_that_copies_our_mark_or_guesses_one_is_never_ours() -> None:
    forge = Comments([{"id": 1, "body": "<!-- tocsin impact 0123456789abcdef0123456789abcdef -->"}])
    await forge.reviews().remark("acme/shop", 7, "ours", "impact")
    copied = forge.there[1]["body"]
    forge.there.append({"id": 3, "body": copied})
    await forge.reviews().remark("acme/shop", 7, "ours, again", "impact")
    assert [c["id"] for c in forge.there if "again" in c["body"]] == [2]
    assert forge.there[2]["body"] == copied
    assert "t0ken" not in copied


async def test_failures_are_ours_and_a_repository_that_is_none_is_not_asked_for() -> None:
    with pytest.raises(Unavailable):
        await Comments(status=503).reviews().remark("acme/shop", 7, "x", "impact")
    with pytest.raises(NotFound):
        await Comments().reviews().remark("acme/../x", 7, "x", "impact")
