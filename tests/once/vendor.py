"""Vendors in a process of their own, over their wire formats: they count every run, and do whatever can go wrong.

    python -m tests.once.vendor

A vendor belongs to a trial: `/t/<trial>/...` is its API, `/control/<trial>` makes it (POST, a `Script`), tells what it counted
(GET), and heals it (DELETE). What answers is the theatre of the deployers' contract (tests/connectors/stages.py).
"""

import asyncio
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import timedelta

import httpx

from bot.ports import Order, RunState
from tests.connectors.stage_github import DeploymentsTheatre, GitHubTheatre
from tests.connectors.stage_gitlab import GitLabTheatre
from tests.connectors.stage_jenkins import JenkinsTheatre
from tests.connectors.stages import Theatre, nothing

HANG = 1.6  # seconds; the deployers' timeout is shorter
PAST = ((9, "v42", RunState.SUCCEEDED), (6, "v43", RunState.SUCCEEDED), (3, "v44", RunState.FAILED))  # hours ago
SERVICES = ("payments", "ledger", "web")
ENDINGS = {"succeeded": RunState.SUCCEEDED, "failed": RunState.FAILED}


class ToolTheatre(Theatre):
    """What `tool.py` speaks to. With `promises` a key starts one run, whatever else is forgotten."""

    promises = False

    def starts(self, request: httpx.Request) -> bool:
        return request.url.path.startswith("/start/")

    def answer(self, request: httpx.Request) -> httpx.Response:
        verb, *words = request.url.path.strip("/").split("/")
        if verb == "start":
            service, version, key = words
            there = next((p for p in self.plays if p.order.key == key), None) if self.promises else None
            play = there or self.accept(Order(service, "production", version, key))
            return self._said(play.order.key)
        if verb == "status":
            return self._said(words[0])
        if verb == "cancel":
            for play in self.plays:
                if play.order.key == words[0] and play.state is RunState.RUNNING:
                    play.state = RunState.CANCELLED
            return self._said(words[0])
        if verb not in ("current", "versions"):
            return nothing()
        good = [p for p in reversed(self.plays) if p.state is RunState.SUCCEEDED and p.order.service == words[0]]
        if verb == "current":
            return httpx.Response(200, json={"version": good[0].order.version})
        return httpx.Response(200, json=[{"version": p.order.version} for p in good])

    def _said(self, key: str) -> httpx.Response:
        play = next((p for p in self.plays if p.order.key == key), None)
        if play is None:
            return httpx.Response(200, json={"status": "unknown"})
        return httpx.Response(200, json={"run": str(play.id), "status": play.state.value, "version": play.order.version})


class PromisingTheatre(ToolTheatre):
    """One run per key, for good."""

    promises = True


THEATRES: dict[str, Callable[[], Theatre]] = {
    "workflow": GitHubTheatre,
    "deployments": DeploymentsTheatre,
    "jenkins": JenkinsTheatre,
    "gitlab": GitLabTheatre,
    "plain": ToolTheatre,
    "promising": PromisingTheatre,
    "lying": ToolTheatre,  # its settings promise one run per key
}


@dataclass(frozen=True)
class Script:
    """What a vendor does in one trial.

    `starts` befall the first starts, one each: "" all is well, "slow", "hang" (accepts, answers never), "cut" and "truncated"
    (accepts, the connection breaks), "500" (accepts and says that it broke), "429", "422" and "503" (accepts nothing), "lost"
    (accepts nothing and never answers). Between `down` seconds after the first start, questions are answered with 503.
    `late`: seconds in which a new run is not told of. `forgets`: the job is lost so many seconds after it was accepted, and
    nothing came of it. A run takes `seconds` and `ends` like that; with `failing` those of this service fail, and no others.
    """

    nature: str
    starts: tuple[str, ...] = ()
    seconds: float = 0.2
    ends: str = "succeeded"
    down: tuple[float, float] | None = None
    late: float = 0.0
    forgets: float | None = None
    failing: str = ""

    def end_of(self, service: str) -> str:
        """How a run of this service ends."""
        return self.ends if not self.failing else "failed" if service == self.failing else "succeeded"


@dataclass
class Counted:
    """What a vendor tells of itself: the keys of all runs it ever started, the runs by service and version, what it knows now."""

    started: list[str] = field(default_factory=list)
    by_version: dict[str, int] = field(default_factory=dict)
    knows: dict[str, str] = field(default_factory=dict)
    overlapping: list[str] = field(default_factory=list)  # keys that were started while another run was going on
    told: list[str] = field(default_factory=list)  # since the last start, the last first: "well", "503", "late", "forgotten"
    troubles: list[str] = field(default_factory=list)


