"""The door for an executor: whoever has the key gets errands by HTTPS as from the database, and nobody else gets a word."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from starlette.applications import Starlette

from bot.domain.errand import START, ErrandKind
from bot.errors import BadSettings, Unavailable
from bot.executor.https import HttpsMailbox, checked_url
from bot.executor.keys import Signer
from bot.executor.letters import Letter, sealed
from bot.intake.errands import MOST_BYTES, errand_routes
from bot.ports import Order, RunState
from bot.storage.database import SqlDatabase
from tests.actions.estate import FakeDeployer
from tests.executor.room import PRIVATE, STORE, an_executor, bench, now, remote

KEY = "the-key-of-this-test"
ORDER = Order("payments", "production", "v42", "a1", "v42-sha")
BOT = "http://127.0.0.1:8400"


@pytest.fixture
def transport(database: SqlDatabase) -> httpx.ASGITransport:
    return httpx.ASGITransport(app=Starlette(routes=errand_routes(database, STORE, now, KEY)))


@pytest.fixture
async def http(transport: httpx.ASGITransport) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=transport, base_url=BOT) as client:
        yield client


def box(transport: httpx.ASGITransport, key: str = KEY, name: str = "exe-1") -> HttpsMailbox:
    return HttpsMailbox(BOT, key, name, ("shop",), transport)


async def test_an_executor_works_through_the_door_as_on_the_database(
    database: SqlDatabase, transport: httpx.ASGITransport
) -> None:
    vendor, here = FakeDeployer(), remote(database)
    async with an_executor(box(transport), bench(vendor)):
        assert (await here.current("payments", "production")).version == "v43"
        assert (await here.start(ORDER)).state is RunState.SUCCEEDED
    assert vendor.runs == ["a1"]
    assert [p.deployers for p in database.read_now(STORE.presences)] == [("shop",)]


async def test_of_a_reply_that_was_lost_it_is_asked_again_and_begins_once(
    database: SqlDatabase, transport: httpx.ASGITransport
) -> None:
    letter = Letter(START + "a1", ErrandKind.START, "shop", now(), now() + timedelta(minutes=2))
    await database.write(lambda tx: STORE.post(tx, sealed(letter, Signer(PRIVATE))))
    mine, other = box(transport), box(transport, name="exe-2")
    taken = await mine.take(0)
    assert taken is not None
    assert await other.take(0) is None
    assert await other.begin(taken) is None
    begun = await mine.begin(taken)
    assert await mine.begin(taken) == begun  # its reply was lost
    assert begun is not None
    assert await mine.keep(begun) is not None
    assert await mine.answer(taken, "{}") is False  # of a version that is past
    assert (await mine.answer(begun, "{}"), await mine.answer(begun, "{}")) == (True, True)
    assert await other.answer(begun, "{}") is False


async def test_to_be_reached_is_no_sign_of_life(transport: httpx.ASGITransport, database: SqlDatabase) -> None:
    await box(transport).reach()
    assert database.read_now(STORE.presences) == ()
    await box(transport).hello()
    assert [p.name for p in database.read_now(STORE.presences)] == ["exe-1"]


async def test_without_the_key_nothing_is_said(http: httpx.AsyncClient) -> None:
    for proof in ("", KEY, f"Bearer {KEY}x", "Bearer ", f"bearer {KEY}", "Bearer \xe4"):
        headers = [(b"authorization", proof.encode("latin-1"))] if proof else []
        for path in ("reach", "hello", "next", "begun", "kept", "answered"):
            answer = await http.post(f"/executor/{path}", json={"executor": "x"}, headers=headers)
            assert (answer.status_code, answer.json()) == (401, {"error": "The key is not that of an executor."}), (path, proof)


async def test_what_is_no_request_is_refused(http: httpx.AsyncClient) -> None:
    wrong = {
        b"": 400,
        b"[]": 400,
        b'{"executor":1}': 400,
        b'{"executor":""}': 400,
        json.dumps({"executor": "x" * 201}).encode(): 400,
        json.dumps({"executor": "x", "deployers": ["d"] * 201}).encode(): 400,
        b"x" * (MOST_BYTES + 1): 413,
    }
    for body, status in wrong.items():
        answer = await http.post("/executor/next", content=body, headers={"authorization": f"Bearer {KEY}"})
        assert answer.status_code == status, body[:40]


async def test_what_is_not_there_is_nobodys(http: httpx.AsyncClient) -> None:
    headers = {"authorization": f"Bearer {KEY}"}
    for path, said in (("begun", {"errand": None}), ("kept", {"errand": None}), ("answered", {"done": False})):
        answer = await http.post(f"/executor/{path}", json={"executor": "x", "id": "start:z", "version": 1}, headers=headers)
        assert answer.json() == said


async def test_a_wrong_key_is_told_as_what_it_is(transport: httpx.ASGITransport) -> None:
    with pytest.raises(Unavailable, match="its \\[executor\\] key is not the bot's"):
        await box(transport, key="another").hello()


async def test_a_bot_that_takes_no_executor_is_told_as_that() -> None:
    nothing = httpx.ASGITransport(app=Starlette(routes=[]))
    with pytest.raises(Unavailable, match="The bot takes no executor"):
        await box(nothing).hello()


@pytest.mark.parametrize("url", ["https://tocsin.example.com", "http://127.0.0.1:8400", "http://localhost:1", "http://[::1]:1"])
def test_a_good_address_is_taken(url: str) -> None:
    assert checked_url(url) == url


@pytest.mark.parametrize(
    "url",
    ["http://tocsin.example.com", "http://10.0.0.1:8400", "ftp://x", "tocsin", "https://a:b@c", "http://127.0.0.1.example.com"],
)
def test_an_address_at_which_the_key_would_go_in_the_clear_is_refused(url: str) -> None:
    with pytest.raises(BadSettings):
        checked_url(url)
