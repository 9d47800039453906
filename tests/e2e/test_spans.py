"""The bot with its port for spans, as people start it: what services send by OpenTelemetry's own SDK is on the graph."""

import asyncio
import contextlib
from pathlib import Path

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

from bot.commands.loopback import free_port
from bot.commands.staging import clean_environment, start_bot, start_workspace
from bot.storage.database import SqlDatabase
from bot.storage.topology import SqlTopologyStore
from tests.fakes import NOON
from tests.intake.test_otlp import EDGES, edges, provider, traffic

pytestmark = pytest.mark.slow
TOKEN = "s3cret-of-senders"


async def test_spans_that_services_send_are_on_the_graph_when_the_bot_has_ended(tmp_path: Path) -> None:
    (tmp_path / "tocsin.toml").write_text('[knowledge]\nembedder = "none"\nrunbooks = []\n')
    (tmp_path / "services.yaml").write_text("services:\n  - {name: web}\n  - {name: cart, aliases: [basket]}\n")
    spans = free_port()
    async with contextlib.AsyncExitStack() as end:
        _, slack = await start_workspace(end, free_port(), "", tmp_path / "workspace.log", clean_environment())
        own = {"TOCSIN_PORT": str(free_port()), "TOCSIN_TOPOLOGY_OTLP_PORT": str(spans), "TOCSIN_TOPOLOGY_OTLP_TOKEN": TOKEN}
        await start_bot(end, tmp_path, tmp_path / "bot.log", {**clean_environment(), **slack, **own})
        url = f"http://127.0.0.1:{spans}/v1/traces"
        async with httpx.AsyncClient() as client:
            refused = await client.post(url, content=b"", headers={"content-type": "application/x-protobuf"})
        assert refused.status_code == 401

        def send() -> None:
            exporter = OTLPSpanExporter(url, headers={"Authorization": f"Bearer {TOKEN}"})
            made = {name: provider(name, exporter, batch=True) for name in ("web", "cart", "billing")}
            traffic(made.__getitem__)
            for one in made.values():
                one.force_flush()

        await asyncio.to_thread(send)
    db = SqlDatabase(f"sqlite:///{tmp_path / '.tocsin' / 'tocsin.db'}")
    db.open(beside=True)
    try:
        store = SqlTopologyStore()
        counted = db.read_now(lambda tx: store.minutes(tx, NOON.replace(year=2000), NOON.replace(year=2100), ["web", "cart"]))
    finally:
        db.close()
    assert edges(counted) == EDGES
