"""PagerDuty: incidents by webhook (v3), pages by the Events API v2, on-call and acknowledgements by the REST API v2."""

from collections.abc import Mapping
from datetime import UTC, datetime

from pydantic import BaseModel, Field, SecretStr

from bot.ports import Connector, IncidentHistory, Pager, Responder, Schedules, WebhookSettings
from connectors.pagerduty.api import PagerDutyEvents, PagerDutyRest
from connectors.pagerduty.history import PagerDutyHistory
from connectors.pagerduty.webhook import NAME, PagerDutyWebhook

__all__ = ["CONNECTOR", "PagerDutySettings"]


class PagerDutySettings(WebhookSettings):
    """The webhook's secret, and what pages and lookups take; without `routing_key` nobody is paged."""

    routing_key: SecretStr | None = None  # of an Events API v2 integration
    routing_keys: Mapping[str, SecretStr] = Field(default_factory=dict)  # further ones by name: the targets of routing.yaml
    api_token: SecretStr | None = None
    from_email: str = ""  # the PagerDuty user in whose name incidents are acknowledged
    url: str = "https://api.pagerduty.com"
    events_url: str = "https://events.pagerduty.com"


def _pager(settings: BaseModel) -> Pager | None:
    assert isinstance(settings, PagerDutySettings)  # noqa: S101  the connector's own model
    keys = {name: key.get_secret_value() for name, key in settings.routing_keys.items()}
    if settings.routing_key is not None:
        keys[""] = settings.routing_key.get_secret_value()
    return PagerDutyEvents(settings.events_url, keys) if keys else None


def _schedules(settings: BaseModel) -> Schedules | None:
    assert isinstance(settings, PagerDutySettings)  # noqa: S101  as above
    return PagerDutyRest(settings.url, settings.api_token.get_secret_value()) if settings.api_token else None


def _responder(settings: BaseModel) -> Responder | None:
    assert isinstance(settings, PagerDutySettings)  # noqa: S101  as above
    if settings.api_token is None or not settings.from_email:
        return None
    return PagerDutyRest(settings.url, settings.api_token.get_secret_value(), settings.from_email)


def _history(settings: BaseModel, query: str) -> IncidentHistory | None:
    assert isinstance(settings, PagerDutySettings)  # noqa: S101  as above
    if settings.api_token is None:
        return None
    return PagerDutyHistory(settings.url, settings.api_token.get_secret_value(), query, lambda: datetime.now(UTC))


CONNECTOR = Connector(
    name=NAME,
    title="PagerDuty",
    settings=PagerDutySettings,
    help="TOCSIN_PAGERDUTY_SECRET is the signing secret that PagerDuty shows once when the webhook subscription is made",
    webhook=PagerDutyWebhook(),
    pager=_pager,
    schedules=_schedules,
    responder=_responder,
    history=_history,
)
