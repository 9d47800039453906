"""Datadog: monitors by the webhooks integration, with the payload of docs/connectors/datadog.md.

Format: https://docs.datadoghq.com/integrations/webhooks/: a payload of one's own, filled in with $VARIABLES. The secret is
shown in a custom header.
"""

import re
from collections.abc import Sequence
from datetime import datetime

from bot.domain.alert import Alert
from bot.domain.payload import Node, read_json
from bot.domain.signature import shows
from bot.domain.vocabulary import ENVIRONMENT_LABELS, SERVICE_LABELS, environment_of, line, link, service_of, severity_of
from bot.errors import BadPayload, BadSignature
from bot.ports import Delivery, Parsed

NAME = "datadog"
# "[P1] [Re-Triggered on {host:a}] Disk is full": what happened stands before what the monitor is called.
_PREFIX = re.compile(
    r"^(?:\s*\[(?:P[1-5]|(?:Re-)?(?:Triggered|Recovered|Alert|Warn|No Data|Renotify)\b[^\]]*)\])+\s*", re.IGNORECASE
)
_UNFILLED = re.compile(r"\$[A-Z][A-Z_]*")
_KEPT = frozenset((*SERVICE_LABELS, *ENVIRONMENT_LABELS, "team", "region", "availability-zone", "kube_cluster_name"))


class DatadogWebhook:
    """One notification of a monitor in, one alert out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the request shows one of the secrets."""
        if not shows(secrets, delivery.headers, delivery.query):
            raise BadSignature("The secret is missing or wrong; set the custom header Authorization of the webhook in Datadog.")

    def delivery_id(self, delivery: Delivery) -> str:
        """The id of Datadog's event, the same when it delivers again."""
        try:
            return _text(read_json(delivery.body)["id"])[:100]
        except BadPayload:
            return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The monitor's alert; its group is what it alerts about, so its tags are left out unless they name a place."""
        payload = read_json(delivery.body).object()
        transition, kind = _text(payload["transition"]), _text(payload["alert_type"])
        resolved = transition.lower().startswith("recovered") or (not transition and kind == "success")
        tags, scope = _tags(payload["tags"]), _tags(payload["scope"]) | _tags(payload["scopes"])
        monitor = _text(payload["alert_id"]) or _text(payload["monitor_id"])
        title = _PREFIX.sub("", line(_text(payload["title"])))
        if not (title or monitor):
            title = payload["title"].needed()
        at = _time(payload["date"]) or delivery.received_at
        began = _time(payload["began"]) or at
        service, found = service_of(scope | tags)
        return (
            Alert(
                connector=NAME,
                name=title or f"monitor {monitor}",
                service=service,
                environment=environment_of(scope | tags),
                severity=severity_of("warning" if "warn" in transition.lower() else _priority(payload) or kind),
                resolved=resolved,
                started_at=min(began, at),
                ended_at=at if resolved else None,
                summary=line(_text(payload["status"])) or line(_text(payload["message"])),
                description=_text(payload["message"]),
                labels={k: v for k, v in tags.items() if k in _KEPT} | scope | ({"monitor": monitor} if monitor else {}),
                group={"monitor": monitor} if monitor else {},
                service_from=found.replace("label", "tag"),
                link=link(_text(payload["link"])),
                ref=monitor[:100],
            ),
        )


def _text(node: Node) -> str:
    """What stands there; a variable that Datadog had nothing for stays as it is, or is null."""
    text = node.text().strip()
    return "" if _UNFILLED.fullmatch(text) or text == "null" else text


def _priority(payload: Node) -> str:
    """P1 to P5; the API of Datadog writes them as 1 to 5."""
    priority = _text(payload["priority"])
    return f"P{priority}" if priority in ("1", "2", "3", "4", "5") else priority if priority[:1] in ("P", "p") else ""


def _tags(node: Node) -> dict[str, str]:
    """`key:value` separated by commas; a tag without a value is no label, a scope without a key is a host."""
    parts = [tag.text() for tag in node.items()] if isinstance(node.value, list) else _text(node).strip("{}").split(",")
    pairs = (part.strip().partition(":") for part in parts)
    found = {key: value for key, _, value in pairs if key and value}
    if not found and node.path.endswith(".scopes") and _text(node):
        return {"host": _text(node)}
    return found


def _time(node: Node) -> datetime | None:
    """Milliseconds since 1970, which Datadog sends as a text."""
    text = _text(node)
    return Node(int(text) / 1000, node.path).time() if text.isascii() and text.isdecimal() and len(text) <= 15 else None
