"""Which service an alert is about when its labels do not say it by a name that the catalogue knows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

SERVICE, ALERT = "service", "alertname"  # besides labels: the alert's own word for its service, and its name
NAMELESS = frozenset({"", "unknown"})


@dataclass(frozen=True, slots=True)
class ServiceMapping:
    """What a person said: alerts whose `label` is `value` are about `service`. `by` is a Slack user id."""

    label: str
    value: str
    service: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Unmatched:
    """Alerts that no service of the catalogue was found for; `label` and `value` are what they have in common."""

    label: str
    value: str
    names: tuple[str, ...]  # of the alerts, the most frequent first
    events: int
    last_at: datetime
    labels: Mapping[str, str] = field(default_factory=dict)  # of the latest of them
    service_from: str = ""
