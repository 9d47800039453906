"""Grafana: alerts of unified alerting by the webhook contact point, and of the legacy alerting before it.

Format: https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/.
Signed with HMAC-SHA256 over the raw body (Grafana 12), or over a time, a colon and the body; older ones show the secret.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from bot.domain.alert import Alert, unreadable
from bot.domain.payload import Node, read_json
from bot.domain.signature import digest, fresh, hmac_hex, proves, shows
from bot.domain.vocabulary import SEVERITY_LABELS, environment_of, first, line, link, service_of, severity_of
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings

NAME = "grafana"
SIGNATURE = "x-grafana-alerting-signature"
TIMES = ("x-grafana-alerting-timestamp", "x-grafana-alerting-signature-timestamp")  # Grafana has no usual name for it
TROUBLE = frozenset({"DatasourceNoData", "DatasourceError"})
LEGACY_FIRING = frozenset({"alerting", "no_data"})
LEGACY_OVER = "ok"


class GrafanaWebhook:
    """Notifications in, alerts out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the body, and its time if it has one, are signed; or the secret is shown."""
        given = delivery.headers.get(SIGNATURE, "")
        if not given and shows(secrets, delivery.headers, delivery.query):
            return
        _, at = first(delivery.headers, TIMES)
        signed = at.encode("utf-8", "replace") + b":" + delivery.body if at else delivery.body
        timely = fresh(at, delivery.received_at) if at else not delivery.body[:1].isdigit()  # no signed time moved into the body
        if not proves(secrets, given, lambda secret: hmac_hex(secret, signed)) or not timely:
            raise BadSignature("The signature is missing, wrong or too old; the contact point's HMAC secret must be Tocsin's.")

    def delivery_id(self, delivery: Delivery) -> str:
        """The signed body's own: it says when each alert began and ended, so that the same one again is no news."""
        return digest(delivery.body) if delivery.headers.get(SIGNATURE) else ""

    def parse(self, delivery: Delivery) -> Parsed:
        """One alert per entry of `alerts`; an entry that cannot be read is an unreadable alert beside the others."""
        payload = read_json(delivery.body).object()
        if payload["ruleName"]:
            return (_legacy(payload, delivery.received_at),)
        if payload["alerts"].value is None and payload["title"] and payload["labels"]:
            return (_alert(payload, payload, delivery.received_at),)  # a rule by itself
        return tuple(_events(payload, delivery.received_at))


def _events(payload: Node, received_at: datetime) -> Iterator[Alert | Ignored]:
    for entry in payload["alerts"].items():
        try:
            yield _alert(entry.object(), payload, received_at)
        except BadPayload as error:
            yield unreadable(NAME, error.path, str(error), received_at)
    left_out = payload["truncatedAlerts"].text("0")
    if left_out != "0":
        yield Ignored(f"{left_out[:12]} more alerts were left out by Grafana (Max Alerts)")


def _alert(entry: Node, payload: Node, received_at: datetime) -> Alert:
    """Labels that begin with two underscores are Grafana's own, and values are no labels."""
    labels = {k: v for k, v in entry["labels"].texts().items() if not k.startswith("__")}
    notes = entry["annotations"].texts()
    resolved = entry["status"].text(payload["status"].text("firing")) == "resolved"
    service, found = service_of(labels)
    name = labels.get("alertname", "").strip() or entry["title"].text().strip()
    if name in TROUBLE and labels.get("rulename"):  # Grafana's own alerts, when a rule could not be evaluated
        name = f"{name}: {labels['rulename'].strip()}"
    return Alert(
        connector=NAME,
        name=line(name) or "unnamed alert",
        service=service,
        environment=environment_of(labels),
        severity=severity_of(first(labels, SEVERITY_LABELS)[1]),
        resolved=resolved,
        started_at=entry["startsAt"].time() or received_at,
        ended_at=(entry["endsAt"].time() or received_at) if resolved else None,
        summary=first(notes, ("summary", "title", "message"))[1],
        description=notes.get("description", "").strip(),
        labels=labels,
        group={k: v for k, v in payload["groupLabels"].texts().items() if not k.startswith("__")},
        service_from=found,
        runbook_url=link(first(notes, ("runbook_url", "runbook"))[1]),
        link=next((u for k in ("panelURL", "dashboardURL", "generatorURL") if (u := link(entry[k].text()))), ""),
        ref=entry["fingerprint"].text()[:100],
    )


def _legacy(payload: Node, received_at: datetime) -> Alert | Ignored:
    """Alerting before Grafana 9: one rule a delivery; which series matched changes while the problem stays."""
    name, state = line(payload["ruleName"].needed()), payload["state"].needed()
    if state not in LEGACY_FIRING and state != LEGACY_OVER:
        return Ignored(f"{name}: {state[:40]}")
    tags: Mapping[str, str] = payload["tags"].texts()
    service, found = service_of(tags)
    rule = {key: payload[name].text() for key, name in (("org", "orgId"), ("rule", "ruleId")) if payload[name].text()}
    return Alert(
        connector=NAME,
        name=name,
        service=service,
        environment=environment_of(tags),
        severity=severity_of(first(tags, SEVERITY_LABELS)[1]),
        resolved=state == LEGACY_OVER,
        started_at=received_at,
        ended_at=received_at if state == LEGACY_OVER else None,
        summary=line(payload["message"].text()),
        description=payload["message"].text().strip(),
        labels={**tags, **rule},
        group=rule,
        service_from=found,
        link=link(payload["ruleUrl"].text()),
        ref=rule.get("rule", ""),
    )


CONNECTOR = Connector(
    name=NAME,
    title="Grafana",
    settings=WebhookSettings,
    help="TOCSIN_GRAFANA_SECRET is the HMAC secret of the webhook contact point, or the credentials of its authorization header",
    webhook=GrafanaWebhook(),
)
