"""GitHub's commits by REST, and what its checks said of a commit that shipped."""

from typing import Any

import httpx
from pydantic import SecretStr

from bot.domain.change import Change
from bot.flows.changes import on_changes, sentence
from bot.ports import Noted
from bot.storage.database import SqlDatabase
from connectors.github import CONNECTOR
from connectors.github.source import GitHubCommits, GitHubSettings
from tests.connectors.cases import all_cases
from tests.desk import a_desk
from tests.fakes import FakeClock

SHA, PARENT = "3f2c1a9b7d0e4c5f8a6b1c2d3e4f5a6b7c8d9e0f", "1" * 40


def a_commit(sha: str, *, files: bool = True) -> dict[str, Any]:
    listed = [
        {"filename": "pay/a.py", "status": "modified", "patch": "@@ -1 +1 @@\n-retries = 3\n+retries = 30"},
        {"filename": "pay/new.py", "previous_filename": "pay/old.py", "status": "renamed", "patch": "@@ -1 +1 @@\n-a\n+b"},
    ]
    about = {
        "message": f"Retry more\n\nof {sha[:4]}",
        "author": {"name": "Ines", "date": "2026-11-22T10:00:00Z"},
        "committer": {"name": "GitHub", "date": "2026-11-22T11:00:00Z"},
    }
    return {"sha": sha, "commit": about, "author": {"login": "ines-d"}} | ({"files": listed} if files else {})


def a_source(pages: dict[str, Any]) -> tuple[GitHubCommits, list[httpx.Request]]:
    asked: list[httpx.Request] = []

    def serve(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        page = pages.get(request.url.path)
        return httpx.Response(200, json=page) if page is not None else httpx.Response(404)

    settings = GitHubSettings(token=SecretStr("ghp_hush"), api_url="https://ghe.example/api/v3")
    return GitHubCommits(settings, httpx.MockTransport(serve)), asked


async def test_a_commit_comes_with_its_files_and_one_unified_diff() -> None:
    source, asked = a_source({f"/api/v3/repos/acme/shop/commits/{SHA}": a_commit(SHA)})
    commit = await source.commit("acme/shop", SHA)
    assert commit is not None
    assert (commit.sha, commit.author, commit.files) == (SHA, "Ines", ("pay/a.py", "pay/new.py"))
    assert "+++ b/pay/a.py\n@@ -1 +1 @@\n-retries = 3\n+retries = 30\n" in commit.diff
    assert "--- a/pay/old.py\n+++ b/pay/new.py" in commit.diff
    assert not commit.truncated
    assert f"{commit.at:%H:%M}" == "11:00"
    assert asked[0].headers["authorization"] == "Bearer ghp_hush"


async def test_a_comparison_is_newest_first_and_each_commit_has_its_diff() -> None:
    shas = [f"{n:040x}" for n in range(1, 31)]
    pages: dict[str, Any] = {f"/api/v3/repos/acme/shop/commits/{s}": a_commit(s) for s in shas}
    pages[f"/api/v3/repos/acme/shop/compare/{PARENT}...{SHA}"] = {"commits": [a_commit(s, files=False) for s in shas]}
    source, asked = a_source(pages)
    found = await source.between("acme/shop", PARENT, SHA)
    assert [c.sha for c in found] == shas[::-1]
    assert [bool(c.diff) for c in found] == [True] * 20 + [False] * 10  # the older ones say that they are cut
    assert all(c.truncated for c in found[20:])
    assert len(asked) == 21


async def test_what_is_not_there_or_is_no_name_is_nothing() -> None:
    source, asked = a_source({f"/api/v3/repos/acme/shop/commits/{SHA}": {"sha": SHA}, f"/api/v3/repos/a/b/commits/{SHA}": []})
    assert await source.commit("acme/shop", SHA) is None
    assert await source.commit("a/b", SHA) is None
    assert await source.commit("acme/other", SHA) is None
    assert await source.between("acme/other", PARENT, SHA) == ()
    assert len(asked) == 4
    assert await source.commit("../shop", SHA) is None
    assert await source.between("acme/shop", "main", "--evil") == ()
    assert len(asked) == 4


def test_there_is_a_source_only_with_a_token() -> None:
    assert CONNECTOR.changes is not None
    assert CONNECTOR.changes(GitHubSettings(token=SecretStr("x"))) is not None
    assert CONNECTOR.changes(GitHubSettings()) is None


def parsed(case: str) -> list[Change]:
    """The changes of a payload of ours, those that are only noted among them."""
    (found,) = [c for c in all_cases() if c.connector.name == "github" and c.name == case]
    events = found.webhook.parse(found.delivery)
    return [e.build if isinstance(e, Noted) else e for e in events if isinstance(e, Change | Noted)]


def test_a_deploy_of_a_commit_whose_checks_failed_says_so_whichever_was_heard_of_first(
    database: SqlDatabase, clock: FakeClock
) -> None:
    desk = a_desk(database, clock)
    deploy = parsed("deployment_status_success")
    (commit,) = {c.commit for c in deploy}
    checks = [c for name in ("check_run_failed", "status_error") for c in parsed(name)]
    assert {c.commit for c in checks} == {commit}

    def kept() -> Change:
        found = database.read_now(lambda tx: desk.changes.get(tx, deploy[0].id))
        assert found is not None
        return found

    database.write_now(lambda tx: on_changes(tx, [*deploy, checks[0]], desk))
    assert kept().failing_checks == "with failing checks: unit tests"
    database.write_now(lambda tx: on_changes(tx, [checks[1]], desk))
    assert sorted(name for name, passed in kept().checks.items() if not passed) == ["ci/external", "unit tests"]
    assert ", with failing checks: " in sentence(kept())
    again = [
        Change(**{f: getattr(c, f) for f in c.__slots__} | {"at": clock(), "checks": dict.fromkeys(c.checks, True)})
        for c in checks
    ]
    database.write_now(lambda tx: on_changes(tx, again, desk))
    assert kept().failing_checks == ""
    span = database.read_now(lambda tx: desk.changes.between(tx, deploy[0].at, deploy[0].at))
    assert [c.checks for c in span if c.id == deploy[0].id] == [{"unit tests": True, "ci/external": True}]
