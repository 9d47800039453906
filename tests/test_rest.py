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


async def test_the_words_of_a_vendor_that_refuses_are_quoted_where_they_hold_no_secret() -> None:
    async def refused(told: object) -> str:
        def answer(request: httpx.Request) -> httpx.Response:
            assert request.content == b"query=up&match%5B%5D=a&match%5B%5D=b"
            return httpx.Response(422, json=told)

        api = Rest("Acme", "https://acme.example", {"X-Key": "k3y-of-acme"}, quotes=True, transport=httpx.MockTransport(answer))
        with pytest.raises(BadPayload) as error:
            await api.send("POST", "/q", form={"query": "up", "match[]": ["a", "b"]})
        return str(error.value)

    assert "Acme answered 422 to POST /q: parse error: unexpected xyy" in await refused(
        {"error": "parse error:\n unexpected x" + "y" * 900}
    )
    assert len(await refused({"errors": ["z" * 900, "b"]})) < 260
    assert "k3y-of-acme" not in await refused({"message": "you sent k3y-of-acme"})
