"""The door in a process of its own: it dies and comes back, outlives a bot that is stuck, and never one that is gone."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Message

from bot.door.orders import Orders, line_of, orders_in
from bot.door.server import Server
from bot.intake import forwarding
from bot.intake.forwarding import Forwarding
from bot.intake.grouping import Grouping
from bot.intake.meters import DoorMeters
from bot.intake.web import Porter
from bot.storage.database import SqlDatabase
from bot.storage.inbox import SqlInboxStore
from tests.fakes import FakeClock
from tests.intake.desk import doors
from tests.intake.test_kill import SECRET, Intake, Sender, body, drained, flowing, whole


async def until(true: Callable[[], bool], what: str, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, what
        await asyncio.sleep(0.02)


def lives(pid: int) -> bool:
    with suppress(ProcessLookupError):
        os.kill(pid, 0)
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return False


class Stubborn(Sender):
    """Comes again after a broken connection, as vendors do."""

    async def send(self, port: int, name: str, dead: asyncio.Event) -> None:
        """Until it is over."""
        n, headers = 0, {"authorization": f"Bearer {SECRET}"}
        while not dead.is_set():
            uid = f"{name}-{n}"
            self.sent.add(uid)
            with suppress(httpx.HTTPError):
                async with httpx.AsyncClient(headers=headers, timeout=10) as http:
                    while not dead.is_set():
                        answer = await http.post(f"http://127.0.0.1:{port}/webhooks/alertmanager", content=body(uid))
                        if answer.status_code == 202:
                            self.acknowledged.append(uid)
                            n += 1
                            uid = f"{name}-{n}"
                            self.sent.add(uid)
            await asyncio.sleep(0.05)


@pytest.mark.slow
async def test_a_door_that_dies_comes_back_and_one_whose_bot_is_stuck_or_gone_knows_what_to_do(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/tocsin.db"
    sender, intake, over = Stubborn(), Intake(url), asyncio.Event()
    port = await intake.start()
    load = [asyncio.create_task(sender.send(port, f"s{s}", over)) for s in range(4)]
    await flowing(sender, 20)
    os.kill(intake.door, signal.SIGKILL)
    before = len(sender.acknowledged)
    await flowing(sender, before + 20)
    os.kill(intake.pid, signal.SIGSTOP)
    stuck = len(sender.acknowledged)
    await flowing(sender, stuck + 20)  # nobody behind the door, and nobody waits for that
    os.kill(intake.pid, signal.SIGKILL)
    over.set()
    await asyncio.gather(*load)
    with pytest.raises(httpx.HTTPError):
        async with httpx.AsyncClient(timeout=30) as http:
            for _ in range(600):
                await http.get(f"http://127.0.0.1:{port}/healthz")
                await asyncio.sleep(0.05)
    await intake.start()
    await until(lambda: not lives_on(port), "the port is held")
    await drained(url)
    door = intake.door
    await intake.end()
    assert not lives(door), "told to stop, the bot takes its door along"
    whole(url, sender)


def lives_on(port: int) -> bool:
    """Somebody listens there."""
    needle = f":{port:04X} 00000000:0000 0A"
    return needle in Path("/proc/net/tcp").read_text()


@asynccontextmanager
async def behind(app: Starlette | None, folder: Path) -> AsyncIterator[str]:
    """A house on a Unix socket, or nobody; its socket."""
    where = str(folder / "house")
    if app is None:
        yield where
        return
    server = Server(app, where)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield where
    server.should_exit = True
    await serving


def asking(forward: Forwarding, database: SqlDatabase, clock: FakeClock) -> httpx.AsyncClient:
    meters = DoorMeters()
    grouping = Grouping(database, SqlInboxStore(), 100, lambda _: None, meters.commit.observe)
    porter = Porter(doors(), grouping, clock, forward, meters, 1000)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=porter), base_url="http://bot")


async def echo(request: Request) -> Response:
    said = f"{request.method} {request.url.path}?{request.url.query} {(await request.body()).decode()} {request.headers['x-own']}"
    return PlainTextResponse(said, 201, {"x-answer": "yes"})


async def page(_request: Request) -> Response:
    return PlainTextResponse("tocsin_parcels_total 1.0\n")


async def test_what_is_no_webhook_goes_on_and_comes_back_as_it_was(
    database: SqlDatabase, clock: FakeClock, tmp_path: Path
) -> None:
    app = Starlette(routes=[Route("/slack/events", echo, methods=["POST"]), Route("/metrics", page)])
    async with behind(app, tmp_path) as socket:
        forward = Forwarding(socket, 1000)
        async with asking(forward, database, clock) as http:
            answer = await http.post("/slack/events?a=%C3%A9", content=b"b=c", headers={"x-own": "1"})
            assert (answer.status_code, answer.headers["x-answer"]) == (201, "yes")
            assert answer.text == "POST /slack/events?a=%C3%A9 b=c 1"
            assert (await http.get("/nowhere")).status_code == 404
            large = await http.post("/slack/events", content=b"x" * 1001)
            assert (large.status_code, large.json()) == (413, {"error": "The body is larger than 1000 bytes."})
            await http.post("/webhooks/plain", content=b"{}")
            joined = (await http.get("/metrics")).text
        await forward.close()
    assert "tocsin_parcels_total 1.0\n" in joined
    assert 'tocsin_deliveries_total{connector="plain",outcome="bad signature"} 1.0' in joined
    families = [line for line in joined.splitlines() if line.startswith("# TYPE")]
    assert len(families) == len(set(families))


async def test_a_request_without_a_path_goes_nowhere(tmp_path: Path) -> None:
    said = []

    async def send(message: Message) -> None:
        said.append(message)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    forward = Forwarding(str(tmp_path / "house"), 1000)
    await forward({"type": "http", "method": "OPTIONS", "raw_path": b"*", "query_string": b"", "headers": []}, receive, send)
    await forward.close()
    assert said[0]["status"] == 400


async def test_nobody_behind_the_door_is_said_in_a_sentence(database: SqlDatabase, clock: FakeClock, tmp_path: Path) -> None:
    async with behind(None, tmp_path) as socket:
        forward = Forwarding(socket, 1000)
        async with asking(forward, database, clock) as http:
            answer = await http.get("/readyz")
        await forward.close()
    assert answer.status_code == 502
    assert "Webhooks are still taken in." in answer.json()["error"]


async def test_silence_behind_the_door_ends(
    database: SqlDatabase, clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def silent(_request: Request) -> Response:
        await asyncio.sleep(0.5)
        return Response()

    monkeypatch.setattr(forwarding, "PATIENCE", 0.1)
    async with behind(Starlette(routes=[Route("/readyz", silent)]), tmp_path) as socket:
        forward = Forwarding(socket, 1000)
        async with asking(forward, database, clock) as http:
            answer = await http.get("/readyz")
        await forward.close()
    assert answer.status_code == 504


def test_orders_arrive_whole_and_show_no_secret() -> None:
    orders = Orders("postgresql://u:hidden@db/t", {"plain": {"secret": "hidden", "topics": ["a"]}}, "/tmp/x/house", 5, 6, "INFO")
    assert orders_in(line_of(orders)) == orders
    assert "hidden" not in repr(orders)
