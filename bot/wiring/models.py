"""The language model of the settings, and where its traces go."""

from datetime import timedelta

from pydantic import SecretStr

from bot import __version__
from bot.investigation.model.late import How
from bot.investigation.model.opening import open_model
from bot.investigation.model.telemetry import Telemetry
from bot.ports import Model
from bot.settings import Settings


def telemetry_of(settings: Settings) -> Telemetry | None:
    """The way to an OpenTelemetry collector, where one is set. Raises BadSettings."""
    own = settings.telemetry
    if not own.otlp_endpoint:
        return None
    headers = own.otlp_headers.get_secret_value() if own.otlp_headers else ""
    return Telemetry(own.otlp_endpoint, headers, version=__version__)


def model_of(settings: Settings) -> Model | None:
    """The configured language model; None, and no part of LangChain loaded, where none is. Raises BadSettings."""
    if not settings.model:
        return None
    first = _how(settings, settings.model, settings.model_url, settings.model_api_key)
    if not settings.model_fallback:
        return open_model(first)
    same = settings.model_fallback.partition(":")[0] == settings.model.partition(":")[0]
    url = settings.model_fallback_url or (settings.model_url if same else "")
    key = settings.model_fallback_api_key or (settings.model_api_key if same else None)
    return open_model(first, _how(settings, settings.model_fallback, url, key))


def _how(settings: Settings, name: str, url: str, key: SecretStr | None) -> How:
    vendors_own = {"openai": settings.openai_api_key, "anthropic": settings.anthropic_api_key}
    return How(
        name,
        url,
        key or vendors_own.get(name.partition(":")[0]),
        settings.model_small,
        settings.model_context,
        timedelta(seconds=settings.model_timeout_seconds),
    )
