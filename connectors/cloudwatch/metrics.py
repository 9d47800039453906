"""CloudWatch's metrics as evidence, read-only: of the resources that services.yaml names for a service.

Format: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html, in Amazon's JSON protocol 1.0.
"""

import asyncio
import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import httpx
from pydantic import Field, SecretStr, field_validator

from bot.domain.payload import Node
from bot.domain.service import CloudResource, Service
from bot.domain.telemetry import Readings, Series, SourceStatus, Window
from bot.errors import BotError, NotAllowed, Unavailable
from bot.ports import Clock, EvidenceSource
from bot.wire.rest import Rest
from bot.wire.sigv4 import sign
from bot.wire.sns import SnsSettings
from connectors.cloudwatch.alarms import NAME
from connectors.cloudwatch.measures import MEASURES, Measure

MOST_BYTES = 10_000_000
MOST_POINTS = 720
MOST_PAGES = 3
MOST_RESOURCES = 40  # of one reading: each costs money
AT_ONCE = 4
_TARGET = "GraniteServiceVersion20100801.GetMetricData"
_REGION = re.compile(r"[a-z]{2}(?:-[a-z]+)+-\d")
Points = tuple[tuple[datetime, float], ...]


def _now() -> datetime:
    return datetime.now(UTC)


class CloudWatchSettings(SnsSettings):
    """For evidence: the region, and the keys of somebody who may do cloudwatch:GetMetricData and nothing else."""

    region: str = ""
    access_key_id: str = ""
    secret_access_key: SecretStr | None = None
    session_token: SecretStr | None = None
    timeout_seconds: float = Field(4.0, gt=0)

    @field_validator("region")
    @classmethod
    def _is_a_region(cls, region: str) -> str:
        if region and not _REGION.fullmatch(region):
            raise ValueError(f"{region[:40]!r} is no region; one looks like eu-west-1")
        return region

    @property
    def endpoint(self) -> str:
        """Where CloudWatch of this region answers."""
        return f"https://monitoring.{self.region}.amazonaws.com" + (".cn" if self.region.startswith("cn-") else "")


