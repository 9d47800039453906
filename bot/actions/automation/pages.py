"""The front matter of a runbook becomes typed steps, or faults with file and line; its text never becomes anything."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from bot.actions.policy import Automation
from bot.domain.action import ActionKind
from bot.domain.automation import ALERTING, CONVICTED, PREVIOUS, TypedStep, When
from bot.domain.document import EVERYBODY, Document, DocumentKind
from bot.domain.evidence import Confidence, Remedy, Verdict
from bot.errors import Fault
from bot.knowledge.query import normal
from bot.plain_yaml import BadYaml, document
from bot.topology.rulefile import BadRules, Lines, read_rules

MOST = 10  # steps of one page
STAMP = 10  # characters
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SERVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/*-]{0,99}")


@dataclass(frozen=True, slots=True)
class Read:
    """What a page's front matter says of actions: its steps, or everything that is wrong with them."""

    steps: tuple[TypedStep, ...] = ()
    faults: tuple[Fault, ...] = ()


class _When(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    alerts: tuple[str, ...] = Field(default=(), max_length=50)
    verdict: Literal[Verdict.CONVICTED, Verdict.OPERATIONAL] = Verdict.CONVICTED
    remedies: tuple[Remedy, ...] = Field(default=(Remedy.ROLLBACK,), min_length=1)
    confidence: Confidence = Confidence.STRONG


class _Step(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    kind: ActionKind
    service: str
    target: str = PREVIOUS
    environment: str = ""
    when: _When = _When()

    @field_validator("name")
    @classmethod
    def _named(cls, value: str) -> str:
        if not _NAME.fullmatch(value):
            raise ValueError("a name is small letters, digits and dashes, such as roll-back")
        return value

    @field_validator("service")
    @classmethod
    def _one_service(cls, value: str) -> str:
        if value not in (CONVICTED, ALERTING) and not _SERVICE.fullmatch(value):
            raise ValueError(f'name one service, or write "{CONVICTED}" or "{ALERTING}"; nothing is filled in')
        return value

    @field_validator("target")
    @classmethod
    def _version(cls, value: str) -> str:
        if not _TARGET.fullmatch(value) or value.strip("*") == "":
            raise ValueError(f'write "{PREVIOUS}", or a version such as "v2.*": letters, digits and . _ + / - with *')
        return value

    @model_validator(mode="after")
    def _sensible(self) -> "_Step":
        if self.kind is ActionKind.DEPLOY and self.target == PREVIOUS:
            raise ValueError('a deploy needs `target`, a version such as "v2.*"; going back to the previous one is a rollback')
        if self.service == CONVICTED and self.when.verdict is not Verdict.CONVICTED:
            raise ValueError(f'"{CONVICTED}" is there only when the verdict is convicted')
        return self


class _Front(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)

    actions: tuple[_Step, ...] = Field(default=(), max_length=MOST)
    alerts: tuple[str, ...] = Field(default=(), max_length=200)

    @field_validator("alerts", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        return (value,) if isinstance(value, str) else value or ()


def trusted(page: Document, rules: Automation) -> str:
    """Why a page may not carry actions, for people, or "" if it may: policies.yaml names its folder or source."""
    if page.kind is not DocumentKind.RUNBOOK:
        return "only runbooks carry actions"
    if not page.trusted:
        return "anybody may write there"
    if page.only != EVERYBODY:
        return "not everybody may see it"
    if page.source:
        here = page.source in rules.sources
        return "" if here else f"automation.sources of policies.yaml does not name the source {page.source}"
    folder = page.path.partition("/")[0]
    return "" if folder in rules.folders else f"automation.folders of policies.yaml does not name the folder {folder}"


def read_page(page: Document) -> Read:
    """The steps of a page, or its faults; one wrong step makes all of them void, so that nobody runs half of what is meant."""
    if not page.actions:
        return Read()
    path = f"{page.source}:{page.path}" if page.source else page.path  # two places may have a page of one name
    return _read(page.id, path, page.title, page.link, page.actions)


@lru_cache(maxsize=512)
def _read(id: str, path: str, title: str, link: str, front: str) -> Read:
    try:
        document(front)  # few aliases: nothing in it can grow before it is validated
        parsed, lines = read_rules("\n" + front, path, _Front)  # the line of dashes above it
    except BadYaml as error:
        return Read(faults=(Fault(path, (error.line or 0) + 2, "the front matter is no YAML, so its actions count for nothing"),))
    except BadRules as error:
        return Read(faults=error.faults)
    steps = tuple(
        _typed(id, path, title, link, step, parsed.alerts, lines.of("actions", number))
        for number, step in enumerate(parsed.actions)
    )
    faults = tuple(_misfits(steps, lines))
    return Read(faults=faults) if faults else Read(steps)


def _misfits(steps: tuple[TypedStep, ...], lines: Lines) -> Iterator[Fault]:
    seen: set[str] = set()
    for number, step in enumerate(steps):
        if step.name in seen:
            yield lines.fault(f"two actions are called {step.name}; policies.yaml names them, so names differ", "actions", number)
        seen.add(step.name)
        if not any(normal(alert) for alert in step.when.alerts):
            told = f"{step.name} names no alert: write `alerts` into the front matter, or `when: {{alerts: [...]}}`"
            yield lines.fault(told, "actions", number)


def _typed(id: str, path: str, title: str, link: str, step: _Step, alerts: tuple[str, ...], line: int) -> TypedStep:
    when = When(step.when.alerts or alerts, step.when.verdict, step.when.remedies, step.when.confidence)
    said = [
        step.name,
        step.kind.value,
        step.service,
        step.target,
        step.environment,
        sorted({normal(alert) for alert in when.alerts}),
        when.verdict.value,
        sorted(remedy.value for remedy in when.remedies),
        when.confidence.value,
    ]
    stamp = hashlib.sha256(json.dumps(said, separators=(",", ":")).encode()).hexdigest()[:STAMP]
    return TypedStep(
        document=id,
        path=path,
        title=title,
        link=link,
        name=step.name,
        kind=step.kind,
        service=step.service,
        target=step.target,
        environment=step.environment,
        when=when,
        line=line,
        stamp=stamp,
    )
