"""Git: commits and diffs out of local clones, documents out of any repository; nothing of theirs is ever run."""

import asyncio
import os
import re
import secrets
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from bot.domain.change import Commit
from bot.errors import BadSettings
from bot.ports import ChangeSource, Connector, DocumentSource, Room
from bot.wire.filetree import Files, checked
from bot.wire.trees import GitTree, Remote

NAME = "git"
MOST_BYTES = 400_000  # of one answer of git
MOST_DIFF = 120_000  # characters of one diff
MOST_COMMITS = 100
FIELDS = 5  # of a commit
_SHA = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
_NAME = re.compile(r"[\w@][\w./@{}~^-]{0,200}")
_SAFE = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "protocol.allow=never",
    "-c", "log.showSignature=false",
    "-c", "core.quotePath=false",
)  # fmt: skip


class GitSettings(BaseModel):
    """Local clones by the full name that webhooks use: {"acme/shop" = "/srv/git/shop"}."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    repositories: Mapping[str, Path] = Field(default_factory=dict)
    timeout_seconds: float = Field(4.0, gt=0)


class GitDocuments(BaseModel):
    """The own values of [knowledge.sources.NAME] with kind = "git".

    `path` is a folder of the repository; `username` goes with `token`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str
    branch: str = ""
    path: str = ""
    token: SecretStr | None = None
    username: str = Field("x-access-token", pattern=r"^[^\s:]{1,100}$")
    timeout_seconds: float = Field(300, gt=0)

    @field_validator("url")
    @classmethod
    def _plain(cls, url: str) -> str:
        try:
            Remote(url).check()
        except BadSettings as error:
            raise ValueError(str(error)) from None
        return url


class Git:
    """Commits of the configured clones; what is not there is None or empty."""

    name = NAME

    def __init__(self, settings: GitSettings) -> None:
        self._settings = settings

    async def commit(self, repository: str, sha: str) -> Commit | None:
        """One commit with its diff; None if there is no such repository or commit here."""
        folder = self._settings.repositories.get(repository)
        if folder is None or not _SHA.fullmatch(sha):
            return None
        found = await self._log(folder, "--max-count=1", "--end-of-options", sha)
        return found[0] if found else None

    async def between(self, repository: str, base: str, head: str) -> tuple[Commit, ...]:
        """The commits after `base` up to `head`, newest first; empty if one of them is unknown here."""
        folder = self._settings.repositories.get(repository)
        if folder is None or not (_SHA.fullmatch(base) and _SHA.fullmatch(head)):
            return ()
        return await self._log(folder, f"--max-count={MOST_COMMITS}", "--end-of-options", f"{base}..{head}")

    async def sha(self, repository: str, name: str) -> str:
        """The commit that a branch, tag or other name stands for; "" if there is none of that name here."""
        folder = self._settings.repositories.get(repository)
        if folder is None or not _NAME.fullmatch(name):
            return ""
        return (await self._run(folder, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}")).strip()

    async def remote(self, repository: str) -> str:
        """The address that a clone came from; "" if it says none."""
        folder = self._settings.repositories.get(repository)
        return (await self._run(folder, "config", "--get", "remote.origin.url")).strip() if folder else ""

    async def _log(self, folder: Path, *what: str) -> tuple[Commit, ...]:
        mark = secrets.token_hex(8)  # what an author wrote cannot hold it
        answer = await self._run(
            folder, "log", f"--format={mark}%H{mark}%an{mark}%cI{mark}%B{mark}", "--patch",
            "--unified=3", "--no-color", "--no-ext-diff", "--no-textconv",
            "--no-renames", "--first-parent", "--diff-merges=first-parent", *what, "--",
        )  # fmt: skip
        return commits_of(answer, mark)

    async def _run(self, folder: Path, *arguments: str) -> str:
        """What git says, cut at a size; "" if it fails or takes too long."""
        process = await asyncio.create_subprocess_exec(
            "git", *_SAFE, "-C", str(folder), *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
            env=_environment(),
        )  # fmt: skip
        assert process.stdout is not None  # noqa: S101 - PIPE was asked for
        try:
            async with asyncio.timeout(self._settings.timeout_seconds):
                answer = await _read(process.stdout)
                if len(answer) < MOST_BYTES and await process.wait() != 0:
                    return ""
        except TimeoutError:
            return ""
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        return answer.decode("utf-8", "replace")


async def _read(stream: asyncio.StreamReader) -> bytes:
    parts, size = [], 0
    while size < MOST_BYTES and (part := await stream.read(MOST_BYTES - size)):
        parts.append(part)
        size += len(part)
    return b"".join(parts)


def commits_of(answer: str, mark: str) -> tuple[Commit, ...]:
    """The commits of our `git log` format, in which `mark` stands before each of five fields; in its order.

    A diff that is too long is cut and says so. No author can write a mark that is new each time.
    """
    found = []
    fields = answer.split(mark)[1:]
    for sha, author, at, message, diff in zip(*[iter(fields)] * FIELDS, strict=False):
        try:
            when = datetime.fromisoformat(at)
        except ValueError:  # the year 33658
            continue
        diff = diff.lstrip("\n")
        cut = len(diff) > MOST_DIFF
        found.append(Commit(sha, author, when, message.strip(), files_of(diff), diff[:MOST_DIFF], cut))
    return tuple(found)


def files_of(diff: str) -> tuple[str, ...]:
    """The files that a diff touches, in order."""
    found = []
    for line in diff.splitlines():
        if line.startswith("diff --git "):
            names = re.fullmatch(r"diff --git \"?a/(.+?)\"? \"?b/(.+?)\"?", line)
            if names:
                found.append(names[2])
    return tuple(dict.fromkeys(found))


def _environment() -> dict[str, str]:
    """The least that git needs: no questions, no configuration but the repository's own."""
    return {
        "PATH": os.defpath,
        "LC_ALL": "C.UTF-8",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_PAGER": "",
    }


def _source(settings: BaseModel) -> ChangeSource | None:
    return Git(settings) if isinstance(settings, GitSettings) and settings.repositories else None


def _documents(values: Mapping[str, object], room: Room) -> DocumentSource:
    settings = checked(GitDocuments, values, room)
    token = settings.token.get_secret_value() if settings.token else ""
    remote = Remote(settings.url, settings.branch, token, settings.username)
    return Files(GitTree(remote, room.own / "clone", seconds=settings.timeout_seconds), settings.path)


CONNECTOR = Connector(
    name=NAME,
    title="Git",
    settings=GitSettings,
    help='No secret. repositories names local clones: { "acme/shop" = "/srv/git/shop" }; keep them fetched.',
    changes=_source,
    documents=_documents,
)