class CloudWatchMetrics:
    """Golden signals per resource of a service, a point a minute or every few minutes, at most 720."""

    name = NAME
    numbers = True

    def __init__(
        self,
        settings: CloudWatchSettings,
        transport: httpx.AsyncBaseTransport | None = None,
        service: Callable[[str], Service] = Service,
        clock: Clock = _now,
    ) -> None:
        self._settings = settings
        self._transport = transport
        self._service = service
        self._clock = clock
        self._rest = Rest(
            "CloudWatch",
            settings.endpoint,
            {},
            timeout=settings.timeout_seconds,
            most_bytes=MOST_BYTES,
            quotes=True,
            transport=transport,
        )

    def catalogued(self, service: Callable[[str], Service]) -> EvidenceSource:
        """The same source, told the resources of services."""
        return CloudWatchMetrics(self._settings, self._transport, service, self._clock)

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer per resource of these services, none where they have none; a failure is an answer with its reason."""
        resources = [(name, one) for name in services for one in self._service(name).metrics.cloudwatch][:MOST_RESOURCES]
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(service: str, resource: CloudResource) -> Readings:
            async with turn:
                return await self._of(service, resource, window)

        return tuple(await asyncio.gather(*(one(*each) for each in resources)))

    async def _of(self, service: str, resource: CloudResource, window: Window) -> Readings:
        measures, period = MEASURES.get(resource.namespace, ()), period_of(window)
        queries = queries_of(resource, measures, period)
        query = json.dumps(queries, ensure_ascii=False)
        if not measures:
            reason = f"nothing is known of the namespace {resource.namespace[:60]}; there are {', '.join(MEASURES)}"
            return Readings(NAME, f"{resource.namespace} {dict(resource.dimensions)}", window, SourceStatus.NO_DATA, reason)
        try:
            found = await self._ask(queries, window)
        except BotError as error:
            return Readings(NAME, query, window, SourceStatus.FAILED, str(error).replace("$: ", "")[:300])
        labels = dict(resource.dimensions)
        made = ((m.name, _made(m, found, period)) for m in measures)
        series = tuple(Series(service, name, points, labels) for name, points in made if points)
        status, reason = (SourceStatus.OK, "") if series else (SourceStatus.NO_DATA, "no points in this window")
        return Readings(NAME, query, window, status, reason, series=series)

    async def _ask(self, queries: Sequence[Mapping[str, object]], window: Window) -> dict[str, Points]:
        """The points of each query by "metric/statistic"; a long answer comes in pages."""
        span = {"StartTime": int(window.start.timestamp()), "EndTime": math.ceil(window.end.timestamp())}
        asked: dict[str, object] = {"MetricDataQueries": list(queries), **span, "ScanBy": "TimestampAscending"}
        found: dict[str, Points] = {}
        names = {str(q["Id"]): str(q["Label"]) for q in queries}
        for _ in range(MOST_PAGES):
            answer = await self._send(asked)
            for row in answer["MetricDataResults"].items():
                _judge(row)
                name = names.get(row["Id"].text(), "")
                found[name] = (*found.get(name, ()), *_points(row))[:MOST_POINTS]
            token = answer["NextToken"].text()
            if not token:
                break
            asked["NextToken"] = token
        return found

    async def _send(self, asked: Mapping[str, object]) -> Node:
        own, body = self._settings, json.dumps(asked).encode()
        secret, token = own.secret_access_key, own.session_token
        headers = sign(
            "POST",
            f"{own.endpoint}/",
            {"content-type": "application/x-amz-json-1.0", "x-amz-target": _TARGET},
            body,
            own.region,
            "monitoring",
            own.access_key_id,
            secret.get_secret_value() if secret else "",
            token.get_secret_value() if token else "",
            self._clock(),
        )
        return await self._rest.send("POST", "/", headers=headers, content=body)


def period_of(window: Window) -> int:
    """Seconds between points: whole minutes, so that 720 are enough."""
    return 60 * max(1, math.ceil((window.end - window.start).total_seconds() / 60 / MOST_POINTS))


def queries_of(resource: CloudResource, measures: Sequence[Measure], period: int) -> list[dict[str, object]]:
    """MetricDataQueries for a resource, each statistic of a metric once; the label is "metric/statistic"."""
    wanted = dict.fromkeys((metric, m.stat) for m in measures for metric in (m.metric, m.over) if metric)
    dimensions = [{"Name": name, "Value": value} for name, value in resource.dimensions]
    return [
        {
            "Id": f"m{number}",
            "Label": f"{metric}/{stat}",
            "MetricStat": {
                "Metric": {"Namespace": resource.namespace, "MetricName": metric, "Dimensions": dimensions},
                "Period": period,
                "Stat": stat,
            },
        }
        for number, (metric, stat) in enumerate(wanted)
    ]


def _judge(row: Node) -> None:
    """Raises NotAllowed or Unavailable where Amazon could not tell."""
    status = row["StatusCode"].text()
    if status == "Forbidden":
        raise NotAllowed("CloudWatch refuses us the data of this resource: the keys in the settings may do too little.")
    if status == "InternalError":
        raise Unavailable("CloudWatch could not read this metric (InternalError).")


def _points(row: Node) -> Points:
    times, values = [t.time() for t in row["Timestamps"].items()], [v.value for v in row["Values"].items()]
    pairs = zip(times, values, strict=False)
    return tuple((at, float(v)) for at, v in pairs if at and isinstance(v, int | float) and abs(v) <= sys.float_info.max)


def _made(measure: Measure, found: Mapping[str, Points], period: int) -> Points:
    """What a measure is, of the points of its metrics."""
    points = found.get(f"{measure.metric}/{measure.stat}", ())
    if measure.over:
        part = dict(points)
        whole = found.get(f"{measure.over}/{measure.stat}", ())
        return tuple((at, part.get(at, 0.0) / value) for at, value in whole if value)
    scale = measure.scale / period if measure.rate else measure.scale
    return tuple((at, value * scale) for at, value in points)
