"""The web door: who is let in, what is said to those who are not, and that 202 means kept."""

import asyncio
import gzip
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import httpx
import pytest

from bot.errors import BadSignature, Unavailable
from bot.intake.meters import Meters
from bot.intake.web import Porter
from bot.ports import Delivery, Parcel, Reply, Transaction
from bot.storage.database import SqlDatabase
from bot.storage.inbox import SqlInboxStore
from tests.fakes import FakeClock
from tests.intake.desk import SECRET, a_desk, doors, whole_app

T = TypeVar("T")
PROOF = {"authorization": f"Bearer {SECRET}"}


def client(app: Porter) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://bot")


def kept(database: SqlDatabase) -> list[Parcel]:
    return database.read_now(lambda tx: SqlInboxStore().recent(tx, state=None, limit=1000))


async def test_an_accepted_delivery_is_kept_whole_but_without_its_proof(database: SqlDatabase, clock: FakeClock) -> None:
    app = whole_app(a_desk(database, clock), doors())
    headers = {**PROOF, "x-event": "push", "x-hub-signature-256": "sha256=ab", "cookie": "c=1"}
    async with client(app) as http:
        answer = await http.post("/webhooks/plain?team=a&token=t0p", content=b'{"alerts":["a"]}', headers=headers)
    assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
    (parcel,) = kept(database)
    assert parcel.delivery.body == b'{"alerts":["a"]}'
    assert parcel.delivery.received_at == clock()
    assert parcel.delivery.headers["x-event"] == "push"
    assert parcel.delivery.query == {"team": "a"}
    assert not {"authorization", "cookie", "x-hub-signature-256"} & set(parcel.delivery.headers)


async def test_the_same_delivery_twice_is_kept_once(database: SqlDatabase, clock: FakeClock) -> None:
    app = whole_app(a_desk(database, clock), doors())
    async with client(app) as http:
        sent = [http.post("/webhooks/plain", content=b'{"alerts":["a"]}', headers=PROOF) for _ in range(8)]
        answers = await asyncio.gather(*sent)
        again = await http.post("/webhooks/plain", content=b'{"alerts":["a"]}', headers=PROOF)
        named = {**PROOF, "x-delivery": "1"}
        for body in (b"{}", b'{"other": 1}'):
            last = await http.post("/webhooks/plain", content=body, headers=named)
    assert [a.status_code for a in (*answers, again, last)] == [202] * 10
    assert sum(a.json()["accepted"] for a in answers) == 1
    assert again.json() == last.json() == {"accepted": 0}
    assert len(kept(database)) == 2


@pytest.mark.parametrize(
    ("path", "body", "headers", "status", "words"),
    [
        ("/webhooks/nobody", b"{}", PROOF, 404, "these take webhooks: plain."),
        ("/webhooks/deaf", b"{}", PROOF, 404, "these take webhooks: plain."),
        ("/webhooks/plain", b"{}", {}, 401, "does not prove who sent it"),
        ("/webhooks/plain", b"{}", {"authorization": "Bearer wrong"}, 401, "does not prove who sent it"),
        ("/webhooks/plain", b"x" * 3000, PROOF, 413, "larger than 2000 bytes"),
        ("/webhooks/plain", b"\xff", PROOF, 400, "not UTF-8"),
        ("/webhooks/plain", gzip.compress(b"{}", mtime=0), PROOF, 400, "not UTF-8"),
        ("/webhooks/plain", b"[" * 1000, PROOF, 400, "nested deeper"),
        ("/webhooks/plain", b"", PROOF, 400, "empty"),
    ],
)
async def test_what_is_not_let_in_is_told_why_and_leaves_nothing(
    database: SqlDatabase, clock: FakeClock, path: str, body: bytes, headers: dict[str, str], status: int, words: str
) -> None:
    app = whole_app(a_desk(database, clock), doors(), most_bytes=2000)
    async with client(app) as http:
        answer = await http.post(path, content=body, headers=headers)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert SECRET not in answer.text
    assert kept(database) == []


async def test_a_body_that_hides_its_length_is_cut_off_too(database: SqlDatabase, clock: FakeClock) -> None:
    async def stream() -> Any:
        for _ in range(10):
            yield b"x" * 1000

    app = whole_app(a_desk(database, clock), doors(), most_bytes=2000)
    async with client(app) as http:
        answer = await http.post("/webhooks/plain", content=stream(), headers=PROOF)
    assert answer.status_code == 413


