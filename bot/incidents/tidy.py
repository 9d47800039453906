"""An alert as it is kept: its service and environment by their proper names, without secrets, of bounded size."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from bot.domain.alert import Alert
from bot.domain.service import Service
from bot.domain.vocabulary import identity
from bot.redact import clean, redact

MOST_LABELS = 64
LONGEST_VALUE = 1000
READ = 2 * LONGEST_VALUE  # of a value: half a secret at its end would not be known as one
MOST_KNOWN = 20_000  # fields that are remembered as holding no secret, each of at most so many characters
LONGEST_KNOWN = 200
Resolve = Callable[[str], Service | None]
Pairs = Sequence[tuple[str, str]]


def tidied(alert: Alert, resolve: Resolve, default_environment: str) -> Alert:
    """The alert with its service's own name, the default environment where it named none, redacted and cut to size.

    `resolve` is the catalogue's; a caller with many alerts remembers its answers.
    """
    labels, group = _kept(alert.labels), _kept(alert.group)
    description = _said(alert)
    plain = _plain(_fields(alert, labels, group))
    text = _cut if plain else _text
    service, found = text(alert.service, 100) or "unknown", alert.service_from
    known = resolve(service)
    if known is not None and known.name != service:
        service, found = known.name, f"{found}, alias {service}"
    return Alert(  # `replace` takes longer than all the rest
        connector=alert.connector,
        name=text(alert.name, 200) or "unnamed",
        service=service,
        environment=text(alert.environment, 100) or default_environment,
        severity=alert.severity,
        resolved=alert.resolved,
        started_at=alert.started_at,
        ended_at=alert.ended_at,
        summary=text(alert.summary, 500),
        description=description[:4000] if plain else redact(clean(description[:8000]))[:4000],
        labels=_cut_pairs(labels) if plain else {_text(key, 100): _value(key, label) for key, label in labels},
        group=_cut_pairs(group) if plain else {_text(key, 100): _value(key, label) for key, label in group},
        service_from=text(found, 200),
        runbook_url=text(alert.runbook_url, 1000),
        link=text(alert.link, 2000),
        readable=alert.readable,
        ref=alert.ref,
        called=alert.called,
    )


_known: set[str] = set()


def _plain(fields: Sequence[str]) -> bool:
    """No field holds a secret or a character that deceives. Alerts repeat themselves: only what is new is looked at."""
    new = [field for field in fields if field not in _known]
    if not new:
        return True
    said = "\n".join(new)
    if redact(said) != said or not all(line.isprintable() for line in said.split("\n")):
        return False
    if len(_known) > MOST_KNOWN:
        _known.clear()
    _known.update(field for field in new if len(field) <= LONGEST_KNOWN)
    return True


def _fields(alert: Alert, labels: Pairs, group: Pairs) -> list[str]:
    """All that the alert says; most alerts hold nothing secret, which one look at all of it shows."""
    return [
        alert.name,
        alert.service,
        alert.environment,
        alert.summary,
        alert.description[:8000],
        alert.service_from,
        alert.runbook_url,
        alert.link,
        *[f"{key}={value[:READ]}" for key, value in labels],
        *[f"{key}={value[:READ]}" for key, value in group],
    ]


def _kept(labels: Mapping[str, str]) -> Pairs:
    if len(labels) <= MOST_LABELS:
        return sorted(labels.items()) if labels else ()
    return sorted(identity(dict(sorted(labels.items())), MOST_LABELS).items())


def _said(alert: Alert) -> str:
    """The description, and that labels are missing."""
    if len(alert.labels) <= MOST_LABELS:
        return alert.description
    left_out = f"{MOST_LABELS} of its {len(alert.labels)} labels are kept; the others are in the delivery (`tocsin inbox show`)."
    return f"{left_out}\n{alert.description}"


def _cut(text: str, most: int) -> str:
    return " ".join(text.split())[:most]


def _cut_pairs(pairs: Pairs) -> dict[str, str]:
    return {_cut_key(key[:LONGEST_KNOWN]): value[:LONGEST_VALUE] for key, value in pairs}


@lru_cache(maxsize=2_000)
def _cut_key(key: str) -> str:
    return _cut(key, 100)


def _text(text: str, most: int) -> str:
    return " ".join(redact(clean(text[: 2 * most])).split())[:most]


def _value(key: str, value: str) -> str:
    """A label's value; its key helps to tell whether it is a secret."""
    told = redact(clean(f"{key}={value[:READ]}"))
    return (told.partition("=")[2] if "=" in told else told)[:LONGEST_VALUE]
