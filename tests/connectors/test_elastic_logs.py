"""Elasticsearch and OpenSearch: the documented search, lines of ECS and of other fields, samples with exact totals, doubts."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import ValidationError

from bot.domain.telemetry import Readings, SourceStatus, Window
from connectors.elastic import CONNECTOR, ElasticLogs, ElasticSettings

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)
WINDOW = Window(START, START + timedelta(minutes=10))


def hit(second: float, source: dict[str, Any], **more: Any) -> dict[str, Any]:
    at = (START + timedelta(seconds=second)).isoformat()
    return {"_index": "logs-shop", "_id": f"id{second}", "_score": None, "_source": {"@timestamp": at, **source}, **more}


def answer_of(*hits: dict[str, Any], total: object = None, **more: Any) -> dict[str, Any]:
    found = {"value": len(hits), "relation": "eq"} if total is None else total
    return {
        "took": 3,
        "timed_out": False,
        "_shards": {"total": 2, "failed": 0},
        "hits": {"total": found, "hits": list(hits)},
        **more,
    }


async def read(
    answer: Callable[[dict[str, Any]], dict[str, Any]], asked: list[httpx.Request] | None = None, **own: object
) -> Readings:
    def respond(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        return httpx.Response(200, json=answer(json.loads(request.content)))

    settings = ElasticSettings.model_validate({"url": "http://elastic.test", **own})
    (found,) = await ElasticLogs(settings, httpx.MockTransport(respond)).read(["cart"], WINDOW)
    return found


async def test_the_search_is_the_documented_one_and_proves_who_asks() -> None:
    asked: list[httpx.Request] = []
    await read(lambda _: answer_of(), asked, api_key="k3y", index="shop-*,logs-2026.05")
    (request,) = asked
    assert (request.method, request.url.path) == ("POST", "/shop-*,logs-2026.05/_search")
    assert dict(request.url.params) == {"ignore_unavailable": "true", "allow_no_indices": "true"}
    assert request.headers["authorization"] == "ApiKey k3y"
    assert json.loads(request.content) == {
        "size": 1000,
        "track_total_hits": True,
        "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "date"}}],
        "query": {
            "bool": {
                "filter": [
                    {"term": {"service.name": "cart"}},
                    {
                        "range": {
                            "@timestamp": {
                                "gte": "2026-05-04T09:00:00.000+00:00",
                                "lte": "2026-05-04T09:10:00.000+00:00",
                                "format": "strict_date_optional_time",
                            }
                        }
                    },
                ]
            }
        },
    }


async def test_lines_of_ecs_say_message_level_error_and_trace() -> None:
    ecs = {
        "message": "order failed",
        "log": {"level": "error"},
        "trace": {"id": "t1"},
        "error": {"type": "KeyError", "message": "'currency'", "stack_trace": "File a.py"},
        "host": {"name": "web-1"},
    }
    dotted = {"message": "ok", "log.level": "info", "trace.id": "t2", "host.name": "web-1"}
    found = await read(lambda _: answer_of(hit(5, dotted), hit(3, ecs)))
    assert [(line.level, line.text, line.trace_id) for line in found.logs] == [
        ("ERROR", "order failed: KeyError: 'currency'\nFile a.py", "t1"),
        ("INFO", "ok", "t2"),
    ]
    assert found.query == 'logs-*,filebeat-*: {"term": {"service.name": "cart"}}'
    assert found.status is SourceStatus.OK


async def test_other_fields_a_wrapped_line_and_the_time_of_the_sort_are_read() -> None:
    own: dict[str, Any] = {"service_field": "app.keyword", "message_field": "log", "level_field": "lvl", "time_field": "when"}
    wrapped = {"_id": "1", "_source": {"log": '{"msg":"slow","severity":"warning"}'}, "sort": [1777885205000]}
    found = await read(lambda _: answer_of(wrapped, total=1), **own)
    assert [(line.at, line.level, line.text) for line in found.logs] == [(START + timedelta(seconds=5), "WARN", "slow")]


async def test_frames_of_one_process_are_one_line() -> None:
    pod = {"kubernetes": {"pod": {"name": "cart-1"}}}
    lines = ["ERROR order failed", "Traceback (most recent call last):", '  File "a.py"', "KeyError: 'x'"]
    found = await read(lambda _: answer_of(*(hit(n / 1000, {"message": text, **pod}) for n, text in enumerate(lines))))
    assert [line.text for line in found.logs] == ["\n".join(lines)]


async def test_of_too_many_lines_trouble_is_read_apart_and_each_stands_for_as_many_as_there_are() -> None:
    def answer(body: dict[str, Any]) -> dict[str, Any]:
        query, order = body["query"]["bool"], body["sort"][0]["@timestamp"]["order"]
        if len(query["filter"]) == 3:
            loud = query["filter"][2]["bool"]
            assert loud["minimum_should_match"] == 1
            assert {"error", "ERROR", "Warning"} <= set(loud["should"][0]["terms"]["log.level"])
            assert "refused" in loud["should"][1]["match"]["message"]
            return answer_of(hit(40, {"message": "ERROR no stock"}))
        ends = (1, 2) if order == "asc" else (90, 80)
        lines = [hit(t, {"message": f"request {t}"}) for t in ends]
        return answer_of(*lines, total={"value": 4000 if "must_not" in query else 4001, "relation": "eq"})

    found = await read(answer, limit=2)
    assert [(line.text, line.stands_for) for line in found.logs] == [
        ("request 1", 1000),
        ("request 2", 1000),
        ("ERROR no stock", 1),
        ("request 80", 1000),
        ("request 90", 1000),
    ]
    assert found.reason == (
        "all 1 that tell of trouble and first 2 and last 2 others of about 4,000 lines; counts are scaled up to that"
    )


async def test_a_total_that_is_only_a_bound_is_not_taken_for_a_count() -> None:
    bound = {"value": 10000, "relation": "gte"}
    found = await read(lambda body: answer_of(*(hit(t, {"message": "ok"}) for t in (0, 1)), total=bound), limit=2)
    assert "as dense as these are" in found.reason


@pytest.mark.parametrize(
    ("more", "doubt"),
    [
        ({"_shards": {"total": 5, "failed": 2}}, "2 of 5 shards did not answer"),
        ({"timed_out": True}, "stopped before it had searched"),
    ],
)
async def test_what_the_server_left_out_is_said(more: dict[str, Any], doubt: str) -> None:
    found = await read(lambda _: answer_of(hit(1, {"message": "ok"}), **more))
    assert doubt in found.reason
    assert found.status is SourceStatus.OK


async def test_a_hit_without_a_time_is_named() -> None:
    found = await read(lambda _: answer_of({"_source": {"message": "x"}}))
    assert found.status is SourceStatus.FAILED
    assert found.reason == "The answer of Elasticsearch is not as documented: $.hits.hits[0]: has no time"
    found = await read(lambda _: answer_of({"_source": {"message": "x"}, "sort": [10**400]}))
    assert "has no time" in found.reason


@pytest.mark.parametrize(
    "wrong",
    [{"index": "../_all"}, {"service_field": 'a"b'}, {"api_key": "k", "username": "u"}, {"limit": 20_000}, {"elastic": 1}],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ElasticSettings.model_validate({"url": "http://elastic.test", **wrong})


def test_without_a_url_there_is_no_source_and_alerts_still_come_in() -> None:
    assert CONNECTOR.evidence is not None
    assert CONNECTOR.evidence(ElasticSettings()) is None
    assert CONNECTOR.webhook is not None
