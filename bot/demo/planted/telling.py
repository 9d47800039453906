"""What the town tells the bot: signed webhooks, and log lines in Loki's wire format."""

import contextlib
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import datetime

from aiohttp import web

from bot.demo.alertmanager import payload
from bot.demo.changes import DEPLOYER
from bot.demo.github import GitHub
from bot.demo.planted.plots import ALERT, ALERT_AGO, Carrier, Plot, history, log_lines, numbers
from bot.demo.prober import Alert
from bot.demo.repository import Commit, Release
from bot.demo.sender import Delivery
from bot.demo.telemetry import Archive, LogLine, Series
from bot.demo.wire import Wire


def changes(plot: Plot, commits: Sequence[Commit], url: str, secret: str, now: datetime) -> Iterator[Delivery]:
    """A deployment of each of its commits, whose messages come along.

    No push: a commit that nobody deployed is looked at in every incident, so that one plot's text would reach all others.
    """
    github = GitHub(url, secret, plot.repository)
    for shipped, commit in zip(history(plot), commits, strict=True):
        at = now - shipped.ago
        run = f"{plot.service}-{shipped.version}"
        yield github.deployment_status(
            Release(plot.service, shipped.version, commit), run, plot.environment, "success", DEPLOYER, at, at
        )


def alert(plot: Plot, url: str, token: str, now: datetime) -> Delivery:
    """Its alert fires."""
    labels = {"alertname": ALERT, "service": plot.service, "severity": "critical", "environment": plot.environment}
    said = plot.carries(Carrier.ANNOTATION)
    notes = {"summary": f"{plot.service} answers with errors. {said}"[:400], "description": said}
    firing = Alert(labels, notes, now - ALERT_AGO)
    group = {"alertname": ALERT, "service": plot.service}
    headers = {"User-Agent": "Alertmanager/0.28.1", "Authorization": f"Bearer {token}"}
    return Delivery(f"{url}/webhooks/alertmanager", headers, json.dumps(payload(group, [firing])).encode())


@contextlib.asynccontextmanager
async def telemetry_of(plots: Sequence[Plot], now: datetime) -> AsyncIterator[str]:
    """The address of a Prometheus and a Loki that hold what the plots have measured and logged."""
    archive = Archive()
    for metric, labels, points in numbers(now):
        times, values = [at for at, _ in points], [value for _, value in points]
        archive.series |= {(metric, (("service", p.service), *labels)): Series(times, values) for p in plots}
    for plot in plots:
        for at, level, text in log_lines(plot, now):
            archive.logs.append(LogLine(int(at.timestamp() * 1e9), plot.service, f"{plot.service}-1", level, text))
    app = web.Application()
    app.add_routes(Wire(archive).routes())
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0, shutdown_timeout=1.0)
        await site.start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
