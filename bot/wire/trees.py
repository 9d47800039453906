"""Trees of files: a folder, or a Git repository read through the `git` program without ever running or checking out its files."""

import asyncio
import base64
import hashlib
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import urlsplit

from bot.errors import BadPayload, BadSettings, NotAllowed, NotFound, Unavailable

MOST_FILES = 50_000
MOST_FILE = 20_000_000  # bytes
MOST_ANSWER = 64 << 20  # bytes of one answer of git
LOOK = 0.5  # seconds between looks at the size of a clone that is being made
_HERE = "refs/tocsin/now"
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,200}")
_COMMIT = re.compile(r"[0-9a-f]{40,64}")
_DENIED = re.compile(r"Authentication failed|could not read (Username|Password)|returned error: 40[13]|Permission denied")
_DAMAGED = re.compile(
    r"not a git repository|File exists|cannot lock ref|bad (object|config|tree)|object file|corrupt|unresolved deltas"
)
_ABSENT = re.compile(r"not found|returned error: 404|couldn't find remote ref|does not exist", re.IGNORECASE)


class Tree(Protocol):
    """Files by their path, with versions that are equal exactly for equal contents."""

    repository: str  # "acme/ops", "" if it is none

    async def listing(self) -> Mapping[str, str]:
        """Each file, and its version. Raises Unavailable, NotAllowed, NotFound."""

    async def read(self, path: str) -> bytes | None:
        """A file of the last listing; None if it is gone."""

    async def renamed(self, since: str) -> tuple[str, Mapping[str, str]]:
        """Where the tree stands ("" if it cannot tell), and the new path by the old one of what moved since then."""

    def link(self, path: str) -> str:
        """Where people read a file, or ""."""


class FolderTree:
    """A folder of this machine. Links that lead out of it are not followed."""

    repository = ""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known: dict[str, tuple[tuple[int, int], str]] = {}

    async def listing(self) -> Mapping[str, str]:
        """Each file with its hash; only files that look changed are read."""
        return await asyncio.to_thread(self._listing)

    async def read(self, path: str) -> bytes | None:
        """The file, at most `MOST_FILE` bytes of it."""
        return await asyncio.to_thread(self._read, path)

    async def renamed(self, since: str) -> tuple[str, Mapping[str, str]]:  # noqa: ARG002  a folder has no history
        """A folder cannot tell."""
        return "", {}

    def link(self, path: str) -> str:  # noqa: ARG002  the port's
        """Nobody can follow a link to this machine."""
        return ""

    def _listing(self) -> dict[str, str]:
        if not self._folder.is_dir():
            raise NotFound(f"There is no folder {self._folder}.")
        found = {}
        for path in self._files():
            try:
                found[path.relative_to(self._folder).as_posix()] = self._version(path)
            except FileNotFoundError:  # meanwhile
                continue
            except OSError as error:
                raise Unavailable(f"{path} cannot be read: {error.strerror}.") from None
        return found

    def _version(self, path: Path) -> str:
        stat = path.stat()
        name, seen = path.relative_to(self._folder).as_posix(), (stat.st_mtime_ns, stat.st_size)
        known = self._known.get(name)
        if known is None or known[0] != seen:
            with path.open("rb") as file:
                known = (seen, hashlib.sha256(file.read(MOST_FILE)).hexdigest()[:40])
            self._known[name] = known
        return known[1]

    def _files(self) -> Iterator[Path]:
        root = self._folder.resolve()
        named = (p for p in sorted(self._folder.rglob("*")) if str(p).isprintable())  # what is no text cannot be kept as such
        inside = (p for p in named if p.is_file() and p.resolve().is_relative_to(root))
        yield from (p for p, _ in zip(inside, range(MOST_FILES), strict=False))

    def _read(self, path: str) -> bytes | None:
        file = self._folder / path
        try:
            if not file.resolve().is_relative_to(self._folder.resolve()):
                return None
            with file.open("rb") as opened:
                return opened.read(MOST_FILE)
        except (FileNotFoundError, IsADirectoryError):
            return None
        except OSError as error:
            raise Unavailable(f"{file} cannot be read: {error.strerror}.") from None