async def test_a_truncated_json_body_is_kept_since_only_a_parser_may_judge_it(database: SqlDatabase, clock: FakeClock) -> None:
    app = whole_app(a_desk(database, clock), doors())
    async with client(app) as http:
        answer = await http.post("/webhooks/plain", content=b'{"alerts": ["a', headers=PROOF)
    assert answer.status_code == 202
    assert len(kept(database)) == 1


async def test_without_a_secret_nobody_is_let_in_unless_that_is_allowed(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock)
    async with client(whole_app(desk, doors(secret=None))) as http:
        answer = await http.post("/webhooks/plain", content=b"{}")
    assert answer.status_code == 403
    assert "Set TOCSIN_PLAIN_SECRET, or allow_unsigned = true under [connectors.plain]" in answer.json()["error"]
    async with client(whole_app(desk, doors(secret=None, allow_unsigned=True))) as http:
        assert (await http.post("/webhooks/plain", content=b"{}")).status_code == 202


async def test_unsigned_is_no_way_around_a_secret_that_is_set(database: SqlDatabase, clock: FakeClock) -> None:
    async with client(whole_app(a_desk(database, clock), doors(allow_unsigned=True))) as http:
        assert (await http.post("/webhooks/plain", content=b"{}")).status_code == 401


async def test_a_full_inbox_asks_to_come_again_and_keeps_nothing_of_it(database: SqlDatabase, clock: FakeClock) -> None:
    app = whole_app(a_desk(database, clock), doors(), most_waiting=5)
    async with client(app) as http:
        bodies = [json.dumps({"alerts": [f"{n}"]}).encode() for n in range(12)]
        answers = await asyncio.gather(*(http.post("/webhooks/plain", content=b, headers=PROOF) for b in bodies))
        later = await http.post("/webhooks/plain", content=b"{}", headers=PROOF)
    accepted = [a for a in answers if a.status_code == 202]
    assert len(accepted) == len(kept(database)) == 5
    assert {a.status_code for a in answers} == {202, 503}
    assert later.status_code == 503
    assert later.headers["retry-after"] == "5"


async def test_a_full_inbox_takes_again_once_there_is_room(database: SqlDatabase, clock: FakeClock) -> None:
    app = whole_app(a_desk(database, clock), doors(), most_waiting=1)
    async with client(app) as http:
        await http.post("/webhooks/plain", content=b"1", headers=PROOF)
        assert (await http.post("/webhooks/plain", content=b"2", headers=PROOF)).status_code == 503
        inbox, (parcel,) = SqlInboxStore(), kept(database)
        done = Parcel(parcel.id, parcel.delivery, "done")
        await database.write(lambda tx: inbox.finish(tx, [done]))
        await asyncio.sleep(0.3)
        again = await http.post("/webhooks/plain", content=b"2", headers=PROOF)
    assert (again.status_code, again.json()) == (202, {"accepted": 1}), "what was refused is no duplicate when it comes again"


class Counted:
    """A database that counts its commits and can be away."""

    def __init__(self, real: SqlDatabase) -> None:
        self._real = real
        self.writes = 0
        self.away = False

    async def keep(self, work: Callable[[Transaction], T]) -> T:
        self.writes += 1
        if self.away:
            raise Unavailable("away")
        return await self._real.keep(work)

    async def read(self, work: Callable[[Transaction], T]) -> T:
        if self.away:
            raise Unavailable("away")
        return await self._real.read(work)


async def test_many_requests_share_a_commit(database: SqlDatabase, clock: FakeClock) -> None:
    counted = Counted(database)
    app = whole_app(a_desk(counted, clock), doors())
    async with client(app) as http:
        bodies = [json.dumps({"alerts": [f"{n}"]}).encode() for n in range(100)]
        answers = await asyncio.gather(*(http.post("/webhooks/plain", content=b, headers=PROOF) for b in bodies))
    assert {a.status_code for a in answers} == {202}
    assert len(kept(database)) == 100
    assert counted.writes < 50


async def test_while_the_database_is_away_senders_are_asked_to_come_again(database: SqlDatabase, clock: FakeClock) -> None:
    counted = Counted(database)
    counted.away = True
    app = whole_app(a_desk(counted, clock), doors())
    async with client(app) as http:
        answer = await http.post("/webhooks/plain", content=b"{}", headers=PROOF)
        ready = await http.get("/readyz")
        counted.away = False
        after = await http.post("/webhooks/plain", content=b"{}", headers=PROOF)
    assert (answer.status_code, answer.headers["retry-after"], after.status_code) == (503, "5", 202)
    assert (ready.status_code, ready.json()["failing"]) == (503, ["database"])


