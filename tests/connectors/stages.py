"""Vendors that deploy, as fakes that speak their wire formats over httpx; each is one `Stage` of the deployers' contract.

To add a deployer, write a `Theatre` for it and add one record to STAGES. Whatever a theatre answers is in the format that the
vendor documents; what it does not know is 404.
"""

import itertools
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Self

import httpx
import pytest

from bot.ports import Deployer, Order, RunState
from tests.fakes import NOON

SECRET = "s3cr3t-t0ken-value"


class Trouble(StrEnum):
    """What befalls the next request that starts something."""

    UNREACHABLE = "no connection"
    LOST_BEFORE = "the request is lost"
    LOST_AFTER = "the vendor accepts, the answer is lost"
    BROKEN = "the vendor accepts, the connection breaks"
    TRUNCATED = "the vendor accepts, the answer is cut"


ACCEPTED = (Trouble.LOST_AFTER, Trouble.BROKEN, Trouble.TRUNCATED)


class Promise(StrEnum):
    """What not every vendor can give; a stage that lacks one says why, and the contract's report shows it."""

    NOTHING = "it can say that nothing ran yet"
    SIDE_BY_SIDE = "a second key starts a run while the first one's still runs"
    REMEMBERS = "a key is known after another one ran"
    LINK = "a run has a page"
    STATUSES = "orders and questions are answered with an HTTP status"
    UNREACHABLE = "an order can be unreachable although a question was not"
    CUT_ANSWER = "an answer to an order can break off"


@dataclass
class Play:
    """A run that the vendor has."""

    id: int
    order: Order
    state: RunState
    at: datetime


class Theatre(ABC):
    """A vendor in memory.

    `trouble` befalls the next start; `refusal` answers every start, `down` every request. `weak`: the token may only read.
    `asked` is every request, `rehearsed` counts the dry runs that were carried out; they start nothing.
    """

    def __init__(self) -> None:
        self._started: list[str] = []
        self.plays: list[Play] = []
        self.trouble: Trouble | None = None
        self.refusal: tuple[int, Mapping[str, str]] | None = None
        self.down: tuple[int, Mapping[str, str]] | None = None
        self.weak = False
        self.rehearsed = 0
        self.asked: list[httpx.Request] = []
        self._ids = itertools.count(71)

    async def __aenter__(self) -> Self:
        """It can be asked."""
        return self

    async def __aexit__(self, *_: object) -> None:  # noqa: B027  most vendors in memory have nothing to end
        """It is gone, with all that ran for it."""

    @property
    def started(self) -> list[str]:
        """The keys of the runs that were really started, in order."""
        return self._started

    @property
    def only_asked(self) -> bool:
        """Whether every request was a question."""
        return {request.method for request in self.asked} <= {"GET"}

    @property
    def untouched(self) -> bool:
        """Whether there was no request at all."""
        return not self.asked

    @property
    def transport(self) -> httpx.MockTransport:
        """What the deployer speaks over."""
        return httpx.MockTransport(self.handle)

    @abstractmethod
    def starts(self, request: httpx.Request) -> bool:
        """The request starts a run."""

    @abstractmethod
    def answer(self, request: httpx.Request) -> httpx.Response:
        """What the vendor says."""

    def accept(self, order: Order) -> Play:
        """A run of this order is started."""
        self._started.append(order.key)
        return self.remember(order, RunState.RUNNING)

    def remember(self, order: Order, state: RunState, ago: timedelta = timedelta()) -> Play:
        """A run that there is, however it came to be; the last one is the newest."""
        self.plays.append(Play(next(self._ids), order, state, NOON - ago))
        return self.plays[-1]

    def finish(self, key: str, state: RunState) -> None:
        """The run of this key ended like that."""
        next(p for p in self.plays if p.order.key == key).state = state

    def forget(self, key: str) -> None:
        """The vendor lost the run."""
        self.plays = [p for p in self.plays if p.order.key != key]

    def play(self, id: str) -> Play | None:
        """The run with this id."""
        return next((p for p in self.plays if str(p.id) == id), None)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """The answer, or what an HTTP client raises where none comes."""
        self.asked.append(request)
        if self.down is not None:
            return turned_away(*self.down)
        if not self.starts(request):
            return self.answer(request)
        if self.refusal is not None:
            return turned_away(*self.refusal)
        trouble, self.trouble = self.trouble, None
        if trouble is Trouble.UNREACHABLE:
            raise httpx.ConnectError(f"no route, and {SECRET}")
        if trouble is Trouble.LOST_BEFORE:
            raise httpx.ReadTimeout("nothing came")
        told = self.answer(request)
        if trouble is Trouble.LOST_AFTER:
            raise httpx.ReadTimeout("nothing came")
        if trouble is Trouble.BROKEN:
            raise httpx.RemoteProtocolError("peer closed the connection")
        if trouble is Trouble.TRUNCATED:
            return httpx.Response(told.status_code, content=b'{"id": 7')
        return told


def turned_away(status: int, headers: Mapping[str, str]) -> httpx.Response:
    """A refusal whose words hold our secret, as those of careless proxies do."""
    return httpx.Response(status, headers=dict(headers), json={"message": f"refused {SECRET}"})


def nothing() -> httpx.Response:
    """What is not there."""
    return httpx.Response(404, json={"message": "Not Found"})


def body_of(request: httpx.Request) -> dict[str, object]:
    """The JSON object of a request."""
    read = json.loads(request.content)
    assert isinstance(read, dict)
    return read


def fenced(page: str, language: str) -> list[str]:
    """The code of this language on a page of the docs."""
    text = (Path(__file__).parents[2] / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Stage:
    """One deployer under the contract: its vendor, and how it is made of it."""

    name: str
    theatre: Callable[[], Theatre]
    deployer: Callable[[Theatre], Deployer]
    runs: tuple[str, timedelta] = ("v43", timedelta(hours=6))  # what `history` of the contract leaves running, and since when
    ran: tuple[tuple[str, bool | None], ...] = (("v44", False), ("v43", None), ("v42", None))
    lacks: Mapping[Promise, str] = field(default_factory=dict)
    troubles: tuple[Trouble, ...] = tuple(Trouble)
    slow: bool = False  # it waits for real processes or timeouts
    rehearses: bool = False  # its vendor can be asked for a dry run, and `starts` is true of that request too

    def __str__(self) -> str:
        return self.name

    @property
    def wire(self) -> bool:
        """It is played in memory or over a socket, not by processes."""
        return Promise.STATUSES not in self.lacks

    def needs(self, promise: Promise) -> None:
        """The rest of the test is not for a stage that lacks the promise."""
        if why := self.lacks.get(promise):
            pytest.skip(f"{self} does not promise that {promise}: {why}")
