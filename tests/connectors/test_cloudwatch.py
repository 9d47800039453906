"""CloudWatch's metrics: what is asked of a service's resources, signed, and what is made of the answers."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from pydantic import ValidationError

from bot.domain.service import CloudResource, Service, ServiceMetrics
from bot.domain.telemetry import Readings, SourceStatus, Window
from bot.investigation.vocabulary import kinds_of_metric
from bot.signals.direction import bad_direction
from bot.wire.sigv4 import sign
from connectors.cloudwatch import CONNECTOR, CloudWatchMetrics, CloudWatchSettings
from connectors.cloudwatch.measures import MEASURES
from connectors.cloudwatch.metrics import MOST_POINTS, period_of

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=30))
SETTINGS = {"region": "eu-west-1", "access_key_id": "AKIAEXAMPLE", "secret_access_key": "s3cret-key", "session_token": "t0ken"}
LAMBDA = CloudResource("AWS/Lambda", (("FunctionName", "orders"),))


class FakeCloudWatch:
    """Answers each query by its label with values a minute apart, in pages of one; remembers what it was asked."""

    def __init__(self, values: Mapping[str, list[float]], status: str = "Complete") -> None:
        self.values, self.status = values, status
        self.asked: list[dict[str, object]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self._signed(request)
        self.asked.append(body)
        page = int(body.get("NextToken", "0"))
        rows = [
            {
                "Id": query["Id"],
                "Label": query["Label"],
                "Timestamps": [START.timestamp() + 60 * n for n, _ in enumerate(self.values.get(query["Label"], []))],
                "Values": self.values.get(query["Label"], []),
                "StatusCode": self.status,
            }
            for query in body["MetricDataQueries"]
        ]
        half = len(rows) // 2
        return httpx.Response(
            200, json={"MetricDataResults": rows[half:] if page else rows[:half], **({} if page else {"NextToken": "1"})}
        )

    def _signed(self, request: httpx.Request) -> None:
        names = re.search(r"SignedHeaders=([^,]+)", request.headers["authorization"])
        assert names
        given = {n: request.headers[n] for n in names[1].split(";") if n in ("content-type", "x-amz-target")}
        assert given["x-amz-target"] == "GraniteServiceVersion20100801.GetMetricData"
        again = sign(
            "POST",
            str(request.url),
            given,
            request.content,
            "eu-west-1",
            "monitoring",
            "AKIAEXAMPLE",
            "s3cret-key",
            "t0ken",
            START,
        )
        assert again["authorization"] == request.headers["authorization"], "what is sent is what was signed"

    async def read(self, *resources: CloudResource) -> tuple[Readings, ...]:
        settings = CloudWatchSettings.model_validate(SETTINGS)
        known = {"orders": Service("orders", metrics=ServiceMetrics(cloudwatch=resources))}
        source = CloudWatchMetrics(settings, httpx.MockTransport(self), lambda n: known.get(n, Service(n)), lambda: START)
        return await source.read(["orders", "undescribed"], WINDOW)


async def test_statistics_become_rates_shares_and_seconds() -> None:
    amazon = FakeCloudWatch({"Invocations/Sum": [120.0, 0.0, 60.0], "Errors/Sum": [12.0], "Duration/p99": [250.0]})
    (found,) = await amazon.read(LAMBDA)
    values = {s.metric: [v for _, v in s.points] for s in found.series}
    assert values == {
        "function_calls_per_second": [2.0, 0.0, 1.0],
        "function_error_ratio": [0.1, 0.0],
        "function_throttled_ratio": [0.0, 0.0],
        "function_latency_p99_seconds": [0.25],
    }
    assert json.loads(found.query) == amazon.asked[0]["MetricDataQueries"]
    assert [len(amazon.asked), amazon.asked[1]["NextToken"]] == [2, "1"], "the second page was fetched"
    assert found.series[0].labels == {"FunctionName": "orders"}
    assert [s.points[0][0] for s in found.series] == [START] * 4


async def test_a_number_without_end_is_a_gap() -> None:
    (found,) = await FakeCloudWatch({"Duration/p99": [10**400, 250.0]}).read(LAMBDA)
    assert [[v for _, v in s.points] for s in found.series if "latency" in s.metric] == [[0.25]]


async def test_each_statistic_is_asked_for_once() -> None:
    amazon = FakeCloudWatch({})
    await amazon.read(CloudResource("AWS/ApplicationELB", (("LoadBalancer", "app/x/1"),)))
    asked = amazon.asked[0]["MetricDataQueries"]
    assert isinstance(asked, list)
    labels = [query["Label"] for query in asked]
    assert len(labels) == len(set(labels))
    assert asked[0]["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "LoadBalancer", "Value": "app/x/1"}]


async def test_a_namespace_that_nothing_is_known_of_is_said_and_not_asked() -> None:
    amazon = FakeCloudWatch({})
    (found,) = await amazon.read(CloudResource("AWS/Chatbot", (("A", "b"),)))
    assert found.status is SourceStatus.NO_DATA
    assert "AWS/Chatbot" in found.reason
    assert amazon.asked == []


async def test_without_resources_nobody_is_asked() -> None:
    amazon = FakeCloudWatch({})
    assert await amazon.read() == ()
    assert amazon.asked == []


@pytest.mark.parametrize(("status", "said"), [("Forbidden", "refuses us"), ("InternalError", "could not read")])
async def test_what_amazon_may_not_or_cannot_tell_is_a_failure(status: str, said: str) -> None:
    (found,) = await FakeCloudWatch({}, status).read(LAMBDA)
    assert found.status is SourceStatus.FAILED
    assert said in found.reason


def test_every_measure_is_classified_by_its_name() -> None:
    every = {m.name for measures in MEASURES.values() for m in measures}
    assert {m for m in every if bad_direction(m) == 0} == {
        "http_requests_per_second", "function_calls_per_second", "messages_per_second",
    }  # fmt: skip
    assert {m for m in every if bad_direction(m) == -1} == {
        "db_disk_free_bytes", "db_memory_free_bytes", "db_burst_balance_remaining_ratio", "replicas_ready_ratio",
        "cache_hit_ratio",
    }  # fmt: skip
    without = {m for m in every if not kinds_of_metric(m, rising=bad_direction(m) >= 0)}
    assert without == {"unhealthy_hosts"}


@pytest.mark.parametrize("span", [timedelta(minutes=1), timedelta(hours=12), timedelta(days=30)])
def test_a_window_never_has_more_than_720_points(span: timedelta) -> None:
    period = period_of(Window(START, START + span))
    assert period % 60 == 0
    assert span.total_seconds() / period <= MOST_POINTS


def test_a_region_is_one_and_china_is_elsewhere() -> None:
    with pytest.raises(ValidationError, match="eu-west-1"):
        CloudWatchSettings.model_validate({"region": "evil.example/"})
    assert (
        CloudWatchSettings.model_validate({"region": "cn-north-1"}).endpoint == "https://monitoring.cn-north-1.amazonaws.com.cn"
    )


def test_without_keys_there_is_no_evidence() -> None:
    assert CONNECTOR.evidence is not None
    assert CONNECTOR.evidence(CloudWatchSettings.model_validate({"region": "eu-west-1"})) is None
    assert CONNECTOR.evidence(CloudWatchSettings.model_validate(SETTINGS)) is not None
