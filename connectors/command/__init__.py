"""A deployer that is a program of yours: argument lists, never a shell; JSON on its stdout.

`tocsin.toml` names four argument lists (docs/configuration.md). The placeholders {service}, {version}, {environment} and {key}
are filled with values of a narrow alphabet, so that no value can be an option, a path upwards or a command. The program gets
no environment but the one written in its settings: the bot's own secrets never reach it.
"""

import os
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bot.domain.change import Version
from bot.errors import BadPayload, BadSettings, IllegalMove, Unavailable
from bot.ports import Connector, Deployer, Order, Run, RunState
from bot.redact import clean, redact
from bot.wire.orders import before_start, checked
from bot.wire.programs import LINE, MOST_STDOUT, Ended, program, run
from connectors.command.presets import with_preset
from connectors.command.readers import READERS
from connectors.command.settings import PLACEHOLDER, CommandSettings

T = TypeVar("T")
FIRST, LAST = 40, 20  # lines of a plan


class NoSettings(BaseModel):
    """Deployers are set up under [deployers.<name>], not under [connectors.command]."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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
        self._reader = READERS.get(settings.reads)

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
        if self._reader:
            return _read(self._reader.current, words, await self._ask(words))
        said = _parsed(_VersionSaid, words, await self._ask(words))
        return _version(said)

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """What ran before, newest first."""
        words = _filled(self._settings.versions, {"service": service, "environment": environment})
        if self._reader:
            return _read(self._reader.versions, words, await self._ask(words))[:500]
        said = _parsed(list[_VersionSaid], words, await self._ask(words))
        return tuple(_version(v) for v in said[:500])

    async def start(self, order: Order) -> Run:
        """Start it. After an error the deployer is asked: an order that it never heard of has failed."""
        words = _filled(self._settings.start, _values(order))
        known = await before_start(self, order) if self._reader else None  # such tools would do it again
        if known is not None:
            return known
        ended = await self._ran(words)
        if ended.code < 0:
            raise Unavailable(f"{program(words)} was killed by signal {-ended.code}; whether it deployed is not known.")
        if ended.code > 0:
            return await self._after_error(order, (*ended.lines, f"{program(words)} ended with code {ended.code}"))
        if self._reader:
            return Run(order.key, RunState.SUCCEEDED, order.version, output=ended.lines)
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
        if self._reader:
            status = self._reader.status
            return _read(lambda stdout: status(stdout, order), words, ended)
        return _run(_parsed(_RunSaid, words, ended), ended)

    async def cancel(self, order: Order) -> Run:
        """Run the program's `cancel`, which prints what `status` prints. Raises IllegalMove where there is none."""
        if not self._settings.cancel:
            raise IllegalMove("This deployer has no `cancel` in tocsin.toml; stop it where it runs.")
        words = _filled(self._settings.cancel, _values(order))
        ended = await self._ask(words)
        return _run(_parsed(_RunSaid, words, ended), ended)

    async def rehearse(self, order: Order) -> tuple[str, ...]:
        """What the program's `plan` prints, fit to be shown; empty where there is none. Raises Unavailable where it fails."""
        if not self._settings.plan:
            return ()
        return _shown((await self._ask(_filled(self._settings.plan, _values(order)))).stdout)

    async def check(self) -> tuple[str, ...]:
        """What the program's own `check` says is missing, if it has one; whether the programs are there at all."""
        own = self._settings
        path = own.environment.get("PATH", os.defpath)
        used = (own.current, own.versions, own.start, own.status, own.cancel, own.plan)
        names = dict.fromkeys(words[0] for words in used if words)
        missing = tuple(f"There is no program {name!r} that may be run." for name in names if not self._there(name, path))
        if missing or not self._settings.check:
            return missing
        ended = await self._ran(self._settings.check)
        last = (ended.lines[-1] if ended.lines else f"it ended with code {ended.code}").rstrip(".")
        return (f"{program(self._settings.check)} is not content: {last}.",) if ended.code else ()

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
    checked(**values)
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


def _read(what: Callable[[bytes], T], words: tuple[str, ...], ended: Ended) -> T:
    """What a known tool printed. Raises Unavailable where it cannot be understood."""
    try:
        return what(ended.stdout)
    except BadPayload as error:
        raise Unavailable(f"{program(words)} printed something else than expected ({error}).") from error


def _shown(stdout: bytes) -> tuple[str, ...]:
    """The beginning and the end of a plan, redacted: what changes comes first, how much of it last."""
    lines = [line.rstrip()[:LINE] for line in redact(clean(stdout.decode(errors="replace"))).splitlines() if line.strip()]
    if len(lines) <= FIRST + LAST:
        return tuple(lines)
    return (*lines[:FIRST], f"… {len(lines) - FIRST - LAST} lines more …", *lines[-LAST:])


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
        return CommandDeployer(CommandSettings.model_validate(with_preset(table)))
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
