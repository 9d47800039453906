"""CloudWatch Logs: the documented question, signed; pages; samples by density; groups that there are not."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr, ValidationError

from bot.domain.telemetry import Readings, SourceStatus, Window
from bot.wire.sigv4 import sign
from connectors.cloudwatchlogs import CONNECTOR, CloudWatchLogs, CloudWatchLogsSettings

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=8))
MILLISECONDS = int(START.timestamp() * 1000)


def event(second: float, message: str, stream: str = "task/1") -> dict[str, Any]:
    at = MILLISECONDS + int(second * 1000)
    return {"eventId": str(at), "ingestionTime": at, "logStreamName": stream, "message": message, "timestamp": at}


async def read(
    answer: Callable[[dict[str, Any]], httpx.Response], asked: list[httpx.Request] | None = None, **own: object
) -> Readings:
    def respond(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        return answer(json.loads(request.content))

    keys = {"region": "eu-west-1", "access_key_id": "AKID", "secret_access_key": "s3cret", "session_token": "t0ken"}
    source = CloudWatchLogs(CloudWatchLogsSettings.model_validate(keys | own), httpx.MockTransport(respond), clock=lambda: START)
    (found,) = await source.read(["cart"], WINDOW)
    return found


def says(*events: dict[str, Any], **more: object) -> httpx.Response:
    return httpx.Response(200, json={"events": list(events), "searchedLogStreams": [], **more})


async def test_the_question_is_the_documented_one_and_signed_as_it_was_sent() -> None:
    asked: list[httpx.Request] = []
    found = await read(lambda _: says(event(1, "ok\n")), asked)
    (request,) = asked
    assert (request.method, str(request.url)) == ("POST", "https://logs.eu-west-1.amazonaws.com/")
    wanted = {"logGroupName": "/ecs/cart", "startTime": MILLISECONDS, "endTime": MILLISECONDS + 480_000, "limit": 1000}
    assert json.loads(request.content) == wanted
    target = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "Logs_20140328.FilterLogEvents"}
    signed = sign("POST", str(request.url), target, request.content, "eu-west-1", "logs", "AKID", "s3cret", "t0ken", START)
    assert {name: request.headers[name] for name in signed} == signed
    assert [(line.text, line.at) for line in found.logs] == [("ok", START + timedelta(seconds=1))]
    assert (found.query, found.status, found.reason) == ("log group /ecs/cart", SourceStatus.OK, "")


async def test_pages_are_followed_even_if_one_is_empty() -> None:
    def answer(body: dict[str, Any]) -> httpx.Response:
        match body.get("nextToken"):
            case None:
                return says(nextToken="a")
            case "a":
                return says(event(2, "one"), nextToken="b")
        assert body["limit"] == 999
        return says(event(3, "two"))

    assert [line.text for line in (await read(answer)).logs] == ["one", "two"]


async def test_pages_without_end_are_given_up_on() -> None:
    found = await read(lambda _: says(nextToken="again"))
    assert found.status is SourceStatus.FAILED
    assert "no line after 8 pages" in found.reason


async def test_frames_are_joined_within_a_stream() -> None:
    lines = (event(1, "ERROR failed"), event(1, "calm", "task/2"), event(1, "\tat shop.Cart.add(Cart.java:7)"))
    assert [line.text for line in (await read(lambda _: says(*lines))).logs] == [
        "ERROR failed\n\tat shop.Cart.add(Cart.java:7)",
        "calm",
    ]


async def test_of_too_many_lines_each_quarter_is_read_and_counts_as_much_as_it_is_dense() -> None:
    patterns: list[str] = []

    def answer(body: dict[str, Any]) -> httpx.Response:
        start = (body["startTime"] - MILLISECONDS) / 1000
        if pattern := body.get("filterPattern"):
            patterns.append(pattern)
            return says(event(200, "Connection refused"))
        if body["limit"] == 8:  # all at once
            return says(*(event(n, "ok") for n in range(8)), nextToken="more")
        if start < 300:  # 2 lines in the first second: 240 in two minutes
            return says(event(start + 0.5, "ok"), event(start + 1, "ok"), nextToken="more")
        return says(event(start + 5, "request denied"), event(start + 9, "ok"))

    found = await read(answer, limit=8)
    assert round(sum(line.stands_for for line in found.logs)) == 1 + 3 * 240 + 1
    assert sum("denied" in line.text for line in found.logs) == 0, "lines that tell of trouble come by themselves"
    assert found.reason.startswith("all 1 that tell of trouble and first 2 others in quarter 1 and ")
    assert found.reason.endswith(" of about 720 lines, as dense as these are; counts are scaled up to that")
    (pattern,) = patterns
    assert pattern.startswith("%[Ee][Rr][Rr][Oo][Rr]|[Ww][Aa][Rr][Nn]|")
    assert not set(pattern) & set("() ")


async def test_a_service_without_a_log_group_has_no_data_and_a_group_of_another_name_can_be_told() -> None:
    asked: list[httpx.Request] = []
    said = {"__type": "ResourceNotFoundException", "message": "The specified log group does not exist."}
    found = await read(lambda _: httpx.Response(400, json=said), asked, log_groups={"cart": "/aws/lambda/basket"})
    assert found.status is SourceStatus.NO_DATA
    assert "log group does not exist" in found.reason
    assert json.loads(asked[0].content)["logGroupName"] == "/aws/lambda/basket"


async def test_what_amazon_refuses_is_quoted_without_a_secret() -> None:
    said = {"__type": "AccessDeniedException", "message": "User is not authorized to perform: logs:FilterLogEvents"}
    found = await read(lambda _: httpx.Response(400, json=said))
    assert found.status is SourceStatus.FAILED
    assert "CloudWatch Logs answered 400" in found.reason
    assert "logs:FilterLogEvents" in found.reason
    assert "s3cret" not in repr(found)


@pytest.mark.parametrize("timestamp", ["1777885205000", None, True, 10**30, 10**400])
async def test_a_time_that_is_none_is_named(timestamp: object) -> None:
    found = await read(lambda _: says({**event(1, "ok"), "timestamp": timestamp}))
    assert found.status is SourceStatus.FAILED
    assert "$.events[0].timestamp" in found.reason


@pytest.mark.parametrize(
    "wrong",
    [{"region": "europe"}, {"region": "eu-west-1"}, {"log_group": "/ecs/cart"}, {"log_group": "{service} now"}, {"limit": 1}],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        CloudWatchLogsSettings.model_validate(wrong)


def test_without_a_region_there_is_no_source() -> None:
    assert CONNECTOR.evidence is not None
    assert CONNECTOR.evidence(CloudWatchLogsSettings()) is None
    keys = CloudWatchLogsSettings(region="cn-north-1", access_key_id="a", secret_access_key=SecretStr("b"))
    assert CONNECTOR.evidence(keys) is not None
