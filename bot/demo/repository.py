"""The shop's git repository: made anew for every start, with real commits, authors, dates and diffs."""

import asyncio
import io
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

from bot.demo.changes import Author, Change, Edit, applied, undone
from bot.demo.history import FIRST_VERSION, HISTORY, ROOT_AGO, ROOT_AUTHOR, ROOT_MESSAGE

SOURCE = Path(__file__).parent / "shop_source"
BRANCH = "main"

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit of the repository, with what a push webhook tells of it."""

    sha: str
    tree: str
    parent: str
    message: str
    author: Author
    at: datetime
    added: tuple[str, ...]
    modified: tuple[str, ...]
    removed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """A version of a service: the commit that it is built from."""

    service: str
    version: str
    commit: Commit


class GitFailed(Exception):
    """git answered with an error."""

    def __init__(self, args: Sequence[str], output: str) -> None:
        super().__init__(f"git {' '.join(args[:3])} failed: {output.strip()[-300:]}")


class Repository:
    """A working clone at `folder`, the releases made from it, and the only writer to both."""

    def __init__(self, folder: Path, releases: Path) -> None:
        self.folder = folder
        self.commits: list[Commit] = []
        self.released: dict[str, list[Release]] = {service: [] for service in FIRST_VERSION}
        self._releases = releases
        self._one_at_a_time = threading.Lock()

    async def create(self, now: datetime) -> None:
        """Make the repository with its history, the last state being the source that ships with the demo."""
        await asyncio.to_thread(self._create, now)

    async def commit(self, change: Change, now: datetime) -> tuple[Commit, Release | None]:
        """Commit a change to the main branch; a change of a service makes its next version."""
        return await self._apart(self._commit, change, now)

    async def restore(self, sha: str, author: Author, message: str, now: datetime) -> Commit | None:
        """Commit the files as they were at `sha`; None if nothing differs."""
        return await self._apart(self._restore, sha, author, message, now)

    async def export(self, release: Release) -> Path:
        """The folder that holds the release's files; written once."""
        target = self._releases / release.service / release.version
        await self._apart(self._export, release, target)
        return target

    def release(self, service: str, version: str) -> Release | None:
        """The release with this version, if there is one."""
        return next((r for r in self.released.get(service, []) if r.version == version), None)

    async def _apart(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """A thread does the work; the next one waits for its end, even if whoever asked was cancelled meanwhile."""

        def alone() -> T:
            with self._one_at_a_time:
                return work(*args, **kwargs)

        return await asyncio.to_thread(alone)

    def _create(self, now: datetime) -> None:
        self.folder.mkdir(parents=True)
        self._git("init", "-q", "-b", BRANCH)
        for file in sorted(SOURCE.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                target = self.folder / file.relative_to(SOURCE)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
        for past in reversed(HISTORY):
            self._edit([undone(edit) for edit in reversed(past.change.edits)])
        root = self._record(ROOT_MESSAGE, ROOT_AUTHOR, now - ROOT_AGO)
        for service in FIRST_VERSION:
            self._tag(service, root)
        for past in HISTORY:
            self._commit(past.change, now - past.ago)

    def _commit(self, change: Change, now: datetime) -> tuple[Commit, Release | None]:
        self._edit(change.edits)
        commit = self._record(change.message, change.author, now)
        return commit, self._tag(change.service, commit) if change.service else None

    def _restore(self, sha: str, author: Author, message: str, now: datetime) -> Commit | None:
        self._git("rm", "-rq", "--", ".")
        self._git("checkout", "-q", sha, "--", ".")
        if not self._git("status", "--porcelain"):
            return None
        return self._record(message, author, now)

    def _edit(self, edits: Sequence[Edit]) -> None:
        for edit in edits:
            file = self.folder / edit.path
            if edit.old:
                file.write_text(applied(file.read_text(), edit))
            elif edit.new:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(edit.new)
            else:
                file.unlink()

    def _record(self, message: str, author: Author, at: datetime) -> Commit:
        at = at.astimezone(UTC).replace(microsecond=0)
        self._git("add", "-A")
        self._git("commit", "-q", "-m", message, author=author, at=at)
        sha, tree, parent = (self._git("log", "-1", "--format=%H %T %P").strip() + " ").split(" ", 2)
        named: dict[str, list[str]] = {"A": [], "M": [], "D": []}
        listed = self._git("diff-tree", "-r", "--root", "--no-commit-id", "--name-status", sha)
        for line in listed.splitlines():
            status, _, path = line.partition("\t")
            named[status[0]].append(path)
        commit = Commit(
            sha,
            tree,
            parent.strip(),
            message,
            author,
            at,
            tuple(named["A"]),
            tuple(named["M"]),
            tuple(named["D"]),
        )
        self.commits.append(commit)
        return commit

    def _tag(self, service: str, commit: Commit) -> Release:
        number = FIRST_VERSION[service] + len(self.released[service])
        release = Release(service, f"v{number}", commit)
        self._git("tag", f"{service}-{release.version}", commit.sha)
        self.released[service].append(release)
        return release

    def _export(self, release: Release, target: Path) -> None:
        if target.exists():
            return
        packed = self._run(["archive", "--format=tar", release.commit.sha, f"services/{release.service}", "lib"])
        unfinished = target.with_name(target.name + ".part")
        unfinished.mkdir(parents=True, exist_ok=True)
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            archive.extractall(unfinished, filter="data")
        unfinished.rename(target)

    def _git(self, *args: str, author: Author | None = None, at: datetime | None = None) -> str:
        return self._run(args, author, at).decode("utf-8", "replace")

    def _run(self, args: Sequence[str], author: Author | None = None, at: datetime | None = None) -> bytes:
        environment = {"PATH": os.defpath, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        if author and at:
            for role in ("AUTHOR", "COMMITTER"):
                environment |= {
                    f"GIT_{role}_NAME": author.name,
                    f"GIT_{role}_EMAIL": author.email,
                    f"GIT_{role}_DATE": at.isoformat(),
                }
        git = shutil.which("git") or "git"
        command = [git, "-c", "gc.auto=0", "-c", "core.autocrlf=false", "-C", str(self.folder), *args]
        done = subprocess.run(command, capture_output=True, env=environment, timeout=30, check=False)
        if done.returncode:
            raise GitFailed(args, done.stderr.decode("utf-8", "replace"))
        return done.stdout
