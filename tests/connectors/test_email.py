"""E-mail over real SMTP on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import Message

import pytest

from bot.domain.alert import Severity
from bot.domain.handling import Deed, page_key
from bot.errors import NotFound, Unavailable
from bot.ports import Page
from connectors.email import CONNECTOR, EmailPager, EmailSettings

PAGE = Page(page_key("0193", ""), "INC-42\r\nBcc: all@example.com", Severity.SEV1, "payments", "What is known: “ü”")


@asynccontextmanager
async def a_mail_server(refuse: bytes = b"") -> AsyncIterator[tuple[int, list[Message]]]:
    """Speaks as much SMTP as a sender needs; `refuse` is its answer to RCPT."""
    taken: list[Message] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 loopback\r\n")
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb == b"DATA":
                writer.write(b"354 go on\r\n")
                taken.append(message_from_bytes((await reader.readuntil(b"\r\n.\r\n"))[:-5]))
            writer.write(refuse if verb == b"RCPT" and refuse else b"221 bye\r\n" if verb == b"QUIT" else b"250 ok\r\n")
            if verb == b"QUIT":
                break
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], taken
    finally:
        server.close()


def pager(port: int, **more: object) -> EmailPager:
    given = {"host": "127.0.0.1", "port": port, "tls": "none", "to": ("on-call@example.com",), "sender": "tocsin@example.com"}
    made = CONNECTOR.pager(EmailSettings.model_validate({**given, **more}))  # type: ignore[misc]  # the connector has one
    assert isinstance(made, EmailPager)
    return made


async def test_a_page_is_a_mail_and_its_end_an_answer_to_it() -> None:
    async with a_mail_server() as (port, taken):
        await pager(port).page(PAGE)
        await pager(port).page(PAGE)
        await pager(port).carry(PAGE.key, Deed.RESOLVED, "Olivia")
        await pager(port).carry(PAGE.key, Deed.SILENCED, "Olivia")
    first, again, end = taken
    assert first["Message-ID"] == again["Message-ID"] == end["In-Reply-To"]
    assert first["To"] == "on-call@example.com"
    assert first["Bcc"] is None
    assert first["Subject"] == "[SEV1] INC-42 Bcc: all@example.com"
    assert "“ü”" in first.get_payload(decode=True).decode()  # type: ignore[union-attr]  # bytes of a mail that is one part
    assert "resolved by Olivia" in str(end["Subject"])


async def test_a_server_that_is_away_is_tried_again_and_one_that_knows_nobody_is_not() -> None:
    async with a_mail_server(refuse=b"550 no such user\r\n") as (port, _):
        with pytest.raises(NotFound):
            await pager(port).page(PAGE)
    with pytest.raises(Unavailable):
        await pager(port).page(PAGE)
    with pytest.raises(NotFound, match="to"):
        await pager(port, to=()).page(PAGE)


def test_without_a_server_there_is_no_e_mail() -> None:
    assert CONNECTOR.pager is not None
    assert CONNECTOR.pager(EmailSettings()) is None
