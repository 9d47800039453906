"""One `[deployers.<name>]` table of tocsin.toml with `kind = "command"`, after its preset was filled in."""

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

PLACEHOLDER = re.compile(r"\{(\w+)\}")


class CommandSettings(BaseModel):
    """One `[deployers.<name>]` table of tocsin.toml with `kind = "command"`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["command"] = "command"
    reads: Literal["json", "helm", "terraform"] = "json"  # what the program prints; before the lists, which depend on it
    current: tuple[str, ...] = Field(min_length=1)
    versions: tuple[str, ...] = Field(min_length=1)
    start: tuple[str, ...] = Field(min_length=1)
    status: tuple[str, ...] = Field(min_length=1)
    cancel: tuple[str, ...] = ()
    plan: tuple[str, ...] = ()
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
    def _follows(cls, words: tuple[str, ...], told: ValidationInfo) -> tuple[str, ...]:
        needed = {"key"} if told.data.get("reads") == "json" else set()  # others print the key
        return _checked(words, allowed={"service", "environment", "version", "key"}, needed=needed) if words else words

    @field_validator("plan")
    @classmethod
    def _rehearses(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        known = {"service", "environment", "version", "key"}
        return _checked(words, allowed=known, needed={"service", "version"}) if words else words

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
