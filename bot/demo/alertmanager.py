"""What Alertmanager does between a firing alert and a webhook: group, wait, repeat, resolve. Webhook version 4.

Shape: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Groups are by alert name and service.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.demo.prober import Alert
from bot.demo.sender import Delivery

RECEIVER = "tocsin"
GROUP_BY = ("alertname", "service")
STILL_FIRING = "0001-01-01T00:00:00Z"


@dataclass(frozen=True, slots=True)
class Timing:
    """Alertmanager's three intervals, in seconds."""

    group_wait: float = 0.5
    group_interval: float = 2.0
    repeat_interval: float = 4.0


@dataclass(slots=True)
class _Group:
    alerts: dict[str, Alert] = field(default_factory=dict)
    next_flush: float = 0.0
    notified: dict[str, str] = field(default_factory=dict)
    notified_at: float = 0.0


class Alertmanager:
    """Groups alerts and says which notifications are due. `events` counts the alerts in all notifications, firing or resolved."""

    def __init__(self, tocsin_url: str, token: str, timing: Timing) -> None:
        self.events = 0
        self._url = f"{tocsin_url}/webhooks/alertmanager"
        self._token = token
        self._timing = timing
        self._groups: dict[tuple[str, ...], _Group] = {}

    def take_in(self, alerts: Sequence[Alert], at: float) -> None:
        """Alerts have begun or ended."""
        for alert in alerts:
            key = tuple(alert.labels[name] for name in GROUP_BY)
            group = self._groups.get(key)
            if group is None:
                group = self._groups[key] = _Group(next_flush=at + self._timing.group_wait)
            group.alerts[fingerprint(alert.labels)] = alert

    def due(self, at: float) -> list[Delivery]:
        """The notifications to send now."""
        deliveries = []
        for key, group in list(self._groups.items()):
            if at < group.next_flush:
                continue
            group.next_flush = at + self._timing.group_interval
            statuses = {mark: _status(alert) for mark, alert in group.alerts.items()}
            repeat = at - group.notified_at >= self._timing.repeat_interval
            if statuses != group.notified or (repeat and "firing" in statuses.values()):
                deliveries.append(self._notification(key, group))
                group.notified, group.notified_at = statuses, at
            group.alerts = {mark: alert for mark, alert in group.alerts.items() if alert.ends_at is None}
            group.notified = {mark: status for mark, status in group.notified.items() if mark in group.alerts}
            if not group.alerts:
                del self._groups[key]
        return deliveries

    def _notification(self, key: tuple[str, ...], group: _Group) -> Delivery:
        alerts = list(group.alerts.values())
        self.events += len(alerts)
        body = json.dumps(payload(dict(zip(GROUP_BY, key, strict=True)), alerts)).encode()
        headers = {"User-Agent": "Alertmanager/0.28.1", "Authorization": f"Bearer {self._token}"}
        return Delivery(self._url, headers, body)


def payload(group_labels: Mapping[str, str], alerts: Sequence[Alert]) -> dict[str, Any]:
    """The body of one notification."""
    named = ", ".join(f'{name}="{value}"' for name, value in group_labels.items())
    firing = any(alert.ends_at is None for alert in alerts)
    return {
        "version": "4",
        "groupKey": f"{{}}:{{{named}}}",
        "truncatedAlerts": 0,
        "status": "firing" if firing else "resolved",
        "receiver": RECEIVER,
        "groupLabels": dict(group_labels),
        "commonLabels": _common([alert.labels for alert in alerts]),
        "commonAnnotations": _common([alert.annotations for alert in alerts]),
        "externalURL": "http://alertmanager.shop.example:9093",
        "alerts": [_alert(alert) for alert in alerts],
    }


def fingerprint(labels: Mapping[str, str]) -> str:
    """Sixteen hexadecimal digits that stand for a set of labels."""
    return hashlib.sha256(json.dumps(sorted(labels.items())).encode()).hexdigest()[:16]


def _alert(alert: Alert) -> dict[str, Any]:
    return {
        "status": _status(alert),
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": _rfc3339(alert.starts_at),
        "endsAt": _rfc3339(alert.ends_at) if alert.ends_at else STILL_FIRING,
        "generatorURL": f"http://prometheus.shop.example:9090/graph?g0.expr={alert.labels['alertname']}",
        "fingerprint": fingerprint(alert.labels),
    }


def _status(alert: Alert) -> str:
    return "firing" if alert.ends_at is None else "resolved"


def _common(dictionaries: Sequence[Mapping[str, str]]) -> dict[str, str]:
    shared = set(dictionaries[0].items()).intersection(*(d.items() for d in dictionaries))
    return dict(sorted(shared))


def _rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
