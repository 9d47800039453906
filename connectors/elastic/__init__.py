"""Elastic: alerts of Kibana's rules and of Watcher by webhook, and log lines out of Elasticsearch or OpenSearch."""

from pydantic import BaseModel

from bot.ports import Connector, EvidenceSource
from connectors.elastic.alerts import NAME, ElasticWebhook
from connectors.elastic.logs import ElasticLogs
from connectors.elastic.settings import ElasticSettings

__all__ = ["CONNECTOR", "NAME", "ElasticLogs", "ElasticSettings"]


def _source(settings: BaseModel) -> EvidenceSource | None:
    return ElasticLogs(settings) if isinstance(settings, ElasticSettings) and settings.url else None


CONNECTOR = Connector(
    name=NAME,
    title="Elastic",
    settings=ElasticSettings,
    help=(
        "TOCSIN_ELASTIC_SECRET is the password (any user) or the bearer token of Kibana's webhook connector; for log lines url, "
        "index and TOCSIN_ELASTIC_API_KEY (or username and TOCSIN_ELASTIC_PASSWORD) of Elasticsearch or OpenSearch"
    ),
    webhook=ElasticWebhook(),
    evidence=_source,
)
