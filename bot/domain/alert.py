"""An alert, how bad it is, and which problem it is about."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

UNREADABLE = "UnreadableAlert"  # the name of alerts that stand for what nobody could read


class Severity(StrEnum):
    """How bad an alert or an incident is; SEV1 is the worst."""

    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"
    SEV4 = "SEV4"

    @property
    def rank(self) -> int:
        """1 for the worst, 4 for the least."""
        return int(self[-1])

    @staticmethod
    def worst(*severities: "Severity") -> "Severity":
        """The worst of them; SEV4 for none."""
        return min(severities, key=lambda s: s.rank, default=Severity.SEV4)


@dataclass(frozen=True, slots=True)
class Alert:
    """One observation of one problem, in our own words.

    `group` are the vendor's group labels (Alertmanager's groupLabels), part of the problem's identity; `labels` are
    all labels, the identity of one instance of it. Times are UTC; `ended_at` is None while it fires.
    """

    connector: str
    name: str
    service: str
    environment: str
    severity: Severity
    resolved: bool
    started_at: datetime
    ended_at: datetime | None = None
    summary: str = ""
    description: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    group: Mapping[str, str] = field(default_factory=dict)
    service_from: str = "label service"  # how the service was found, for people
    runbook_url: str = ""
    link: str = ""
    readable: bool = True  # False: no parser understood the payload
    ref: str = ""  # the vendor's own id of it, by which it can be acknowledged there
    called: str = ""  # its own word for the service, where a person mapped that to `service`; the word stays its identity


def fingerprint(alert: Alert) -> str:
    """The same problem always has the same fingerprint (16 hex digits).

    Time, value and pod name are left out: they change while the problem stays. What names no service is about its node.
    """
    group = sorted([(k, v) for k, v in alert.group.items() if k not in ("pod", "instance", "container", "node")])
    service = alert.called or alert.service
    if service in ("", "unknown") and alert.labels.get("node"):
        group.append(("on node", alert.labels["node"]))
    return _digest(alert.connector, alert.name, service, alert.environment, *[f"{k}={v}" for k, v in group])


def instance_key(alert: Alert, problem: str = "") -> str:
    """One instance of a problem, whose fingerprint the caller may know: all of its labels (16 hex digits)."""
    return _digest(problem or fingerprint(alert), *[f"{k}={v}" for k, v in sorted(alert.labels.items())])


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def unreadable(connector: str, path: str, reason: str, at: datetime) -> Alert:
    """What no parser understood, as a visible alert; all of one connector are one problem, each path an instance."""
    return Alert(
        connector=connector,
        name=UNREADABLE,
        service="tocsin",
        environment="",
        severity=Severity.SEV4,
        resolved=False,
        started_at=at,
        summary=f"A delivery of {connector} could not be read: {reason[:200]}",
        description="It is kept: `tocsin inbox list` shows it, `tocsin inbox replay` reads it again.",
        labels={"connector": connector, "path": path},
        group={"connector": connector},
        service_from="Tocsin itself",
        readable=False,
    )
