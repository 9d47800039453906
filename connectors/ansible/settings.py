"""One `[deployers.<name>]` table of tocsin.toml with `kind = "ansible"`, and what it makes of an order."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bot.ports import Order
from bot.wire.orders import checked_order

PLACEHOLDER = re.compile(r"\{(\w+)\}")
VARIABLE = re.compile(r"[a-z_]\w*")


class Source(BaseModel):
    """Where versions are read: a program that prints them, a file, or the tags of a repository; one of the three."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    command: tuple[str, ...] = ()
    file: str = ""
    git: str = ""  # a pattern of tags: "v*", "{service}-*"
    repository: str = "{project}"

    @model_validator(mode="after")
    def _one(self) -> "Source":
        if sum(map(bool, (self.command, self.file, self.git))) != 1:
            raise ValueError("one of command, file and git is needed")
        for word in (*self.command, self.file, self.git, self.repository):
            _known(word, {"service", "environment", "project"})
        return self


class Names(BaseModel):
    """Which extra variables hold the order; "" leaves one out. `environment` is a reserved word of Ansible."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    service: str = "tocsin_service"
    version: str = "tocsin_version"
    environment: str = "tocsin_environment"
    key: str = "tocsin_key"

    @field_validator("service", "version", "environment", "key")
    @classmethod
    def _variable(cls, name: str) -> str:
        if name and (not VARIABLE.fullmatch(name) or name == "environment"):
            raise ValueError(f"{name[:60]!r} cannot be the name of a variable")
        return name


class AnsibleSettings(BaseModel):
    """Relative paths start at `project`; {service} and {environment} are filled into playbook, inventory and limit."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["ansible"] = "ansible"
    project: Path
    state: Path  # where runs are kept: the same folder for every replica and for the executor
    playbook: str = Field(min_length=1)
    inventory: tuple[str, ...] = Field(min_length=1)
    limit: str = ""
    current: Source
    versions: Source
    names: Names = Names()
    vars: dict[str, str | int | bool] = Field(default_factory=dict, repr=False)
    vault_password_file: Path | None = None
    environment: dict[str, str] = Field(default_factory=dict, repr=False)
    python: str = ""  # one that has ansible-core and ansible-runner; "": the bot's own
    timeout_seconds: int = Field(default=1800, ge=1, le=24 * 3600)
    start_seconds: float = Field(default=30, gt=0, le=600)
    ask_seconds: float = Field(default=30, gt=0, le=600)
    keep_days: float = Field(default=90, ge=1)
    dry_run: bool = True

    @field_validator("current")
    @classmethod
    def _asked(cls, told: Source) -> Source:
        if told.git:
            raise ValueError("a tag does not say what runs; name a command or a file")
        return told

    @field_validator("inventory", mode="before")
    @classmethod
    def _several(cls, told: object) -> object:
        return (told,) if isinstance(told, str) else told

    @field_validator("inventory")
    @classmethod
    def _places(cls, told: tuple[str, ...]) -> tuple[str, ...]:
        for place in told:
            if "," in place:
                raise ValueError("an inventory is a path; hosts in a row are not taken")
            _known(place, {"service", "environment"})
        return told

    @field_validator("playbook", "limit")
    @classmethod
    def _filled(cls, told: str) -> str:
        if told.startswith("-"):
            raise ValueError("it begins with a dash, which is an option")
        return _known(told, {"service", "environment"})

    @property
    def interpreter(self) -> str:
        """The Python that plays."""
        return self.python or sys.executable

    def play(self, order: Order, ident: str, *, dry: bool = False) -> dict[str, object]:
        """What the worker is told. Raises BadSettings for a value that could be a template, an option or a way upwards."""
        checked_order(order)
        values = {"service": order.service, "environment": order.environment, "version": order.version, "key": order.key}
        vault = ("--vault-password-file", str(self.at(self.vault_password_file))) if self.vault_password_file else ()
        named = {getattr(self.names, what): value for what, value in values.items() if getattr(self.names, what)}
        return {
            "ident": ident,
            "project": str(self.project.absolute()),
            "playbook": filled(self.playbook, values),
            "inventory": [str(self.at(filled(place, values))) for place in self.inventory],
            "limit": filled(self.limit, values),
            "options": [*vault, *(("--check", "--diff") if dry else ())],
            "vars": {**self.vars, **named},
            "seconds": self.timeout_seconds,
        }

    def at(self, path: str | Path) -> Path:
        """A path of the settings, absolute."""
        return self.project.absolute() / path


def filled(text: str, values: Mapping[str, str]) -> str:
    """The text with its placeholders filled."""
    return PLACEHOLDER.sub(lambda m: values.get(m[1], m[0]), text)


def _known(text: str, known: set[str]) -> str:
    if unknown := sorted(set(PLACEHOLDER.findall(text)) - known):
        raise ValueError(
            f"{{{unknown[0]}}} is not filled in here; known are {', '.join(f'{{{name}}}' for name in sorted(known))}"
        )
    return text
