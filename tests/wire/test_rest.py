"""What vendors answer is held to a size, packed or not."""

import asyncio
import gzip
import ssl
import time
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.errors import BadPayload, NotAllowed, NotFound, NotStarted, Unavailable
from bot.wire import rest
from bot.wire.rest import Rest

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


def api(answer: object) -> Rest:
    def handle(_: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, httpx.Response)
        return answer

    return Rest("Acme", "https://acme.example", {"X-Key": "k3y-of-acme"}, transport=httpx.MockTransport(handle))


async def test_an_order_is_answered_with_json_and_headers() -> None:
    told = await api(httpx.Response(201, json={"id": 7}, headers={"Location": "/queue/7"})).order("/start")
    assert (told.said["id"].value, told.headers["location"]) == (7, "/queue/7")
    assert (await api(httpx.Response(204)).order("/start")).said.value is None


@pytest.mark.parametrize(
    "unknown",
    [
        httpx.ReadTimeout("k3y-of-acme"),
        httpx.WriteError("k3y-of-acme"),
        httpx.RemoteProtocolError("k3y-of-acme"),
        httpx.Response(200, content=b'{"id": '),
        httpx.Response(201, content=b"<html>"),
        httpx.Response(200, headers={"content-encoding": "zstd"}, stream=httpx.ByteStream(b"x")),
        httpx.Response(500),
        httpx.Response(503, headers={"retry-after": "5"}),
        httpx.Response(504),
    ],
    ids=str,
)
async def test_of_an_order_whose_answer_says_nothing_nobody_claims_to_know(unknown: object) -> None:
    with pytest.raises(Unavailable) as error:
        await api(unknown).order("/start")
    assert "k3y-of-acme" not in str(error.value)


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (httpx.ConnectError("no"), NotStarted),
        (httpx.ConnectTimeout("no"), NotStarted),
        (httpx.Response(429, headers={"retry-after": "9"}), NotStarted),
        (httpx.Response(403, headers={"x-ratelimit-remaining": "0"}), NotStarted),
        (httpx.Response(403), NotAllowed),
        (httpx.Response(404), NotFound),
        (httpx.Response(302), BadPayload),
        (httpx.Response(422), BadPayload),
    ],
    ids=str,
)
async def test_an_order_that_was_turned_away_or_never_sent_was_not_done(refusal: object, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        await api(refusal).order("/start")


async def test_when_a_ration_begins_anew_is_the_pause_that_is_asked_for() -> None:
    spent = {"x-ratelimit-remaining": "0", "x-ratelimit-reset": str(int(time.time()) + 120)}
    with pytest.raises(NotStarted) as error:
        await api(httpx.Response(403, headers=spent)).order("/start")
    assert 100 < (error.value.retry_after or 0) <= 120


@pytest.mark.parametrize("address", ["acme.example:9090", "ftp://acme.example", "http://acme.example:port"])
async def test_an_address_that_is_none_is_told_with_a_good_one(address: str) -> None:
    with pytest.raises(NotFound, match="a good url: https://"):
        await Rest("Acme", address, {}).get("/a")


async def test_what_is_not_json_names_whom_it_came_from() -> None:
    page = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with pytest.raises(BadPayload, match="Acme answered GET /a with what is not JSON"):
        await Rest("Acme", "https://acme.example", {}, transport=page).get("/a")


@pytest.fixture
def own_authority(tmp_path: Path) -> Path:
    """A certificate for 127.0.0.1 that no public authority vouches for, with its key, in one file."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tocsin.internal")])
    now = datetime.now(UTC)
    here = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 7, now - timedelta(days=1), now + timedelta(days=1))
    shown = builder.add_extension(here, critical=False).sign(key, hashes.SHA256())
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    path = tmp_path / "own.pem"
    path.write_bytes(shown.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
    return path


async def test_a_certificate_of_ones_own_is_named_as_what_is_wrong_until_the_machine_trusts_it(
    own_authority: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\nconnection: close\r\n\r\n" + b'{"a": 1}')
        await writer.drain()
        writer.close()

    door = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    door.load_cert_chain(own_authority)
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=door)
    async with server:
        there = Rest("Acme", f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", {"X-Key": "k3y-of-acme"})
        rest._trusted.cache_clear()
        with pytest.raises(Unavailable, match=r"a certificate that this machine does not trust \(self-signed certificate\)"):
            await there.get("/a")
        monkeypatch.setenv("SSL_CERT_FILE", str(own_authority))  # what OpenSSL reads, as it does /etc/ssl
        rest._trusted.cache_clear()
        assert (await there.get("/a"))["a"].value == 1
    rest._trusted.cache_clear()
