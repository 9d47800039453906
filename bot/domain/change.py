"""Something that somebody shipped: what kind, which service, which version."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class ChangeKind(StrEnum):
    """What was changed; code that merely reached the repository is a `commit`, not yet in production."""

    DEPLOY = "deploy"
    COMMIT = "commit"
    CONFIG = "config"
    FLAG = "flag"
    INFRASTRUCTURE = "infrastructure"
    RELEASE = "release"
    BUILD = "build"
    MODEL = "model"
    PROMPT = "prompt"
    DATASET = "dataset"
    INDEX = "index"


class ChangeStatus(StrEnum):
    """How far a change got."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Change:
    """One change, as its vendor reported it; `id` is stable, so that a later report of it replaces this one.

    `services` may be empty for a commit until its files are matched with the catalogue. `files` and `parents` may be
    empty where the vendor does not say; a ChangeSource has the diff. `checks` are the results of checks of its commit by
    name, True where one passed: a build says its own, and whatever shipped the commit has those of all builds when it is read.
    """

    id: str
    connector: str
    kind: ChangeKind
    status: ChangeStatus
    at: datetime
    title: str
    services: tuple[str, ...] = ()
    environment: str = ""
    version: str = ""
    commit: str = ""
    repository: str = ""
    author: str = ""
    url: str = ""
    files: tuple[str, ...] = ()
    checks: Mapping[str, bool] = field(default_factory=dict)

    @property
    def failing_checks(self) -> str:
        """What to say of the checks that failed, "with failing checks: lint, unit tests"; "" where none is known to have."""
        failed = [name for name, passed in self.checks.items() if not passed]
        more = f" and {len(failed) - 3} more" if len(failed) > 3 else ""
        return f"with failing checks: {', '.join(failed[:3])}{more}" if failed else ""

    @property
    def shipped(self) -> bool:
        """It reached an environment; a commit alone did not."""
        return self.status is ChangeStatus.SUCCEEDED and self.kind not in (
            ChangeKind.COMMIT,
            ChangeKind.BUILD,
        )


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit with its diff (unified, possibly cut: `truncated`)."""

    sha: str
    author: str
    at: datetime
    message: str
    files: tuple[str, ...] = ()
    diff: str = ""
    truncated: bool = False

    @property
    def short(self) -> str:
        """The first seven digits, as people quote it."""
        return self.sha[:7]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a service that is or was running; `healthy` None means nobody knows."""

    version: str
    commit: str = ""
    deployed_at: datetime | None = None
    healthy: bool | None = None
