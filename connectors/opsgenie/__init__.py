"""Opsgenie: alerts by its outgoing webhook, pages and acknowledgements by the Alert API, on-call by the Schedule API."""

from pydantic import BaseModel, SecretStr

from bot.ports import Connector, Pager, Responder, Schedules, WebhookSettings
from connectors.opsgenie.api import Opsgenie
from connectors.opsgenie.webhook import NAME, OpsgenieWebhook

__all__ = ["CONNECTOR", "OpsgenieSettings"]


class OpsgenieSettings(WebhookSettings):
    """The webhook's secret, and the key of an API integration (read, create and update, configuration access)."""

    api_key: SecretStr | None = None
    team: str = ""  # whom a page without a target goes to; "" leaves it to the integration
    url: str = "https://api.opsgenie.com"  # https://api.eu.opsgenie.com in Europe


def _api(settings: BaseModel) -> Opsgenie | None:
    assert isinstance(settings, OpsgenieSettings)  # noqa: S101  the connector's own model
    return Opsgenie(settings.url, settings.api_key.get_secret_value(), settings.team) if settings.api_key else None


def _pager(settings: BaseModel) -> Pager | None:
    return _api(settings)


def _schedules(settings: BaseModel) -> Schedules | None:
    return _api(settings)


def _responder(settings: BaseModel) -> Responder | None:
    api = _api(settings)
    return api.responder if api else None


CONNECTOR = Connector(
    name=NAME,
    title="Opsgenie",
    settings=OpsgenieSettings,
    help="TOCSIN_OPSGENIE_SECRET is the token of a custom header of the webhook integration: Authorization: Bearer <token>",
    webhook=OpsgenieWebhook(),
    pager=_pager,
    schedules=_schedules,
    responder=_responder,
)
