"""Datadog: monitors by the webhooks integration, numbers of services by its API."""

from pydantic import BaseModel

from bot.ports import Connector, EvidenceSource
from connectors.datadog.metrics import DatadogMetrics, DatadogSettings
from connectors.datadog.webhook import NAME, DatadogWebhook

__all__ = ["CONNECTOR", "NAME", "DatadogMetrics", "DatadogSettings", "DatadogWebhook"]


def _source(settings: BaseModel) -> EvidenceSource | None:
    return DatadogMetrics(settings) if isinstance(settings, DatadogSettings) and settings.api_key and settings.app_key else None


CONNECTOR = Connector(
    name=NAME,
    title="Datadog",
    settings=DatadogSettings,
    help='TOCSIN_DATADOG_SECRET is shown in the webhook\'s custom headers: {"Authorization": "Bearer …"}',
    webhook=DatadogWebhook(),
    evidence=_source,
)