async def test_arrivals_are_announced_once_they_are_on_disk(database: SqlDatabase, clock: FakeClock) -> None:
    seen: list[tuple[int, int]] = []
    app = whole_app(a_desk(database, clock), doors(), arrived=lambda new: seen.append((new, len(kept(database)))))
    async with client(app) as http:
        await http.post("/webhooks/plain", content=b"1", headers=PROOF)
        await http.post("/webhooks/plain", content=b"1", headers=PROOF)
    assert seen == [(1, 1)]


async def test_health_readiness_and_counters(database: SqlDatabase, clock: FakeClock) -> None:
    works = {"worker": True}
    meters = Meters()
    meters.watch("tocsin_work_waiting", "Items of durable work that wait.", "queue", lambda: {"slack": 3.0})
    app = whole_app(a_desk(database, clock), doors(), meters=meters, probes={"worker": lambda: works["worker"]})
    async with client(app) as http:
        assert (await http.get("/healthz")).json() == {"status": "ok"}
        assert (await http.get("/readyz")).status_code == 200
        works["worker"] = False
        assert (await http.get("/readyz")).json() == {"status": "not ready", "failing": ["worker"]}
        await http.post("/webhooks/plain", content=b"1", headers=PROOF)
        await http.post("/webhooks/plain", content=b"1", headers=PROOF)
        await http.post("/webhooks/plain", content=b"1")
        await http.post("/webhooks/%3Cscript%3E", content=b"1")
        page = (await http.get("/metrics")).text
    for line in (
        'tocsin_deliveries_total{connector="plain",outcome="accepted"} 1.0',
        'tocsin_deliveries_total{connector="plain",outcome="duplicate"} 1.0',
        'tocsin_deliveries_total{connector="plain",outcome="bad signature"} 1.0',
        'tocsin_deliveries_total{connector="unknown",outcome="unknown connector"} 1.0',
        "tocsin_inbox_waiting 1.0",
        'tocsin_work_waiting{queue="slack"} 3.0',
    ):
        assert line in page
    assert "script" not in page


class Greeter:
    """A vendor that asks first: OPTIONS is answered, a POST that says hello is no delivery, one may need somebody who is away."""

    async def greet(self, method: str, delivery: Delivery, secrets: Sequence[str]) -> Reply | None:
        if method == "OPTIONS":
            return Reply(headers={"webhook-allowed-origin": delivery.headers["webhook-request-origin"]})
        if delivery.body == b'{"hello":1}' and delivery.headers.get("authorization") != f"Bearer {secrets[0]}":
            raise BadSignature("a stranger says hello")
        if delivery.body == b'{"away":1}':
            raise Unavailable("The vendor is away.")
        return Reply(body=b'{"hello":"you"}') if delivery.body == b'{"hello":1}' else None

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        doors()["plain"].connector.webhook.verify(delivery, secrets)  # type: ignore[union-attr]  # the plain one has a webhook

    def delivery_id(self, _delivery: Delivery) -> str:
        return ""

    def parse(self, _delivery: Delivery) -> tuple[()]:
        return ()


async def test_a_vendor_that_asks_first_is_answered_and_nothing_of_it_is_kept(database: SqlDatabase, clock: FakeClock) -> None:
    plain = doors()["plain"]
    asking = {"plain": replace(plain, connector=replace(plain.connector, webhook=Greeter()))}
    async with client(whole_app(a_desk(database, clock), asking)) as http:
        asked = await http.options("/webhooks/plain", headers={"webhook-request-origin": "events.example"})
        hello = await http.post("/webhooks/plain", content=b'{"hello":1}', headers=PROOF)
        stranger = await http.post("/webhooks/plain", content=b'{"hello":1}')
        away = await http.post("/webhooks/plain", content=b'{"away":1}', headers=PROOF)
        assert kept(database) == []
        usual = await http.post("/webhooks/plain", content=b'{"alerts":["a"]}', headers=PROOF)
    assert (asked.status_code, asked.headers["webhook-allowed-origin"]) == (200, "events.example")
    assert (hello.status_code, hello.json()) == (200, {"hello": "you"})
    assert stranger.status_code == 401
    assert (away.status_code, away.headers["retry-after"]) == (503, "5")
    assert usual.status_code == 202
    assert len(kept(database)) == 1


async def test_who_asks_a_vendor_that_has_no_questions_is_told_to_post(database: SqlDatabase, clock: FakeClock) -> None:
    async with client(whole_app(a_desk(database, clock), doors())) as http:
        answer = await http.options("/webhooks/plain")
        nobody = await http.options("/webhooks/nobody")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert nobody.status_code == 404
