"""Firings become what Alertmanager would have sent: one delivery when an alert begins, one when it ends."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from bot.evals.backtest.history import Firing
from bot.evals.noise import Sent


def deliveries(found: Sequence[Firing], deployments: Iterable[tuple[datetime, str, str]], repository: str) -> list[Sent]:
    """The stream of a history, in the order of its times. The eval id of a firing is its place in `found`."""
    stream = [one for number, firing in enumerate(found) for one in _of(number, firing)]
    stream += [_deployed(at, service or repository, version) for at, service, version in deployments]
    return sorted(stream, key=lambda one: one.at)


def _of(number: int, firing: Firing) -> Iterator[Sent]:
    yield _sent(number, firing, firing.start, resolved=False)
    if not firing.open:
        yield _sent(number, firing, max(firing.end, firing.start + timedelta(seconds=1)), resolved=True)


def _sent(number: int, firing: Firing, at: datetime, *, resolved: bool) -> Sent:
    status = "resolved" if resolved else "firing"
    alert = {
        "status": status,
        "labels": dict(firing.labels),
        "annotations": {},
        "startsAt": firing.start.isoformat(),
        "endsAt": at.isoformat() if resolved else "0001-01-01T00:00:00Z",
    }
    payload = {"version": "4", "status": status, "groupLabels": {}, "alerts": [alert]}
    return Sent(number, at, "alertmanager", json.dumps(payload).encode(), (str(number),))


def _deployed(at: datetime, service: str, version: str) -> Sent:
    payload = {"service": service, "version": version, "at": at.isoformat()}
    return Sent(0, at, "change", json.dumps(payload).encode(), ())
