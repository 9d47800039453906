"""Opsgenie's outgoing webhook: alerts, and what people do to them.

Format: https://docs.opsgenie.com/docs/webhook-integration and .../marid-alert-action-data. Opsgenie does not sign; a custom
header of the integration carries the token. An alert that Tocsin itself made has Tocsin's key as its alias: the flow asks whether
we sent it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from bot.domain.alert import Alert
from bot.domain.handling import PAGE, Deed, Handling
from bot.domain.payload import Node, read_json
from bot.domain.signature import bears
from bot.domain.vocabulary import environment_of, line, service_of, severity_of
from bot.errors import BadSignature
from bot.ports import Claimed, Delivery, Ignored, Parsed

NAME = "opsgenie"
BY_TOCSIN = "Tocsin"  # the `source` of what we do there
ENDS = frozenset({"Close", "Delete"})
DEEDS = {
    "Acknowledge": Deed.ACKNOWLEDGED,
    "UnAcknowledge": Deed.UNACKNOWLEDGED,
    "Close": Deed.RESOLVED,
    "Snooze": Deed.SILENCED,
}


class OpsgenieWebhook:
    """Actions on alerts in; alerts and handlings out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the bearer token is one of the secrets."""
        if not bears(secrets, delivery.headers):
            raise BadSignature("The bearer token is missing or wrong; add the header Authorization to the webhook integration.")

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  Opsgenie has none
        """Opsgenie has no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The alert and the handling of one action."""
        payload = read_json(delivery.body).object()
        action, alert = payload["action"].needed(), payload["alert"].object()
        if action != "Create" and action not in ENDS and action not in DEEDS:
            return (Ignored(action[:60]),)
        return tuple(_events(payload, action, alert, delivery.received_at))


def _events(payload: Node, action: str, alert: Node, received_at: datetime) -> Iterator[Alert | Handling | Ignored]:
    ref, alias = alert["alertId"].needed()[:100], alert["alias"].text()[:512]
    at = _time(alert["updatedAt"]) or received_at
    ours = alias if alias.startswith(PAGE) else ""
    by_people = action in DEEDS and payload["source"]["name"].text() != BY_TOCSIN
    if by_people:
        until = _time(alert["snoozeEndDate"]) if action == "Snooze" else None
        yield Handling(NAME, DEEDS[action], at, ref=ref, key=ours, by=alert["username"].text()[:100], until=until)
    if action == "Create" or action in ENDS:
        told = _alert(alert, ref, action in ENDS, at, received_at)
        yield Claimed(f"{action} of a page with Tocsin's key", ours, told) if ours else told
    elif not by_people:
        yield Ignored(f"{action} that Tocsin did")


def _alert(alert: Node, ref: str, resolved: bool, at: datetime, received_at: datetime) -> Alert:
    """The alert by what every action tells of it; details come with Create only, so they are no part of its identity."""
    title, entity = line(alert["message"].needed()), alert["entity"].text().strip()
    tags = dict(pair for tag in alert["tags"].optional_items() if (pair := _pair(tag.text())))
    service, found = service_of(tags)
    details = "\n".join(f"{k}: {v}" for k, v in sorted(alert["details"].texts().items()))
    return Alert(
        connector=NAME,
        name=title[:200],
        service=(entity or service)[:100],
        environment=environment_of(tags),
        severity=severity_of(alert["priority"].text()),
        resolved=resolved,
        started_at=_time(alert["createdAt"]) or received_at,
        ended_at=at if resolved else None,
        summary=title,
        description="\n".join(part for part in (alert["description"].text(), details) if part)[:2000],
        labels={"alert": ref},
        service_from="Opsgenie's entity" if entity else found.replace("label", "tag"),
        ref=ref,
    )


def _pair(tag: str) -> tuple[str, str] | None:
    """A tag like service:payments."""
    name, colon, value = tag.partition(":")
    return (name.strip().lower(), value.strip()) if colon and value.strip() else None


def _time(node: Node) -> datetime | None:
    """A time that Opsgenie writes in milliseconds, nanoseconds or ISO 8601; None where there is none."""
    value = node.value
    if isinstance(value, int) and not isinstance(value, bool):
        scale = 10 ** max(0, len(str(abs(value))[:40]) - 10)
        try:
            return datetime.fromtimestamp(value / scale, tz=UTC)
        except (ValueError, OverflowError, OSError):
            return None
    return node.time() if isinstance(value, str) else None
