"""Prometheus and what speaks its HTTP API (Mimir, Thanos, VictoriaMetrics): numbers of services, read-only."""

from pydantic import BaseModel

from bot.ports import Connector, EdgeSource, EvidenceSource, QueryProbe
from connectors.prometheus.api import rest_of
from connectors.prometheus.asking import NAME
from connectors.prometheus.probe import PrometheusProbe
from connectors.prometheus.servicegraph import ServiceGraphMetrics
from connectors.prometheus.settings import PrometheusSettings
from connectors.prometheus.source import Prometheus

__all__ = ["CONNECTOR", "NAME", "Prometheus", "PrometheusSettings"]


def _source(settings: BaseModel) -> EvidenceSource | None:
    return Prometheus(settings) if isinstance(settings, PrometheusSettings) and settings.url else None


def _edges(settings: BaseModel) -> EdgeSource | None:
    return ServiceGraphMetrics(rest_of(settings)) if isinstance(settings, PrometheusSettings) and settings.url else None


def _probe(settings: BaseModel) -> QueryProbe | None:
    if not isinstance(settings, PrometheusSettings) or not settings.url:
        return None
    token = settings.token.get_secret_value() if settings.token else ""
    return PrometheusProbe(settings.url, token, tenant=settings.tenant, auth=settings.auth)


CONNECTOR = Connector(
    name=NAME,
    title="Prometheus",
    settings=PrometheusSettings,
    help='url of the HTTP API; token if it asks for one; selector says how a service is found, such as {{app="{service}"}}',
    evidence=_source,
    edges=_edges,
    probe=_probe,
)
