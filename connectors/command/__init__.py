"""A deployer that is a program of yours: argument lists, never a shell; JSON on its stdout.

`tocsin.toml` names four argument lists (docs/configuration.md). The placeholders {service}, {version}, {environment} and {key}
are filled with values of a narrow alphabet, so that no value can be an option, a path upwards or a command. The program gets
no environment but the one written in its settings: the bot's own secrets never reach it.
"""

import os
import re
import shlex
import shutil
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from bot.domain.change import Version
from bot.errors import BadSettings, IllegalMove, Unavailable
from bot.ports import Connector, Deployer, Order, Run, RunState
from bot.programs import MOST_STDOUT, Ended, program, run
from bot.redact import clean, redact

T = TypeVar("T")
ALLOWED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/-]{0,127}")
PLACEHOLDER = re.compile(r"\{(\w+)\}")


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
    cancel: tuple[str, ...] = ()
    check: tuple[str, ...] = ()
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

    @field_validator("status", "cancel")
    @classmethod
    def _follows(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return _checked(words, allowed={"service", "environment", "version", "key"}, needed={"key"}) if words else words

    @field_validator("check")
    @classmethod
    def _examines(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        return _checked(words, allowed=set(), needed=set()) if words else words


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


class CommandDeployer:
    """ports.Deployer by argument lists. Raises BadSettings where nothing was started, Unavailable where that is unknown."""

    def __init__(self, settings: CommandSettings) -> None:
        self._settings = settings

    @property
    def idempotent(self) -> bool:
        """The setting of that name: the program promises that a key starts one run only."""
        return self._settings.idempotent

    @property
    def cancels(self) -> bool:
        """The settings say how."""
        return bool(self._settings.cancel)

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
        """Start it. After an error the deployer is asked: an order that it never heard of has failed."""
        words = _filled(self._settings.start, _values(order))
        ended = await self._ran(words)
        if ended.code < 0:
            raise Unavailable(f"{program(words)} was killed by signal {-ended.code}; whether it deployed is not known.")
        if ended.code > 0:
            return await self._after_error(order, (*ended.lines, f"{program(words)} ended with code {ended.code}"))
        return _run(_parsed(_RunSaid, words, ended), ended)

    async def _after_error(self, order: Order, said: tuple[str, ...]) -> Run:
        """An exit code alone does not tell whether the order arrived before the program gave up."""
        try:
            run = await self.status(order)
        except BadSettings as error:  # it is the question that was not asked; the order may have arrived
            raise Unavailable(f"{said[-1]}, and cannot be asked what became of it: {error}") from error
        state = RunState.FAILED if run.state is RunState.UNKNOWN else run.state
        return replace(run, state=state, version=order.version, output=said)

    async def status(self, order: Order) -> Run:
        """What became of the order."""
        words = _filled(self._settings.status, _values(order))
        ended = await self._ask(words)
        return _run(_parsed(_RunSaid, words, ended), ended)

    async def cancel(self, order: Order) -> Run:
        """Run the program's `cancel`, which prints what `status` prints. Raises IllegalMove where there is none."""
        if not self._settings.cancel:
            raise IllegalMove("This deployer has no `cancel` in tocsin.toml; stop it where it runs.")
        words = _filled(self._settings.cancel, _values(order))
        ended = await self._ask(words)
        return _run(_parsed(_RunSaid, words, ended), ended)

    async def check(self) -> tuple[str, ...]:
        """What the program's own `check` says is missing, if it has one; whether the programs are there at all."""
        own = self._settings
        path = own.environment.get("PATH", os.defpath)
        names = dict.fromkeys(words[0] for words in (own.current, own.versions, own.start, own.status, own.cancel) if words)
        missing = tuple(f"There is no program {name!r} that may be run." for name in names if not self._there(name, path))
        if missing or not self._settings.check:
            return missing
        ended = await self._ran(self._settings.check)
        last = ended.lines[-1] if ended.lines else f"it ended with code {ended.code}"
        return (f"{program(self._settings.check)} is not content: {last}",) if ended.code else ()

    def _there(self, name: str, path: str) -> bool:
        at = os.path.join(self._settings.folder, name) if os.sep in name else name
        return shutil.which(at, path=path) is not None

    def how_to_ask(self, order: Order) -> str:
        """The command with which a person asks what became of an order."""
        return f"run `{redact(shlex.join(_filled(self._settings.status, _values(order))))}`"

    async def _ran(self, words: tuple[str, ...]) -> Ended:
        return await run(words, self._settings.timeout_seconds, self._settings.environment, self._settings.folder)

    async def _ask(self, words: tuple[str, ...]) -> Ended:
        ended = await self._ran(words)
        if ended.code != 0:
            last = ended.lines[-1] if ended.lines else "it said nothing"
            raise Unavailable(f"{program(words)} ended with code {ended.code}: {last}")
        return ended


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


def _parsed(kind: type[T], words: tuple[str, ...], ended: Ended) -> T:
    """What stdout says. Raises Unavailable: what a program did that cannot be understood is not known."""
    if ended.cut:
        raise Unavailable(f"{program(words)} printed more than {MOST_STDOUT:,} bytes; it should print one JSON value.")
    try:
        return TypeAdapter(kind).validate_json(ended.stdout)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        at = f" at {where}" if where else ""
        raise Unavailable(
            f"{program(words)} printed something else than the JSON that docs/configuration.md asks for{at}: {first['msg']}"
        ) from error


def _version(said: _VersionSaid) -> Version:
    at = said.deployed_at
    if at is not None:
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    return Version(version=said.version, commit=said.commit, deployed_at=at, healthy=said.healthy)


def _run(said: _RunSaid, ended: Ended) -> Run:
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
