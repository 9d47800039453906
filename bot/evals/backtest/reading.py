"""What a backtest reads: the series ALERTS of a Prometheus, day by day; deployments from the tags of a repository.

Format: https://prometheus.io/docs/prometheus/latest/querying/api/#range-vectors.
"""

import re
import subprocess
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

from bot.domain.payload import Node
from bot.errors import BadPayload, BadSettings
from bot.wire.rest import Rest

QUERY = 'ALERTS{alertstate="firing"}'
MOST_BYTES = 200_000_000  # of one day
PIECE = timedelta(days=1)
_TAG = re.compile(r"^(?:(?P<service>[A-Za-z0-9][\w.-]*?)[/@-])?(?P<version>v?\d[\w.+-]*)$")

Series = list[tuple[Mapping[str, str], list[float]]]


async def read_alerts(url: str, token: str, start: datetime, end: datetime, progress: Callable[[str], None]) -> Series:
    """The samples of every alert that fired, a day at a time. Raises Unavailable, NotAllowed, BadPayload.

    A range selector gives the samples as they are; a range query would draw each firing out by five minutes.
    """
    headers = {"authorization": f"Bearer {token}"} if token else {}
    api = Rest(f"Prometheus at {urlsplit(url).netloc.rpartition('@')[2]}", url, headers, timeout=60.0, most_bytes=MOST_BYTES)
    found: Series = []
    at = start
    while at < end:
        until = min(end, at + PIECE)
        span = f"{(until - at) // timedelta(milliseconds=1)}ms"
        answer = await api.get("/api/v1/query", query=f"{QUERY}[{span}]", time=f"{until.timestamp():.3f}")
        found += [_series(one) for one in answer["data"]["result"].items()]
        progress(f"{until:%Y-%m-%d %H:%M} UTC, {sum(len(stamps) for _, stamps in found)} samples so far")
        at = until
    return found


def _series(node: Node) -> tuple[Mapping[str, str], list[float]]:
    stamps = []
    for sample in node["values"].items():
        value = sample.value
        if not isinstance(value, list) or len(value) != 2 or not isinstance(value[0], int | float):
            raise BadPayload("a sample is [seconds, text]", path=sample.path)
        stamps.append(float(value[0]))
    return node["metric"].texts(), stamps


def read_deployments(repository: Path, since: datetime) -> list[tuple[datetime, str, str]]:
    """When which service got which version, by the repository's tags ("payments-v43", "payments/v43", "v43"), oldest first.

    The service is "" for a tag without one. Raises BadSettings for what is no repository.
    """
    argv = ["git", "-C", str(repository), "for-each-ref", "refs/tags", "--sort=creatordate",
            "--format=%(creatordate:unix)%09%(refname:short)"]  # fmt: skip
    told = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    if told.returncode:
        raise BadSettings(f"--git {repository}: {told.stderr.strip()[:200] or 'git cannot read it'}.")
    found = []
    for line in told.stdout.splitlines():
        stamp, _, tag = line.partition("\t")
        named = _TAG.match(tag)
        if named and stamp.isdigit() and (at := datetime.fromtimestamp(int(stamp), UTC)) >= since:
            found.append((at, named["service"] or "", named["version"]))
    return found
