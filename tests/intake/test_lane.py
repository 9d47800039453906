"""A plain webhook takes the short way through the web server; whatever is not plain is answered as before, in order."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator

from starlette.types import Receive, Scope, Send

from bot.door.lane import Lane
from bot.door.server import Server, listen
from bot.errors import Unavailable
from bot.intake.grouping import Grouping
from bot.intake.meters import DoorMeters
from bot.intake.web import Porter
from bot.storage.database import SqlDatabase
from bot.storage.inbox import SqlInboxStore
from tests.fakes import FakeClock
from tests.intake.desk import SECRET, doors

PROOF = f"Authorization: Bearer {SECRET}"
MOST = 2_000


async def others(scope: Scope, _receive: Receive, send: Send) -> None:
    """The bot's own pages."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": scope["path"].encode()[:5]})


@contextlib.asynccontextmanager
async def a_door(database: SqlDatabase, clock: FakeClock, most_waiting: int = 100) -> AsyncIterator[tuple[int, Server]]:
    """A port at which the lane stands."""
    porter = Porter(doors(), Grouping(database, SqlInboxStore(), most_waiting, lambda _: None), clock, others, DoorMeters(), MOST)
    server = Server(porter, protocol=Lane)
    with listen("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        yield listener.getsockname()[1], server
        server.should_exit = True
        await serving


def a_request(body: str, *lines: str, path: str = "/webhooks/plain", method: str = "POST") -> bytes:
    """Its bytes; the length of the body is said unless the lines do."""
    length = (
        [] if any(line.lower().startswith(("content-length", "transfer")) for line in lines) else [f"Content-Length: {len(body)}"]
    )
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: here", *length, *lines, "", body]).encode()


async def answers(port: int, *pieces: bytes, pause: float = 0.0) -> list[tuple[int, str]]:
    """Status and body of each answer on one connection, which asks for its end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
        await asyncio.sleep(pause)
    writer.write(a_request("", "Connection: close", path="/last", method="GET"))
    found = []
    async with asyncio.timeout(30):
        while line := await reader.readline():
            headers = (await reader.readuntil(b"\r\n\r\n")).decode().lower().split("\r\n")
            size = next(int(h.partition(":")[2]) for h in headers if h.startswith("content-length"))
            assert [h for h in headers if h.startswith("date:")]
            found.append((int(line.split()[1]), (await reader.readexactly(size)).decode()))
    writer.close()
    assert found.pop() == (200, "/last")
    return found


def alerts(*names: str) -> str:
    return json.dumps({"alerts": names})


NEW, KNOWN = (202, '{"accepted":1}'), (202, '{"accepted":0}')


async def test_a_plain_request_is_kept_once_in_whatever_pieces_it_comes(database: SqlDatabase, clock: FakeClock) -> None:
    async with a_door(database, clock) as (port, _):
        whole = a_request(alerts("a"), PROOF, "X-Delivery: 1")
        assert await answers(port, whole) == [NEW]
        assert await answers(port, *(whole[n : n + 20] for n in range(0, len(whole), 20)), pause=0.001) == [KNOWN]
    (kept,) = database.read_now(lambda tx: SqlInboxStore().recent(tx, state=None, limit=9))
    assert kept.delivery.body == alerts("a").encode()
    assert "authorization" not in kept.delivery.headers
    assert kept.delivery.headers["x-delivery"] == "1"


async def test_answers_come_in_the_order_of_the_requests_on_a_connection(database: SqlDatabase, clock: FakeClock) -> None:
    """Of many sent at once the second and later go the general way."""
    async with a_door(database, clock) as (port, _):
        many = b"".join(
            (
                a_request(alerts("a"), PROOF),
                a_request(alerts("b")),
                a_request("", path="/page", method="GET"),
                a_request(alerts("c"), PROOF),
                a_request(alerts("a"), PROOF),
            )
        )
        found = await answers(port, many)
    assert [status for status, _ in found] == [202, 401, 200, 202, 202]
    assert (found[0], found[3], found[4]) == (NEW, NEW, KNOWN)


async def test_what_is_not_plain_goes_the_general_way(database: SqlDatabase, clock: FakeClock) -> None:
    chunked = f"5\r\n{alerts('c')[:5]}\r\n{len(alerts('c')) - 5:x}\r\n{alerts('c')[5:]}\r\n0\r\n\r\n"
    async with a_door(database, clock) as (port, _):
        assert await answers(port, a_request(chunked, PROOF, "Transfer-Encoding: chunked")) == [NEW]
        assert await answers(port, a_request(alerts("d"), PROOF, path="/webhooks/plain?team=x")) == [NEW]
        assert [s for s, _ in await answers(port, a_request(alerts("e"), PROOF, path="/webhooks/nobody"))] == [404]
        assert [s for s, _ in await answers(port, a_request("", PROOF, method="GET"))] == [405]
        assert [s for s, _ in await answers(port, a_request(alerts("f"), PROOF, "Content-Encoding: gzip"))] == [415]
        old = a_request(alerts("g"), PROOF).replace(b"HTTP/1.1", b"HTTP/1.0")
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(old)
        assert b"connection: close" in (await reader.read()).lower()
        writer.close()


async def test_the_short_way_refuses_as_the_general_one_does(database: SqlDatabase, clock: FakeClock) -> None:
    async with a_door(database, clock, most_waiting=1) as (port, _):
        wrong = await answers(
            port, a_request(alerts("a"), "Authorization: Bearer no"), a_request("", PROOF), a_request("\0[" * 99, PROOF)
        )
        assert [status for status, _ in wrong] == [401, 400, 400]
        assert [s for s, _ in await answers(port, a_request("x" * MOST, PROOF))] == [202]
        assert [s for s, _ in await answers(port, a_request(alerts("late"), PROOF))] == [503]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(a_request("x" * (MOST + 1), PROOF, "Connection: close"))
        assert b" 413 " in await reader.read()
        writer.close()


async def test_a_database_that_is_away_is_said(database: SqlDatabase, clock: FakeClock) -> None:
    async with a_door(database, clock) as (port, _):

        async def away(_work: object) -> None:
            raise Unavailable("away")

        database.keep = away  # type: ignore[method-assign,assignment]  # the disk does not answer
        assert [s for s, _ in await answers(port, a_request(alerts("a"), PROOF))] == [503]


async def test_a_server_that_ends_answers_what_it_has_taken(database: SqlDatabase, clock: FakeClock) -> None:
    async with a_door(database, clock) as (port, server):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        whole = a_request(alerts("a"), PROOF)
        writer.write(whole[:-3])
        await asyncio.sleep(0.05)
        server.should_exit = True
        await asyncio.sleep(0.2)
        writer.write(whole[-3:])
        async with asyncio.timeout(30):
            answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 202 ")
        assert b"connection: close" in answer
        writer.close()
