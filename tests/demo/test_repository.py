"""The shop's repository is a real one."""

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.demo.changes import INES, Author, Change, Edit, EditDoesNotApply
from bot.demo.decoys import DECOYS
from bot.demo.faults import FAULTS
from bot.demo.history import HISTORY
from bot.demo.repository import SOURCE, Repository

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


@pytest.fixture
async def repository(tmp_path: Path) -> Repository:
    made = Repository(tmp_path / "shop", tmp_path / "releases")
    await made.create(NOW)
    return made


def git(repository: Repository, *words: str) -> str:
    return subprocess.run(["git", "-C", repository.folder, *words], capture_output=True, text=True, check=True).stdout


async def test_the_history_has_authors_dates_and_diffs(repository: Repository) -> None:
    rows = [line.split("|") for line in git(repository, "log", "--format=%H|%an|%aI|%s").splitlines()]
    assert len(rows) == len(HISTORY) + 1
    assert len({row[1] for row in rows}) >= 4
    dates = [datetime.fromisoformat(row[2]) for row in rows]
    assert dates == sorted(dates, reverse=True)
    assert dates[0] < NOW - timedelta(hours=1)
    assert dates[-1] < NOW - timedelta(days=30)
    assert all(git(repository, "show", "--stat", "--format=", row[0]).strip() for row in rows)


async def test_the_last_state_is_the_source_that_ships_with_the_demo(repository: Repository) -> None:
    for file in SOURCE.rglob("*"):
        if file.is_file() and "__pycache__" not in file.parts:
            assert (repository.folder / file.relative_to(SOURCE)).read_text() == file.read_text()


async def test_past_trouble_with_retries_is_in_the_history(repository: Repository) -> None:
    release = repository.release("payments", "v38")
    assert release is not None
    assert '+    "retries": 8' in git(repository, "show", release.commit.sha)
    assert git(repository, "rev-parse", "payments-v38").strip() == release.commit.sha


async def test_a_change_of_a_service_is_its_next_version_and_tells_its_files(repository: Repository) -> None:
    commit, release = await repository.commit(DECOYS["payments-log"], NOW)
    assert release is not None
    assert release.version == "v43"
    assert commit.modified == ("services/payments/app.py",)
    assert git(repository, "rev-parse", "HEAD").strip() == commit.sha


async def test_a_change_of_the_docs_is_no_version(repository: Repository) -> None:
    commit, release = await repository.commit(DECOYS["ci-makefile"], NOW)
    assert release is None
    assert commit.added == ("Makefile",)


async def test_a_release_holds_the_files_of_its_commit_only(repository: Repository) -> None:
    await repository.commit(FAULTS["small-pool", "payments"].change, NOW)
    before, after = repository.released["payments"][-2:]
    good, bad = await repository.export(before), await repository.export(after)
    assert '"workers": 24' in (good / "services/payments/settings.json").read_text()
    assert '"workers": 1,' in (bad / "services/payments/settings.json").read_text()
    assert not (good / "services/checkout").exists()
    assert (good / "lib/client.py").exists()


async def test_every_fault_and_every_innocent_change_applies_together(repository: Repository) -> None:
    for change in DECOYS.values():
        await repository.commit(change, NOW)
    baseline = repository.commits[-1].sha
    for fault in FAULTS.values():
        commit, release = await repository.commit(fault.change, NOW)
        assert release is not None
        assert commit.modified
        await repository.restore(baseline, INES, "back", NOW)


async def test_restoring_brings_back_the_files_and_removes_new_ones(repository: Repository) -> None:
    start = repository.commits[-1].sha
    await repository.commit(DECOYS["ci-makefile"], NOW)
    await repository.commit(DECOYS["docs-readme"], NOW)
    commit = await repository.restore(start, INES, "back", NOW)
    assert commit is not None
    assert commit.removed == ("Makefile",)
    assert git(repository, "diff", start, "HEAD") == ""
    assert await repository.restore(start, INES, "again", NOW) is None


async def test_restoring_waits_for_a_commit_whose_asker_was_cancelled(repository: Repository) -> None:
    start = repository.commits[-1]
    for _ in range(5):
        shipping = asyncio.create_task(repository.commit(next(iter(FAULTS.values())).change, NOW))
        await asyncio.sleep(0.005)
        shipping.cancel()
        await asyncio.gather(shipping, return_exceptions=True)
        restored = await repository.restore(start.sha, INES, "Back", NOW)
        assert restored is None or restored.tree == start.tree


async def test_an_edit_that_does_not_apply_says_where(repository: Repository) -> None:
    change = Change("x", None, "x", Author("A", "a"), (Edit("README.md", "no such words", "y"),))
    with pytest.raises(EditDoesNotApply, match=r"README\.md.*0 times"):
        await repository.commit(change, NOW)


def test_messages_of_faults_do_not_name_the_bug() -> None:
    telling = ("bug", "break", "fault", "storm", "overload", "remove guard", "disable")
    for fault in FAULTS.values():
        assert not any(word in fault.change.message.lower() for word in telling)
