"""Git: commits with diffs out of a real repository, and nothing of it is run."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from connectors.git import CONNECTOR, MOST_DIFF, Git, GitSettings, commits_of, files_of

Commit = Callable[[str, dict[str, str]], str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "books"
    folder.mkdir()
    run(folder, "init", "--quiet", "--initial-branch=main")
    return folder


def run(folder: Path, *arguments: str) -> str:
    who = {"GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@x", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@x"}
    env = {**os.environ, **who, "GIT_CONFIG_GLOBAL": os.devnull}
    return subprocess.run(["git", *arguments], cwd=folder, env=env, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def commit(folder: Path) -> Commit:
    def make(message: str, files: dict[str, str]) -> str:
        for name, text in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        run(folder, "add", ".")
        run(folder, "commit", "--quiet", "-m", message)
        return run(folder, "rev-parse", "HEAD")

    return make


def source(folder: Path) -> Git:
    return Git(GitSettings(repositories={"acme/books": folder}))


async def test_a_commit_comes_with_author_files_and_diff(folder: Path, commit: Commit) -> None:
    commit("first", {"a/settings.json": '{"retries": 2}\n'})
    sha = commit("tune the client\n\nmore words", {"a/settings.json": '{"retries": 10}\n', "b.txt": "new\n"})
    found = await source(folder).commit("acme/books", sha)
    assert found is not None
    assert (found.sha, found.author, found.message) == (sha, "Ada", "tune the client\n\nmore words")
    assert found.files == ("a/settings.json", "b.txt")
    assert '-{"retries": 2}\n+{"retries": 10}' in found.diff
    assert not found.truncated
    assert (await source(folder).commit("acme/books", sha[:9])) == found


async def test_the_commits_between_two_versions_come_newest_first(folder: Path, commit: Commit) -> None:
    shas = [commit(f"change {n}", {"x.txt": f"{n}\n"}) for n in range(4)]
    found = await source(folder).between("acme/books", shas[0], shas[3])
    assert [c.sha for c in found] == [shas[3], shas[2], shas[1]]


@pytest.mark.parametrize("sha", ["--output=/tmp/x", "HEAD", "main", "", "0" * 40, "abc", "g" * 40])
async def test_what_is_no_commit_here_is_none(folder: Path, commit: Commit, sha: str) -> None:
    commit("first", {"x.txt": "1\n"})
    assert await source(folder).commit("acme/books", sha) is None
    assert await source(folder).between("acme/books", sha, sha) == ()


async def test_an_unknown_repository_or_folder_is_none(tmp_path: Path) -> None:
    assert await source(tmp_path).commit("other/books", "a" * 40) is None
    assert await source(tmp_path / "gone").commit("acme/books", "a" * 40) is None


async def test_a_repository_cannot_make_us_run_its_programs(folder: Path, commit: Commit) -> None:
    witness = folder / "ran"
    sha = commit("first", {"x.txt": "1\n", ".gitattributes": "*.txt diff=evil\n"})
    run(folder, "config", "diff.evil.textconv", f"touch {witness}; cat")
    run(folder, "config", "diff.external", f"touch {witness}")
    assert await source(folder).commit("acme/books", sha) is not None
    assert not witness.exists()


def test_a_diff_that_is_too_long_is_cut_and_says_so() -> None:
    answer = f"|{'a' * 40}|Ada|2026-05-04T09:00:00+00:00|big|\n" + "+x" * MOST_DIFF
    (found,) = commits_of(answer, "|")
    assert found.truncated
    assert len(found.diff) == MOST_DIFF


@pytest.mark.parametrize("at", ["33658-09-27T01:46:39+00:00", "", "no date"])
def test_a_commit_with_an_impossible_date_does_not_hide_the_others(at: str) -> None:
    good = f"|{'b' * 40}|Ada|2026-05-04T09:00:00+00:00|good|\n"
    assert [c.sha for c in commits_of(f"|{'a' * 40}|Eve|{at}|bad|\n{good}", "|")] == ["b" * 40]


async def test_a_message_that_looks_like_another_commit_stays_a_message(folder: Path, commit: Commit) -> None:
    forged = f"plain \x1e{'d' * 40}\x1fada\x1f2026-05-04T09:00:00+00:00\x1fforged\x1f"
    sha = commit(forged, {"größe.yaml": "retries: 2\n"})
    found = await source(folder).commit("acme/books", sha)
    assert found is not None
    assert (found.sha, found.author, found.files) == (sha, "Ada", ("größe.yaml",))
    assert found.message == forged.strip()


def test_files_are_read_from_the_headers() -> None:
    assert files_of('diff --git a/x.py b/x.py\n+diff --git a/no b/no2\ndiff --git "a/y z" "b/y z"\n') == ("x.py", "y z")


def test_without_repositories_there_is_no_source() -> None:
    assert CONNECTOR.changes is not None
    assert CONNECTOR.changes(GitSettings()) is None
