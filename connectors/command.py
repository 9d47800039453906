"""A deployer that is a program of yours: argument lists, never a shell; JSON on its stdout.

`tocsin.toml` names four argument lists (docs/configuration.md). The placeholders {service}, {version}, {environment} and {key}
are filled with values of a narrow alphabet, so that no value can be an option, a path upwards or a command. The program gets
no environment but the one written in its settings: the bot's own secrets never reach it.
"""

import asyncio
import os
import re
import shlex
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from bot.domain.change import Version
from bot.errors import BadSettings, Unavailable
from bot.ports import Connector, Deployer, Order, Run, RunState
from bot.redact import clean, redact

T = TypeVar("T")
ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}")
PLACEHOLDER = re.compile(r"\{(\w+)\}")
MOST_STDOUT = 1_000_000  # bytes; a list of versions is never longer
MOST_STDERR = 64_000
LAST_LINES = 20
LINE = 500
DRAIN = 1.0  # seconds that a program's own children may hold its output open after it ended


class NoSettings(BaseModel):
    """Deployers are set up under [deployers.<name>], not under [connectors.command]."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class CommandSettings(BaseModel):
    """One `[deployers.<name>]` table of tocsin.toml with `kind = "command"`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["command"] = "command"
    current: tuple[str, ...] = Field(min_length=1)
    versions: tuple[str, ...] = Field(min_length=1)
    start: tuple[str, ...] = Field(min_length=1)
    status: tuple[str, ...] = Field(min_length=1)
    timeout_seconds: float = Field(default=60, gt=0, le=3600)
    idempotent: bool = False
    environment: dict[str, str] = Field(default_factory=dict, repr=False)
    folder: str = ""

    @field_validator("current", "versions")
    @classmethod
    def _asks(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return _checked(words, allowed={"service", "environment"}, needed={"service"})

    @field_validator("start")
    @classmethod
    def _starts(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        known = {"service", "environment", "version", "key"}
        return _checked(words, allowed=known, needed={"service", "version", "key"})

    @field_validator("status")
    @classmethod
    def _follows(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return _checked(words, allowed={"service", "environment", "version", "key"}, needed={"key"})


def _checked(words: tuple[str, ...], *, allowed: set[str], needed: set[str]) -> tuple[str, ...]:
    if PLACEHOLDER.search(words[0]) or not words[0]:
        raise ValueError("the first word is the program and takes no placeholder")
    if any("\0" in word for word in words):
        raise ValueError("a word holds a NUL character")
    named = {name for word in words for name in PLACEHOLDER.findall(word)}
    if unknown := sorted(named - allowed):
        raise ValueError(f"{{{unknown[0]}}} is not filled in here; known are {_braced(allowed)}")
    if missing := sorted(needed - named):
        raise ValueError(f"{{{missing[0]}}} must be among the words")
    return words


def _braced(names: set[str]) -> str:
    return ", ".join(f"{{{n}}}" for n in sorted(names))


class _VersionSaid(BaseModel):
    version: str = Field(min_length=1, max_length=128)
    commit: str = Field(default="", max_length=128)
    deployed_at: datetime | None = None
    healthy: bool | None = None


class _RunSaid(BaseModel):
    run: str | None = Field(default=None, max_length=200)
    status: RunState
    version: str = Field(default="", max_length=128)
    link: str = Field(default="", max_length=2000)


@dataclass(frozen=True, slots=True)
class _Ended:
    """What a program left behind."""

    code: int
    stdout: bytes
    lines: tuple[str, ...]
    cut: bool


class CommandDeployer:
    """ports.Deployer by argument lists. Raises BadSettings where nothing was started, Unavailable where that is unknown."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings

    @property
    def idempotent(self) -> bool:
        """The setting of that name: the program promises that a key starts one run only."""
        return self._settings.idempotent

    async def current(self, service: str, environment: str) -> Version:
        """What runs now."""
        words = _filled(self._settings.current, {"service": service, "environment": environment})
        said = _parsed(_VersionSaid, words, await self._ask(words))
        return _version(said)

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """What ran before, newest first."""
        words = _filled(self._settings.versions, {"service": service, "environment": environment})
        said = _parsed(list[_VersionSaid], words, await self._ask(words))
        return tuple(_version(v) for v in said[:500])

    async def start(self, order: Order) -> Run:
        """Start it; a program that ends with an error has failed, one that was killed or says nothing is unknown."""
        words = _filled(self._settings.start, _values(order))
        ended = await self._run(words)
        if ended.code < 0:
            raise Unavailable(f"{words[0]} was killed by signal {-ended.code}; whether it deployed is not known.")
        if ended.code > 0:
            why = f"{_program(words)} ended with code {ended.code}"
            return Run(id="", state=RunState.FAILED, version=order.version, output=(*ended.lines, why))
        return _run(_parsed(_RunSaid, words, ended), ended)

    async def status(self, order: Order) -> Run:
        """What became of the order."""
        words = _filled(self._settings.status, _values(order))
        ended = await self._ask(words)
        return _run(_parsed(_RunSaid, words, ended), ended)

    def how_to_ask(self, order: Order) -> str:
        """The command with which a person asks what became of an order."""
        return f"run `{shlex.join(_filled(self._settings.status, _values(order)))}`"

    async def _ask(self, words: tuple[str, ...]) -> _Ended:
        ended = await self._run(words)
        if ended.code != 0:
            last = ended.lines[-1] if ended.lines else "it said nothing"
            raise Unavailable(f"{_program(words)} ended with code {ended.code}: {last}")
        return ended

    async def _run(self, words: tuple[str, ...]) -> _Ended:
        out, err = _Kept(MOST_STDOUT), _Kept(MOST_STDERR)
        try:
            process = await self._spawn(words, await out.open(), await err.open())
            try:
                async with asyncio.timeout(self._settings.timeout_seconds):
                    code = await process.wait()
            except TimeoutError as error:
                limit = f"{self._settings.timeout_seconds:g} s"
                raise Unavailable(f"{_program(words)} did not end within {limit} and was killed.") from error
            finally:
                if process.returncode is None:
                    _kill_group(process.pid)
                    await process.wait()
            await asyncio.wait({out.ended, err.ended}, timeout=DRAIN)
        finally:
            out.close()
            err.close()
        lines = _last_lines(bytes(err.said), b"" if code == 0 else bytes(out.said))
        return _Ended(code, bytes(out.said), lines, out.cut)

    async def _spawn(self, words: tuple[str, ...], stdout: int, stderr: int) -> asyncio.subprocess.Process:
        """The program, started with two write ends of pipes, which are closed here afterwards.

        They are pipes of our own: asyncio's would make `wait()` wait for everybody who holds them, the program's children too.
        """
        try:
            return await asyncio.create_subprocess_exec(
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env={"PATH": os.defpath, "LANG": "C.UTF-8", **self._settings.environment},
                cwd=self._settings.folder or None,
                start_new_session=True,
            )
        except OSError as error:
            reason = error.strerror or "it cannot be run"
            raise BadSettings(
                f"The deployer's program {words[0]!r} did not start: {reason}. Give its full path or set PATH in the "
                f"deployer's `environment`."
            ) from error
        finally:
            os.close(stdout)
            os.close(stderr)


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


class _Kept(asyncio.Protocol):
    """The end of what comes out of a pipe; it can be left while something still holds the other end."""

    def __init__(self, most: int) -> None:
        self.said = bytearray()
        self.cut = False
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._most = most
        self._pipe: asyncio.ReadTransport | None = None

    async def open(self) -> int:
        """A new pipe that is read from now on; the descriptor to write to, which belongs to the caller."""
        read, write = os.pipe()
        self._pipe, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: self, os.fdopen(read, "rb", 0))
        return write

    def close(self) -> None:
        """Nothing more is read."""
        if self._pipe is not None:
            self._pipe.close()

    def data_received(self, data: bytes) -> None:
        self.said += data
        if len(self.said) > self._most:
            del self.said[: -self._most]
            self.cut = True

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  the signature is asyncio's
        if not self.ended.done():
            self.ended.set_result(None)


def _last_lines(*texts: bytes) -> tuple[str, ...]:
    """The last lines, fit to be shown: redacted, without control characters, cut in length."""
    lines: list[str] = []
    for raw in texts:
        text = redact(clean(raw[-MOST_STDERR:].decode(errors="replace")))
        lines += [line.rstrip()[:LINE] for line in text.splitlines() if line.strip()]
    return tuple(lines[-LAST_LINES:])


def _values(order: Order) -> dict[str, str]:
    return {
        "service": order.service,
        "environment": order.environment,
        "version": order.version,
        "key": order.key,
    }


def _filled(words: tuple[str, ...], values: Mapping[str, str]) -> tuple[str, ...]:
    """The argument list with its placeholders filled. Raises BadSettings for a value outside the alphabet."""
    for name, value in values.items():
        if not ALLOWED.fullmatch(value) or ".." in value:
            raise BadSettings(
                f"The {name} {value[:60]!r} cannot be handed to a deployer: letters, digits and . _ + / - only, 128 at most, "
                f"the first a letter or digit, no '..'."
            )
    return tuple(PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), word) for word in words)


def _program(words: tuple[str, ...]) -> str:
    return f"The deployer's program {os.path.basename(words[0])!r}"


def _parsed(kind: type[T], words: tuple[str, ...], ended: _Ended) -> T:
    """What stdout says. Raises Unavailable: what a program did that cannot be understood is not known."""
    if ended.cut:
        raise Unavailable(f"{_program(words)} printed more than {MOST_STDOUT:,} bytes; it should print one JSON value.")
    try:
        return TypeAdapter(kind).validate_json(ended.stdout)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        at = f" at {where}" if where else ""
        raise Unavailable(
            f"{_program(words)} printed something else than the JSON that docs/configuration.md asks for{at}: {first['msg']}"
        ) from error


def _version(said: _VersionSaid) -> Version:
    at = said.deployed_at
    if at is not None:
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return Version(version=said.version, commit=said.commit, deployed_at=at, healthy=said.healthy)


def _run(said: _RunSaid, ended: _Ended) -> Run:
    link = said.link if said.link.startswith(("https://", "http://")) else ""
    return Run(id=clean(said.run or ""), state=said.status, version=said.version, link=link, output=ended.lines)


def _deployer(table: Mapping[str, object]) -> Deployer:
    """A deployer from its table in tocsin.toml. Raises BadSettings naming key and reason, never the value."""
    try:
        return CommandDeployer(CommandSettings.model_validate(table))
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "deployer"
        why = first["msg"].removeprefix("Value error, ")
        raise BadSettings(
            f'{where}: {why}. A good one: start = ["deployctl", "deploy", "--service", "{{service}}", "--version", '
            f'"{{version}}", "--idempotency-key", "{{key}}"]; see docs/configuration.md.'
        ) from error


CONNECTOR = Connector(
    name="command",
    title="Command deployer",
    settings=NoSettings,
    help='No secret. Deployers stand under [deployers.<name>] with kind = "command"; see docs/configuration.md.',
    deployer=_deployer,
)