@dataclass(frozen=True, slots=True)
class Remote:
    """Where a repository lies: an https address without a name or a token in it, a branch ("" is the default one)."""

    url: str
    branch: str = ""
    token: str = ""
    user: str = "x-access-token"

    def check(self) -> None:
        """Raise BadSettings unless git may be pointed at it."""
        parts = urlsplit(self.url)
        loopback = parts.hostname in ("127.0.0.1", "::1", "localhost")
        if parts.scheme != "https" and not (parts.scheme == "http" and loopback):
            raise BadSettings("url has to begin with https://, such as https://github.com/acme/runbooks.git")
        if parts.username or parts.password or not parts.hostname or not self.url.isprintable() or " " in self.url:
            raise BadSettings("url must be a plain address without a name or a token in it; `token` holds the token")
        if self.branch and (not _BRANCH.fullmatch(self.branch) or ".." in self.branch):
            raise BadSettings(f"branch {self.branch[:60]!r} is no name of a branch")


class _Damaged(Unavailable):
    """The clone of ours is not what git left there: it was killed in the midst of writing."""


class GitTree:
    """A repository as a bare, shallow clone in `folder`, brought up to date by each listing. Nothing of it is checked out."""

    def __init__(self, remote: Remote, folder: Path, *, seconds: float = 300, most_bytes: int = 1 << 30) -> None:
        remote.check()
        self._remote, self._folder = remote, folder
        self._seconds, self._most_bytes = seconds, most_bytes
        self._blobs: dict[str, tuple[str, int]] = {}
        self._commit = ""
        self.repository = urlsplit(remote.url).path.strip("/").removesuffix(".git")

    async def listing(self) -> Mapping[str, str]:
        """Fetch, then each ordinary file with git's own hash of it; symbolic links and submodules are left out."""
        try:
            await self._fetch()
        except _Damaged:
            await asyncio.to_thread(shutil.rmtree, self._folder)
            await self._fetch()
        self._commit = (await self._git("rev-parse", "--verify", "--end-of-options", f"{_HERE}^{{commit}}")).decode().strip()
        answer = await self._git("ls-tree", "-r", "-z", "-l", "--full-tree", self._commit)
        self._blobs = {}
        for entry in answer.split(b"\0")[:MOST_FILES]:
            about, _, path = entry.partition(b"\t")
            mode, _, sha, size = (*about.decode().split(), "", "", "", "")[:4]
            if mode in ("100644", "100755") and size.isdecimal():
                self._blobs[path.decode("utf-8", "replace")] = (sha, int(size))
        return {path: sha for path, (sha, _) in self._blobs.items()}

    async def read(self, path: str) -> bytes | None:
        """The file of the last listing. Raises BadPayload if it is too large."""
        sha, size = self._blobs.get(path, ("", 0))
        if size > MOST_FILE:
            raise BadPayload(f"it has {size} bytes; at most {MOST_FILE} are read", path=path[:100])
        return await self._git("cat-file", "blob", sha) if sha else None

    async def renamed(self, since: str) -> tuple[str, Mapping[str, str]]:
        """The commit of the last listing, and what git calls renamed between `since` and it, as far as `since` is still known."""
        if not _COMMIT.fullmatch(since) or since == self._commit:
            return self._commit, {}
        try:
            answer = await self._git(
                "diff", "--find-renames", "--diff-filter=R", "--name-status", "-z", "--no-ext-diff", "--no-textconv",
                since, self._commit, "--",
            )  # fmt: skip
        except Unavailable:  # the clone was made anew
            return self._commit, {}
        words = [word.decode("utf-8", "replace") for word in answer.split(b"\0")]
        return self._commit, dict(zip(words[1::3], words[2::3], strict=False))

    def link(self, path: str) -> str:
        """Where GitHub, GitLab and their like show a file."""
        base = self._remote.url.removesuffix("/").removesuffix(".git")
        if base.endswith(".wiki"):
            return f"{base.removesuffix('.wiki')}/wiki/{PurePosixPath(path).stem}"
        between = "/-/blob" if "gitlab" in str(urlsplit(base).hostname) else "/blob"
        return f"{base}{between}/{self._remote.branch or 'HEAD'}/{path}"

    async def _fetch(self) -> None:
        await asyncio.to_thread(self._make)
        if not (self._folder / "HEAD").exists():
            await self._git("init", "--quiet", "--bare", "--template=", str(self._folder), inside=False)
        what = f"refs/heads/{self._remote.branch}" if self._remote.branch else "HEAD"
        fetching = asyncio.create_task(
            self._git(
                "fetch", "--quiet", "--depth=1", "--no-tags", "--force", "--no-recurse-submodules", "--no-write-fetch-head",
                "--end-of-options", self._remote.url, f"+{what}:{_HERE}", seconds=self._seconds,
            )
        )  # fmt: skip
        try:
            while not (await asyncio.wait({fetching}, timeout=LOOK))[0]:
                if await asyncio.to_thread(_size, self._folder) > self._most_bytes:
                    raise BadPayload(f"it is larger than {self._most_bytes >> 20} MB, as much as is copied", path=self._name)
            await fetching
        finally:
            fetching.cancel()

    def _make(self) -> None:
        if self._folder.exists() and _size(self._folder) > self._most_bytes:
            shutil.rmtree(self._folder)  # years of small fetches: begun anew
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    async def _git(self, *arguments: str, inside: bool = True, seconds: float = 60) -> bytes:
        where = ("--git-dir", str(self._folder)) if inside else ()
        process = await asyncio.create_subprocess_exec(
            "git", *_SAFE, *where, *arguments,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            env=self._environment(),
        )  # fmt: skip
        assert process.stdout is not None  # noqa: S101  PIPE was asked for
        assert process.stderr is not None  # noqa: S101  as above
        try:
            async with asyncio.timeout(seconds):
                answer, told = await asyncio.gather(_capped(process.stdout), _capped(process.stderr))
                code = await process.wait()
        except TimeoutError:
            raise Unavailable(f"git {arguments[0]} of {self._name} did not end within {seconds:g} s.") from None
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if code != 0:
            self._fail(arguments[0], told.decode("utf-8", "replace"))
        return answer

    @property
    def _name(self) -> str:
        return f"{urlsplit(self._remote.url).hostname}/{self.repository}"[:200]

    def _fail(self, verb: str, told: str) -> None:
        """What git said is told in our own words: its own may repeat what it was given."""
        if _DENIED.search(told):
            raise NotAllowed(f"{self._name} does not let us in: the token is wrong, or may not read this repository.")
        if _ABSENT.search(told):
            which = f" or no branch {self._remote.branch}" if self._remote.branch else ""
            raise NotFound(f"There is no repository {self._name}{which}, or the token may not see it.")
        kind = _Damaged if _DAMAGED.search(told) else Unavailable
        raise kind(f"git {verb} of {self._name} failed; see whether `git ls-remote` works from this machine.")

    def _environment(self) -> dict[str, str]:
        """The least that git needs; the token goes by configuration in the environment, for this host only."""
        secret = {}
        if self._remote.token:
            parts = urlsplit(self._remote.url)
            basic = base64.b64encode(f"{self._remote.user}:{self._remote.token}".encode()).decode()
            secret = {
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": f"http.{parts.scheme}://{parts.netloc}/.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
            }
        return {
            "PATH": os.defpath,
            "HOME": str(self._folder),
            "LC_ALL": "C.UTF-8",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_ASKPASS": "true",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_LAZY_FETCH": "1",
            **secret,
        }


_SAFE = (
    "-c", "core.hooksPath=/dev/null",
    "-c", "core.fsmonitor=false",
    "-c", "core.symlinks=false",
    "-c", "credential.helper=",
    "-c", "protocol.allow=never",
    "-c", "protocol.https.allow=always",
    "-c", "protocol.http.allow=always",
    "-c", "http.followRedirects=false",
    "-c", "http.lowSpeedLimit=1000",
    "-c", "http.lowSpeedTime=30",
    "-c", "fetch.fsckObjects=true",
    "-c", "gc.auto=0",
)  # fmt: skip


async def _capped(stream: asyncio.StreamReader) -> bytes:
    parts, size = [], 0
    while part := await stream.read(1 << 16):
        size += len(part)
        if size > MOST_ANSWER:
            raise BadPayload(f"it answers with more than {MOST_ANSWER >> 20} MB", path="git")
        parts.append(part)
    return b"".join(parts)


def _size(folder: Path) -> int:
    """Bytes of all files below."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(where, name)).st_size
            except FileNotFoundError:  # git renames its temporary files
                continue
    return total