class Vendor:
    """The vendor of one trial."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.theatre = THEATRES[script.nature]()
        self.healed = False
        self.began: float | None = None  # the first start
        self.born: dict[str, float] = {}
        self.by_version: Counter[str] = Counter()
        self.troubles: list[str] = []
        self.told: list[str] = []
        self.lost: set[str] = set()
        self.overlapping: list[str] = []
        for (hours, version, state), service in itertools.product(PAST, SERVICES):
            past = Order(service, "production", version, f"past-{service}-{version}")
            self.theatre.remember(past, state, timedelta(hours=hours))

    async def answer(self, request: httpx.Request) -> httpx.Response | None:
        """What it says; None: the connection breaks."""
        self._go_on()
        if self.theatre.starts(request):
            return await self._start(request)
        now = time.monotonic()
        if self._down(now):
            self.told.append("503")
            return httpx.Response(503, json={"message": "down"})
        return self._told(request, now)

    def _told(self, request: httpx.Request, now: float) -> httpx.Response:
        young = [k for k, at in self.born.items() if now - at < self.script.late] if not self.healed else []
        hidden = [p for p in self.theatre.plays if p.order.key in young]
        everything = self.theatre.plays
        self.theatre.plays = [p for p in everything if p not in hidden]
        try:
            self.told.append("late" if hidden else "forgotten" if self.lost else "well")
            return self.theatre.answer(request)
        finally:
            self.theatre.plays = everything

    async def _start(self, request: httpx.Request) -> httpx.Response | None:
        self.began = self.began or time.monotonic()
        self.told.clear()
        number = len(self.troubles)
        trouble = self.script.starts[number] if number < len(self.script.starts) else ""
        self.troubles.append(trouble)
        if trouble in ("429", "422", "503"):
            return httpx.Response(int(trouble), json={"message": "no"}, headers={"retry-after": "1"} if trouble == "429" else {})
        if trouble == "lost":
            await asyncio.sleep(HANG)
            return None
        if trouble == "slow":
            await asyncio.sleep(0.4)
        before = len(self.theatre.plays)
        said = self.theatre.answer(request)
        for play in self.theatre.plays[before:]:
            if any(p.state is RunState.RUNNING for p in self.theatre.plays if p is not play):
                self.overlapping.append(play.order.key)
            self.born[play.order.key] = time.monotonic()
            self.by_version[f"{play.order.service} {play.order.version}"] += 1
        if trouble == "hang":
            await asyncio.sleep(HANG)
            return None
        if trouble == "cut":
            return None
        if trouble == "truncated":
            return httpx.Response(said.status_code, content=b'{"id": 7', headers={"x-cut": "yes"})
        return httpx.Response(500, json={"message": "broke"}) if trouble == "500" else said

    def _down(self, now: float) -> bool:
        down = self.script.down
        return bool(down and self.began and not self.healed and down[0] <= now - self.began < down[1])

    def _go_on(self) -> None:
        """Time has passed: runs end, jobs are lost."""
        now = time.monotonic()
        for key, at in self.born.items():
            play = next((p for p in self.theatre.plays if p.order.key == key), None)
            if play is None:
                continue
            if self.script.forgets is not None and now - at >= self.script.forgets:
                self.theatre.forget(key)
                self.lost.add(key)
            elif play.state is RunState.RUNNING and now - at >= self.script.seconds:
                play.state = ENDINGS[self.script.end_of(play.order.service)]

    def counted(self) -> Counted:
        """What it counted."""
        self._go_on()
        return Counted(
            list(self.theatre.started),
            dict(self.by_version),
            {p.order.key: p.state.value for p in self.theatre.plays if p.order.key in self.born},
            self.overlapping,
            self.told[::-1][:40],
            self.troubles,
        )


class Door:
    """All vendors behind one port."""

    def __init__(self) -> None:
        self.vendors: dict[str, Vendor] = {}

    async def served(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request per connection."""
        try:
            answer = await self._heard(reader)
            if answer is not None:
                writer.write(written(answer))
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _heard(self, reader: asyncio.StreamReader) -> httpx.Response | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.strip().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        _, room, name, *rest = target.split("/", 3)
        if room == "control":
            return self._control(method, name, body)
        vendor = self.vendors.get(name)
        if vendor is None:
            return nothing()
        kept = {k: v for k, v in headers.items() if k in ("content-type", "authorization")}
        path = f"https://vendor.example/{rest[0] if rest else ''}"
        return await vendor.answer(httpx.Request(method, path, headers=kept, content=body))

    def _control(self, method: str, name: str, body: bytes) -> httpx.Response:
        if method == "POST":
            given = json.loads(body)
            down = tuple(given["down"]) if given["down"] else None
            self.vendors[name] = Vendor(Script(**{**given, "starts": tuple(given["starts"]), "down": down}))
        if method == "DELETE":
            self.vendors[name].healed = True
        return httpx.Response(200, json=asdict(self.vendors[name].counted()))


def written(answer: httpx.Response) -> bytes:
    """A response as bytes; one that is cut says more than it holds."""
    length = len(answer.content) + (50 if "x-cut" in answer.headers else 0)
    kept = {k: v for k, v in answer.headers.items() if k in ("content-type", "location", "retry-after", "set-cookie")}
    lines = [f"HTTP/1.1 {answer.status_code} {answer.reason_phrase}", f"content-length: {length}", "connection: close"]
    lines += [f"{name}: {value}" for name, value in kept.items()]
    return "\r\n".join([*lines, "", ""]).encode() + answer.content


def main() -> None:
    """Says its port, and serves until stdin closes."""
    asyncio.run(_serve())


async def _serve() -> None:
    door = Door()
    server = await asyncio.start_server(door.served, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    main()
