"""What vendors answer is held to a size, packed or not."""

import gzip

import httpx
import pytest

from bot.errors import BadPayload
from bot.rest import Rest

BOMB = gzip.compress(gzip.compress(bytes(30_000_000)))


@pytest.mark.parametrize("packed", ["gzip, gzip", "zstd"])
async def test_an_answer_that_is_packed_as_nobody_asked_is_not_unpacked(packed: str) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        assert request.headers["accept-encoding"] == "gzip"
        return httpx.Response(200, headers={"content-encoding": packed}, stream=httpx.ByteStream(BOMB))

    with pytest.raises(BadPayload, match="packed as"):
        await Rest("Acme", "https://acme.example", {}, transport=httpx.MockTransport(answer)).get("/a")


async def test_an_answer_that_is_packed_once_is_read() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(gzip.compress(b'{"a": 1}')))

    node = await Rest("Acme", "https://acme.example", {}, transport=httpx.MockTransport(answer)).get("/a")
    assert node["a"].value == 1
