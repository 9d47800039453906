"""A vendor of the stage behind a real address, for clients that cannot be handed a transport: another process, an own client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import certifi
import httpx
from aiohttp import web

from tests.connectors.stages import SECRET, Theatre

SILENCE = 2.0  # seconds for which a lost answer does not come
OURS = ("content-length", "transfer-encoding", "content-encoding")


def one_authority(folder: str) -> Path:
    """A file with one certificate: nobody is asked over TLS, and all that a machine trusts take long to read."""
    one = Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----")
    path = Path(folder) / "one.pem"
    path.write_text("".join(one[:2]) + "\n")
    return path


@contextlib.asynccontextmanager
async def served(theatre: Theatre, silence: float = SILENCE) -> AsyncIterator[str]:
    """Its address, for as long as this is open. Whoever does not show the secret as a bearer token is turned away."""

    async def answer(request: web.Request) -> web.StreamResponse:
        if request.headers.get("authorization") != f"Bearer {SECRET}":
            return web.json_response({"message": "Unauthorized"}, status=401)
        content = await request.read()
        try:
            told = theatre.handle(httpx.Request(request.method, str(request.url), headers=request.headers, content=content))
        except httpx.ReadTimeout:
            await asyncio.sleep(silence)
            return web.Response(status=504)
        except httpx.RemoteProtocolError:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        headers = {name: value for name, value in told.headers.items() if name.lower() not in OURS}
        return web.Response(status=told.status_code, body=told.content, headers=headers)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.01)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
