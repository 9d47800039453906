"""PagerDuty's webhooks, version 3: incidents are alerts, what people do to them are handlings.

Format: https://developer.pagerduty.com/docs/webhooks-overview, signatures:
https://developer.pagerduty.com/docs/verifying-webhook-signatures. An incident that Tocsin itself triggered carries Tocsin's key
as its incident_key: the flow looks whether we sent it, or each page would open an incident that
is paged.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.domain.alert import Alert, Severity
from bot.domain.handling import PAGE, Deed, Handling
from bot.domain.payload import Node, read_json
from bot.domain.signature import hmac_hex, proves
from bot.domain.vocabulary import line, link, severity_of
from bot.errors import BadPayload, BadSignature
from bot.ports import Claimed, Delivery, Ignored, Parsed

NAME = "pagerduty"
MOST_SIGNATURES = 10
FIRING = frozenset({"triggered", "reopened", "priority_updated"})
DEEDS = {
    "acknowledged": Deed.ACKNOWLEDGED,
    "unacknowledged": Deed.UNACKNOWLEDGED,
    "resolved": Deed.RESOLVED,
}
PEOPLE = frozenset({"user_reference", "user"})


class PagerDutyWebhook:
    """Version 3 in; alerts and handlings out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless one of the signatures is made with one of the secrets."""
        proven = False
        for one in delivery.headers.get("x-pagerduty-signature", "").split(",")[:MOST_SIGNATURES]:
            proven |= proves(secrets, one.strip(), lambda secret: f"v1={hmac_hex(secret, delivery.body)}")
        if not proven:
            raise BadSignature("X-PagerDuty-Signature is missing or wrong; the subscription's signing secret must be Tocsin's.")

    def delivery_id(self, delivery: Delivery) -> str:
        """PagerDuty's own id of the event, the same when it delivers again."""
        try:
            return read_json(delivery.body)["event"]["id"].text()[:100]
        except BadPayload:
            return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The alert and the handling of one event."""
        event = read_json(delivery.body).object()["event"].object()
        kind, at = event["event_type"].needed(), event["occurred_at"].time() or delivery.received_at
        family, _, verb = kind.partition(".")
        if family != "incident" or (verb not in FIRING and verb not in DEEDS):
            return (Ignored(kind[:60]),)
        return tuple(_events(event, verb, at))


def _events(event: Node, verb: str, at: datetime) -> Iterator[Alert | Handling | Ignored]:
    incident = event["data"].object()
    ref, key = incident["id"].needed()[:100], incident["incident_key"].text()[:255]
    person = event["agent"]["summary"].text()[:100] if event["agent"]["type"].text() in PEOPLE else ""
    ours = key if key.startswith(PAGE) else ""
    if verb in DEEDS and (person or not ours):  # else by Tocsin itself, or by a timer of PagerDuty's
        yield Handling(NAME, DEEDS[verb], at, ref=ref, key=ours, by=person)
    if verb in FIRING or verb == "resolved":
        alert = _alert(incident, ref, verb == "resolved", at)
        yield Claimed(f"incident.{verb} of a page with Tocsin's key", ours, alert) if ours else alert
    elif ours and not person:
        yield Ignored(f"incident.{verb} of a page that nobody did")


def _alert(incident: Node, ref: str, resolved: bool, at: datetime) -> Alert:
    title, service = line(incident["title"].needed()), incident["service"]["summary"].text().strip()
    priority = incident["priority"]["summary"].text()
    return Alert(
        connector=NAME,
        name=title[:200],
        service=service[:100] or "unknown",
        environment="",
        severity=severity_of(priority) if priority else _by_urgency(incident["urgency"].text()),
        resolved=resolved,
        started_at=incident["created_at"].time() or at,
        ended_at=at if resolved else None,
        summary=title,
        labels={"incident": ref, **({"number": n} if (n := incident["number"].text()) else {})},
        service_from="PagerDuty's service" if service else "PagerDuty names no service",
        link=link(incident["html_url"].text()),
        ref=ref,
    )


def _by_urgency(urgency: str) -> Severity:
    return Severity.SEV3 if urgency == "low" else Severity.SEV2
