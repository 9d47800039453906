"""Prometheus Alertmanager: alerts by webhook, version 4, and silences both ways.

Format: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config. Alertmanager proves itself with a bearer
token (`http_config.authorization`); it has no ids for deliveries.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime

from pydantic import BaseModel, SecretStr

from bot.domain.alert import Alert, unreadable
from bot.domain.payload import Node, read_json
from bot.domain.signature import bears
from bot.domain.vocabulary import SEVERITY_LABELS, environment_of, first, link, service_of, severity_of
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, Responder, SilenceSource, WebhookSettings
from connectors.alertmanager.silences import Silences

NAME = "alertmanager"


class AlertmanagerSettings(WebhookSettings):
    """The webhook's secret, and where Alertmanager is; without `url` silences stay on either side."""

    url: str = ""
    token: SecretStr | None = None


class AlertmanagerWebhook:
    """Webhook version 4 in, alerts out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the bearer token is one of the secrets."""
        if not bears(secrets, delivery.headers):
            raise BadSignature("The bearer token is missing or wrong; set http_config.authorization in alertmanager.yml.")

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  Alertmanager has none
        """Alertmanager has no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """One alert per entry of `alerts`; an entry that cannot be read is an unreadable alert beside the others."""
        return tuple(_events(read_json(delivery.body).object(), delivery.received_at))


def _events(payload: Node, received_at: datetime) -> Iterator[Alert | Ignored]:
    for entry in payload["alerts"].items():
        try:
            yield _alert(entry.object(), payload, received_at)
        except BadPayload as error:
            yield unreadable(NAME, error.path, str(error), received_at)
    left_out = payload["truncatedAlerts"].text("0")
    if left_out != "0":
        yield Ignored(f"{left_out[:12]} more alerts were left out by Alertmanager (max_alerts)")


def _alert(entry: Node, payload: Node, received_at: datetime) -> Alert:
    labels, notes = entry["labels"].texts(), entry["annotations"].texts()
    resolved = entry["status"].text(payload["status"].text("firing")) == "resolved"
    service, found = service_of(labels)
    summary, message = first(notes, ("summary", "title", "message"))[1], notes.get("message", "").strip()
    return Alert(
        connector=NAME,
        name=labels.get("alertname") or notes.get("title") or "unnamed alert",
        service=service,
        environment=environment_of(labels),
        severity=severity_of(first(labels, SEVERITY_LABELS)[1]),
        resolved=resolved,
        started_at=entry["startsAt"].time() or received_at,
        ended_at=(entry["endsAt"].time() or received_at) if resolved else None,
        summary=summary,
        description=notes.get("description", "").strip() or (message if message != summary else ""),
        labels=labels,
        group=payload["groupLabels"].texts(),
        service_from=found,
        runbook_url=link(first(notes, ("runbook_url", "runbook"))[1]),
        link=link(entry["generatorURL"].text()) or link(payload["externalURL"].text()),
        ref=entry["fingerprint"].text()[:100],
    )


def _silences(settings: BaseModel) -> Silences | None:
    assert isinstance(settings, AlertmanagerSettings)  # noqa: S101  the connector's own model
    return Silences(settings.url, settings.token.get_secret_value() if settings.token else "") if settings.url else None


def _responder(settings: BaseModel) -> Responder | None:
    return _silences(settings)


def _source(settings: BaseModel) -> SilenceSource | None:
    return _silences(settings)


CONNECTOR = Connector(
    name=NAME,
    title="Prometheus Alertmanager",
    settings=AlertmanagerSettings,
    help="TOCSIN_ALERTMANAGER_SECRET is the bearer token: receivers[].webhook_configs[].http_config.authorization.credentials",
    webhook=AlertmanagerWebhook(),
    responder=_responder,
    silences=_source,
)
