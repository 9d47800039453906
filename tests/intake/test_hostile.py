"""Whoever comes to the door with whatever: never a 500, never much memory, and what proves nothing is not let in."""

import gzip
import json
import time
import tracemalloc
from collections.abc import MutableMapping
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from bot.intake.inbox import Drain, Told
from bot.intake.web import Door, Porter
from bot.ports import Delivery, WebhookSettings
from bot.storage.database import SqlDatabase
from connectors import CONNECTORS
from tests.connectors.cases import SIGNERS
from tests.desk import a_desk
from tests.fakes import FakeClock
from tests.intake.desk import whole_app
from tests.postgres import on_sqlite

SECRET = "correct-horse-battery-staple"
PROOF = {"authorization": f"Bearer {SECRET}", "content-type": "application/json"}
MEGABYTE = 1024 * 1024


def _labels(count: int) -> bytes:
    labels = {f"{n:x}": 1 for n in range(count)}
    return json.dumps({"alerts": [{"labels": labels}]}, separators=(",", ":")).encode()


BOMBS = {
    "nested lists": b"[" * 500_000,
    "nested objects": b'{"a":' * 200_000,
    "a number of a million digits": b'{"alerts":[{"startsAt":' + b"9" * 1_000_000 + b"}]}",
    "a fraction of a million digits": b'{"alerts":[0.' + b"3" * 1_000_000 + b"]}",
    "100,000 labels": _labels(100_000),
    "300,000 empty alerts": b'{"alerts":[' + b"{}," * 300_000 + b"{}]}",
    "400,000 alerts that are none": b'{"alerts":[' + b"0," * 400_000 + b"0]}",
    "no UTF-8": b'{"alerts":"' + b"\xc3\x28" * 400_000 + b'"}',
    "half an emoji at the end": b'{"alerts":"' + b"x" * 900_000 + b"\xf0\x9f\x92",
    "zeros of ten megabytes": gzip.compress(b"0" * 10_000_000, mtime=0),
    "too long": b"x" * (MEGABYTE + 1),
}


@pytest.fixture
def app(database: SqlDatabase, clock: FakeClock) -> Porter:
    """Every vendor's door, each with a secret."""
    kept = WebhookSettings(secret=SecretStr(SECRET))
    doors = {c.name: Door(c, kept) for c in CONNECTORS if c.webhook is not None and c.name in SIGNERS}
    return whole_app(a_desk(database, clock), doors)


def asking(app: Porter) -> httpx.AsyncClient:
    """A client of the app; what it raises is an error of the test."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bot")


@on_sqlite
@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS)
async def test_a_bomb_is_refused_at_once_and_takes_no_room(app: Porter, bomb: bytes) -> None:
    async with asking(app) as http:
        await http.post("/webhooks/alertmanager", content=b"{}", headers=PROOF)
        tracemalloc.start()
        try:
            answer = await http.post("/webhooks/alertmanager", content=bomb, headers=PROOF)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        took = []
        for _ in range(3):
            began = time.process_time()
            await http.post("/webhooks/alertmanager", content=bomb, headers=PROOF)
            took.append(time.process_time() - began)
    assert answer.status_code in (400, 413)
    assert answer.json()["error"]
    assert peak < 20 * MEGABYTE
    assert min(took) < 0.1  # seconds of CPU


@on_sqlite
async def test_a_compressed_body_is_refused_by_name_before_it_is_unpacked(app: Porter) -> None:
    async with asking(app) as http:
        headers = {**PROOF, "content-encoding": "gzip"}
        answer = await http.post("/webhooks/alertmanager", content=gzip.compress(b"{}", mtime=0), headers=headers)
    assert answer.status_code == 415
    assert "gzip" in answer.json()["error"]


HEADERS = (
    "authorization", "content-type", "content-length", "content-encoding", "x-hub-signature-256", "x-github-event",
    "x-gitlab-token", "x-pagerduty-signature", "sentry-hook-signature", "x-amz-sns-message-type", "webhook-request-origin",
    "ce-type", "host",
)  # fmt: skip
PATHS = [*(f"/webhooks/{c.name}" for c in CONNECTORS), "/webhooks/", "/healthz", "/readyz", "/metrics", "/"]
paths = st.one_of(
    st.sampled_from(PATHS), st.text(st.characters(exclude_categories=["Cs"]), max_size=30).map("/webhooks/{}".format)
)
headers = st.dictionaries(st.sampled_from(HEADERS), st.binary(max_size=30), max_size=4)
values = st.recursive(
    st.none() | st.integers() | st.text(max_size=8),
    lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=8), v, max_size=4),
)
methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD"])


async def status_of(app: Porter, method: str, path: str, query: bytes, headers: dict[str, bytes], body: bytes) -> int:
    """What the app answers to bytes that no client would send; what it raises is an error of the test."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": quote(path).encode(), "root_path": "", "query_string": query,
        "headers": [(k.encode(), v) for k, v in headers.items()], "server": ("bot", 80), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    told: list[int] = []

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    await app(scope, receive, send)
    return told[0]


@on_sqlite
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(method=methods, path=paths, query=st.binary(max_size=30), given_headers=headers, body=st.binary(max_size=100))
async def test_no_request_is_answered_with_500(
    app: Porter, method: str, path: str, query: bytes, given_headers: dict[str, bytes], body: bytes
) -> None:
    status = await status_of(app, method, path, query, given_headers, body)
    assert status < 500 or (status == 503 and path == "/readyz")
    assert status != 202


@on_sqlite
@pytest.mark.parametrize("name", sorted(SIGNERS))
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(min_size=1, max_size=100) | values.map(lambda value: json.dumps(value).encode()))
async def test_what_is_proved_and_makes_no_sense_is_kept_or_refused_and_never_stops_the_line(
    app: Porter, database: SqlDatabase, clock: FakeClock, name: str, body: bytes
) -> None:
    delivery = Delivery(name, {"content-type": "application/json"}, body, clock())
    signed = {**delivery.headers, **SIGNERS[name](delivery, SECRET)}
    async with asking(app) as http:
        answer = await http.post(f"/webhooks/{name}", content=body, headers=signed)
    assert answer.status_code < 500
    clock.advance(minutes=5)
    drain = Drain(a_desk(database, clock), {c.name: c for c in CONNECTORS}, Told(lambda *_: None, lambda *_: None))
    while await drain.once():
        pass
    inbox = drain._desk.inbox
    assert await database.read(inbox.waiting) == 0
