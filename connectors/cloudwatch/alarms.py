"""Amazon CloudWatch: alarms through an SNS topic, as CloudWatch writes them or as EventBridge events.

Formats: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Notify_Users_Alarm_Changes.html and
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html. The proof: bot/wire/sns.py.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import quote

from bot.domain.alert import Alert
from bot.domain.payload import Node
from bot.domain.vocabulary import environment_of, first, line, service_of, severity_of
from bot.ports import Ignored
from bot.wire.sns import Notification

NAME = "cloudwatch"
STATE_CHANGE = "CloudWatch Alarm State Change"
# The dimensions of Amazon's metrics that name what a team would call a service, the most telling first.
DIMENSIONS = (
    "ServiceName", "Service", "FunctionName", "ApiName", "DBClusterIdentifier", "DBInstanceIdentifier", "CacheClusterId",
    "TableName", "QueueName", "StreamName", "LoadBalancer", "TargetGroup", "AutoScalingGroupName", "ClusterName",
)  # fmt: skip
# Alarms have no labels, so their description may say it: "service=payments environment=production severity=critical".
_SAID = re.compile(r"\b(service|environment|env|severity|priority|team)\s*[=:]\s*([\w./-]{1,100})", re.IGNORECASE)
_ARN = re.compile(r"arn:(aws[a-z-]*):cloudwatch:([a-z0-9-]{1,40}):(\d{12}):alarm:")


@dataclass(frozen=True, slots=True)
class _Alarm:
    """An alarm's change of state, whichever way it was written."""

    name: str
    state: str
    reason: str
    at: datetime | None
    description: str
    arn: str
    labels: dict[str, str]
    rule: str = ""
    said: str = ""


def events(notification: Notification) -> Iterator[Alert | Ignored]:
    message = notification.message.object()
    if (kind := message["detail-type"].text()) and kind != STATE_CHANGE:
        yield Ignored(f"EventBridge: {kind[:80]}")
        return
    alarm = _from_eventbridge(message) if kind else _from_alarm(message)
    if alarm.state not in ("ALARM", "OK"):
        yield Ignored(f"{alarm.name[:80]}: {alarm.state[:40]}")
        return
    yield _alert(alarm, notification.at)


def _from_alarm(message: Node) -> _Alarm:
    """A metric alarm (Trigger) or a composite one (AlarmRule); one that does not say its state has just gone off."""
    trigger = message["Trigger"]
    dimensions = {d["name"].text(): d["value"].text() for d in trigger["Dimensions"].optional_items()}
    metric = {
        "namespace": trigger["Namespace"].text() or message["Namespace"].text(),
        "metric": trigger["MetricName"].text() or message["MetricName"].text(),
    }
    application = message["Application"].text()
    return _Alarm(
        name=message["AlarmName"].needed(),
        state=message["NewStateValue"].text("ALARM"),
        reason=message["NewStateReason"].text(),
        at=message["StateChangeTime"].time(),
        description=message["AlarmDescription"].text(),
        arn=message["AlarmArn"].text(),
        labels=_filled(metric | dimensions | {"application": application}),
        rule=message["AlarmRule"].text(),
        said=message["Priority"].text(),
    )


def _from_eventbridge(message: Node) -> _Alarm:
    detail = message["detail"].object()
    state, configuration = detail["state"].object(), detail["configuration"]
    metrics = [m["metricStat"]["metric"] for m in configuration["metrics"].optional_items()]
    metric = next((m for m in metrics if m), Node(None))
    arns = [resource.text() for resource in message["resources"].optional_items()]
    return _Alarm(
        name=detail["alarmName"].needed(),
        state=state["value"].needed(),
        reason=state["reason"].text(),
        at=state["timestamp"].time() or message["time"].time(),
        description=configuration["description"].text(),
        arn=arns[0] if arns else "",
        labels=_filled({"namespace": metric["namespace"].text(), "metric": metric["name"].text()} | metric["dimensions"].texts()),
        rule=configuration["alarmRule"].text(),
    )


def _filled(labels: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if key and value}


def _alert(alarm: _Alarm, told_at: datetime) -> Alert:
    said = {key.lower(): value for key, value in _SAID.findall(alarm.description[:2000])}
    service, found = _service(said, alarm.labels)
    where = _ARN.match(alarm.arn)
    place = {"account": where[3], "region": where[2]} if where else {}
    at, over = alarm.at or told_at, alarm.state == "OK"
    rule = f"rule: {line(alarm.rule, 1000)}" if alarm.rule else ""
    return Alert(
        connector=NAME,
        name=line(alarm.name),
        service=service,
        environment=environment_of(said),
        severity=severity_of(first(said, ("severity", "priority"))[1] or alarm.said),
        resolved=over,
        started_at=at,
        ended_at=at if over else None,
        summary=line(alarm.description) or line(alarm.reason),
        description="\n".join(part for part in (alarm.description.strip(), alarm.reason.strip(), rule) if part),
        labels=alarm.labels | place | {"alarm": alarm.name},
        group=place,
        service_from=found,
        link=_console(alarm.name, *where.groups()) if where else "",
        ref=alarm.arn[:300],
    )


def _service(said: dict[str, str], labels: dict[str, str]) -> tuple[str, str]:
    if said.get("service"):
        return said["service"], "the alarm's description"
    key, value = first(labels, DIMENSIONS)
    return (value, f"dimension {key}") if value else service_of({"application": labels.get("application", "")})


def _console(name: str, partition: str, region: str, _account: str) -> str:
    """The alarm in Amazon's console; its other partitions have consoles of their own."""
    hosts = {
        "aws": f"{region}.console.aws.amazon.com",
        "aws-cn": "console.amazonaws.cn",
        "aws-us-gov": "console.amazonaws-us-gov.com",
    }
    host = hosts.get(partition)
    return f"https://{host}/cloudwatch/home?region={region}#alarmsV2:alarm/{quote(name, safe='')[:500]}" if host else ""
