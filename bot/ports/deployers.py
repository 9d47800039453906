"""Who changes what runs: an order, its run, and what can be asked before and after."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol, runtime_checkable

from bot.domain.change import Version


@dataclass(frozen=True, slots=True)
class Order:
    """What a deployer is asked to do; `key` is the idempotency key.

    `commit` is the version's where the plan knows it, `run` the id of the run that `start` or `status` told of before.
    """

    service: str
    environment: str
    version: str
    key: str
    commit: str = ""
    run: str = ""


class RunState(StrEnum):
    """What a deployer says of a run; RUNNING also while it waits for its turn. UNKNOWN: it never heard of the key."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Run:
    """A deployer's run; `link` is where people see it, `output` are its last lines, unredacted."""

    id: str
    state: RunState
    version: str = ""
    link: str = ""
    output: tuple[str, ...] = ()


class Deployer(Protocol):
    """Changes what runs. Every method raises Unavailable when the deployer cannot be asked.

    `start` raises Unavailable also where nobody knows whether it started; any other BotError means that nothing was started:
    NotStarted where asking again later can help.
    """

    @property
    def idempotent(self) -> bool:
        """It promises that a key starts one run only, so that `start` may be repeated when its outcome is unknown."""

    @property
    def cancels(self) -> bool:
        """It can be asked to stop a run."""

    async def current(self, service: str, environment: str) -> Version:
        """What runs now, asked, not assumed."""

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """What ran before, newest first, the current one included."""

    async def start(self, order: Order) -> Run:
        """Start it once per key; the same key again answers with the same run."""

    async def status(self, order: Order) -> Run:
        """What became of the order with this key; state UNKNOWN if it never arrived."""

    async def cancel(self, order: Order) -> Run:
        """Ask that the run of this order stops, and say what is known of it then; one that has ended stays as it is.

        Raises IllegalMove where it `cancels` nothing. What ran until then is not undone.
        """

    async def check(self) -> tuple[str, ...]:
        """What it lacks to do its work, a sentence each, found out by questions alone; empty where nothing is known to be amiss.

        Raises as the questions do.
        """

    def how_to_ask(self, order: Order) -> str:
        """What a person can do to find out what became of an order: an imperative sentence without its full stop."""


@runtime_checkable
class Rehearsal(Protocol):
    """A deployer that can also say what an order would change, in its tool's own words, and change nothing (a dry run)."""

    async def rehearse(self, order: Order) -> tuple[str, ...]:
        """Lines for people, redacted and cut; empty where it is turned off.

        Raises as the deployer's questions do, IllegalMove or NotAllowed where the order itself would be refused as well.
        """


@runtime_checkable
class CommitChecks(Protocol):
    """A deployer that can also say whether the checks of a commit passed (is CI green?)."""

    async def checks(self, service: str, commit: str) -> Mapping[str, bool]:
        """The checks that have ended, by name: True where one passed. Raises as the deployer's questions do."""


@runtime_checkable
class VersionCommits(Protocol):
    """A deployer that can also say which commit a version is, also of one that never ran."""

    async def commit_of(self, service: str, version: str) -> str:
        """The commit, "" where it is not known. Raises as the deployer's questions do."""
