"""An alert as it is kept: its service and environment by their proper names, without secrets, of bounded size."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

from bot.domain.alert import Alert
from bot.domain.service import Catalogue
from bot.redact import clean, redact

MOST_LABELS = 64


def tidied(alert: Alert, catalogue: Catalogue, default_environment: str) -> Alert:
    """The alert with its service's own name, the default environment where it named none, redacted and cut to size."""
    service, found = _text(alert.service, 100) or "unknown", alert.service_from
    known = catalogue.resolve(service)
    if known is not None and known.name != service:
        service, found = known.name, f"{found}, alias {service}"
    return replace(
        alert,
        name=_text(alert.name, 200) or "unnamed",
        service=service,
        environment=_text(alert.environment, 100) or default_environment,
        summary=_text(alert.summary, 500),
        description=_prose(alert.description, 4000),
        labels=_labels(alert.labels),
        group=_labels(alert.group),
        service_from=_text(found, 200),
        runbook_url=_text(alert.runbook_url, 1000),
        link=_text(alert.link, 2000),
    )


def _labels(labels: Mapping[str, str]) -> dict[str, str]:
    kept = sorted(labels.items())[:MOST_LABELS]
    return {_text(key, 100): _pair(key, value[:1000]) for key, value in kept}


@lru_cache(maxsize=8192)
def _pair(key: str, value: str) -> str:
    """A label's value; its key helps to tell whether it is a secret."""
    told = redact(clean(f"{key}={value}"))
    return told.partition("=")[2] if "=" in told else told


@lru_cache(maxsize=2048)
def _text(text: str, most: int) -> str:
    return " ".join(redact(clean(text[: 2 * most])).split())[:most]


def _prose(text: str, most: int) -> str:
    return redact(clean(text[: 2 * most]))[:most]
