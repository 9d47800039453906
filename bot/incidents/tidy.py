"""An alert as it is kept: its service and environment by their proper names, without secrets, of bounded size."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from bot.domain.alert import Alert
from bot.domain.service import Service
from bot.redact import clean, redact

MOST_LABELS = 64
LONGEST_VALUE = 1000
Resolve = Callable[[str], Service | None]


def tidied(alert: Alert, resolve: Resolve, default_environment: str) -> Alert:
    """The alert with its service's own name, the default environment where it named none, redacted and cut to size.

    `resolve` is the catalogue's; a caller with many alerts remembers its answers.
    """
    said = "\n".join(_pairs(alert))
    plain = redact(said) == said and all(line.isprintable() for line in said.split("\n"))
    text, value = (_cut, _cut_value) if plain else (_text, _value)
    service, found = text(alert.service, 100) or "unknown", alert.service_from
    known = resolve(service)
    if known is not None and known.name != service:
        service, found = known.name, f"{found}, alias {service}"
    return replace(
        alert,
        name=text(alert.name, 200) or "unnamed",
        service=service,
        environment=text(alert.environment, 100) or default_environment,
        summary=text(alert.summary, 500),
        description=alert.description[:4000] if plain else redact(clean(alert.description[:8000]))[:4000],
        labels={text(key, 100): value(key, label) for key, label in _kept(alert.labels)},
        group={text(key, 100): value(key, label) for key, label in _kept(alert.group)},
        service_from=text(found, 200),
        runbook_url=text(alert.runbook_url, 1000),
        link=text(alert.link, 2000),
    )


def _pairs(alert: Alert) -> Iterator[str]:
    """All that the alert says, one line each; most alerts hold nothing secret, which one look at all of it shows."""
    yield from (alert.name, alert.service, alert.environment, alert.summary, alert.description[:8000])
    yield from (alert.service_from, alert.runbook_url, alert.link)
    for labels in (alert.labels, alert.group):
        yield from (f"{key}={value[:LONGEST_VALUE]}" for key, value in _kept(labels))


def _kept(labels: Mapping[str, str]) -> Sequence[tuple[str, str]]:
    return sorted(labels.items())[:MOST_LABELS]


def _cut(text: str, most: int) -> str:
    return " ".join(text.split())[:most]


def _cut_value(key: str, value: str) -> str:  # noqa: ARG001  the same shape as _value
    return value[:LONGEST_VALUE]


def _text(text: str, most: int) -> str:
    return " ".join(redact(clean(text[: 2 * most])).split())[:most]


def _value(key: str, value: str) -> str:
    """A label's value; its key helps to tell whether it is a secret."""
    told = redact(clean(f"{key}={value[:LONGEST_VALUE]}"))
    return told.partition("=")[2] if "=" in told else told
