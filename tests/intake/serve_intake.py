"""A process with nothing but the intake: the web door, the drain, and a story that writes down the `uid` of every alert.

    python -m tests.intake.serve_intake FOLDER SECRET [--no-drain]

Takes a free port and prints it. Tests kill it.
"""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from pydantic import SecretStr
from sqlalchemy import Column, Integer, MetaData, String, Table, insert

from bot.domain.alert import Alert
from bot.domain.change import Change
from bot.flows.desk import Desk
from bot.intake.inbox import Drain, Told
from bot.intake.web import Door, create_app
from bot.ports import Transaction, WebhookSettings
from bot.storage.database import SqlDatabase, sql
from connectors.alertmanager import CONNECTOR
from tests.intake.desk import a_desk

uids = Table("uids", MetaData(), Column("id", Integer, primary_key=True), Column("uid", String))


def on_alerts(tx: Transaction, alerts: Sequence[Alert], desk: Desk) -> None:
    """Write down who came."""
    sql(tx).execute(insert(uids), [{"uid": alert.labels.get("uid", alert.name)} for alert in alerts])


def on_changes(tx: Transaction, changes: Sequence[Change], desk: Desk) -> None:
    """Nobody sends any."""
    raise AssertionError(f"{len(changes)} changes came")


async def serve(folder: Path, secret: str, *, drained: bool) -> None:
    """Serve until killed."""
    database = SqlDatabase(f"sqlite:///{folder}/tocsin.db")
    database.open()
    database.write_now(lambda tx: uids.create(sql(tx), checkfirst=True))
    desk = a_desk(database, lambda: datetime.now(UTC))
    drain = Drain(desk, {CONNECTOR.name: CONNECTOR}, Told(on_alerts, on_changes))
    doors = {CONNECTOR.name: Door(CONNECTOR, WebhookSettings(secret=SecretStr(secret)))}
    app = create_app(desk, doors, arrived=drain.wake)
    config = uvicorn.Config(app, host="127.0.0.1", port=0, access_log=False, log_level="warning")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    print(server.servers[0].sockets[0].getsockname()[1], flush=True)
    draining = asyncio.create_task(drain.run()) if drained else None
    await serving
    if draining is not None:
        drain.stop()
        await draining
    database.close()


if __name__ == "__main__":
    config_loop = uvicorn.Config(lambda: None).get_loop_factory()
    with asyncio.Runner(loop_factory=config_loop) as runner:
        runner.run(serve(Path(sys.argv[1]), sys.argv[2], drained="--no-drain" not in sys.argv))
