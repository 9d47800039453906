"""Zabbix: problems and recoveries by the media type of docs/connectors/zabbix.md.

Format: https://www.zabbix.com/documentation/current/en/manual/config/notifications/media/webhook: a script of one's own over
macros. The secret is shown as a bearer token.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from bot.domain.alert import Alert, Severity
from bot.domain.handling import Deed, Handling
from bot.domain.payload import Node, read_json
from bot.domain.signature import shows
from bot.domain.vocabulary import SERVICE_LABELS, environment_of, first, line, link, severity_of
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Event, Ignored, Parsed, WebhookSettings

NAME = "zabbix"
SEVERITIES = {"0": "information", "1": "information", "2": "warning", "3": "average", "4": "high", "5": "disaster"}
# Zabbix's own templates tag triggers with the component (cpu, memory) of a host; that is no service.
_SERVICE_TAGS = tuple(name for name in SERVICE_LABELS if name not in ("component", "job"))
_DEEDS = (
    ("unacknowledged", Deed.UNACKNOWLEDGED),
    ("acknowledged", Deed.ACKNOWLEDGED),
    ("unsuppressed", Deed.UNSILENCED),
    ("suppressed", Deed.SILENCED),
)


class ZabbixWebhook:
    """One event in, one alert out; what people did to a problem in Zabbix is a handling."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the request shows one of the secrets."""
        if not shows(secrets, delivery.headers, delivery.query):
            raise BadSignature("The bearer token is missing or wrong; set the parameter token of the media type in Zabbix.")

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  an event is told of several times: problem, updates, recovery
        """Zabbix has no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The event; those of discovery, registration and Zabbix itself are ignored."""
        payload = read_json(delivery.body).object()
        if (source := _text(payload["source"]) or "0") not in ("0", "4"):  # 0: triggers, 4: services
            return (Ignored(f"an event of source {source[:20]}, which is no trigger"),)
        if _text(payload["update_status"]) == "1":
            return (_update(payload, delivery.received_at),)
        return (_alert(payload, delivery.received_at),)


def _alert(payload: Node, received_at: datetime) -> Alert:
    tags, host = _tags(payload["tags"]), _text(payload["host"])
    value = payload["value"].needed()
    if value not in ("0", "1"):
        raise BadPayload(f"{value[:40]!r} is neither 1 (problem) nor 0 (recovery)", path=payload["value"].path)
    key, named = first(tags, _SERVICE_TAGS)
    trigger = _text(payload["trigger_id"])
    event = _text(payload["event_id"])
    name = _text(payload["trigger_name"])
    over = value == "0"
    return Alert(
        connector=NAME,
        name=line(name) or line(payload["name"].needed()),
        service=(named or host or "unknown")[:100],
        service_from=f"tag {key}" if named else "the host" if host else "neither a tag nor a host names one",
        environment=environment_of(tags),
        severity=_severity(payload),
        resolved=over,
        started_at=payload["started_at"].time() or received_at,
        ended_at=(payload["recovered_at"].time() or received_at) if over else None,
        summary=line(_text(payload["name"])) or line(name),
        description="\n".join(part for part in (_text(payload["description"]), _text(payload["opdata"])) if part),
        labels={**tags, **({"host": host} if host else {}), **({"trigger": trigger} if trigger else {})},
        group={"trigger": trigger} if trigger else {},
        link=_link(payload, trigger, event),
        ref=event[:100],
    )


def _update(payload: Node, received_at: datetime) -> Event:
    """An acknowledgement and its like; a message or another severity changes nothing here."""
    action = _text(payload["update_action"]).lower()
    deed = next((deed for word, deed in _DEEDS if word in action), None)
    if deed is None:
        return Ignored(f"an update of event {_text(payload['event_id'])[:40]}: {action[:80]}")
    by, note = line(_text(payload["user"]), 100), line(_text(payload["update_message"]))
    return Handling(NAME, deed, received_at, ref=payload["event_id"].needed()[:100], by=by, note=note)


def _severity(payload: Node) -> Severity:
    return severity_of(SEVERITIES.get(_text(payload["nseverity"])) or _text(payload["severity"]))


def _link(payload: Node, trigger: str, event: str) -> str:
    base = _text(payload["zabbix_url"]).rstrip("/")
    return link(f"{base}/tr_events.php?triggerid={trigger}&eventid={event}") if trigger.isdecimal() and event.isdecimal() else ""


def _text(node: Node) -> str:
    """A macro that Zabbix could not resolve stays as it is, or is *UNKNOWN*."""
    text = node.text().strip()
    unresolved = text == "*UNKNOWN*" or (text.startswith("{") and text.endswith("}") and text[1:-1].replace(".", "").isupper())
    return "" if unresolved else text


def _tags(node: Node) -> Mapping[str, str]:
    """{EVENT.TAGSJSON}: a list of `tag` and `value`, as JSON in a text."""
    value = node.value
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    pairs = Node(value, node.path).optional_items()
    return {pair["tag"].text()[:100]: pair["value"].text()[:300] for pair in pairs if pair["tag"].text() and pair["value"].text()}


CONNECTOR = Connector(
    name=NAME,
    title="Zabbix",
    settings=WebhookSettings,
    help="TOCSIN_ZABBIX_SECRET is the parameter `token` of the media type",
    webhook=ZabbixWebhook(),
)
