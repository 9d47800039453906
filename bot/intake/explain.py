"""How a payload is read, told field by field, for whoever writes a mapping or wonders about an alert."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict

from bot.domain.alert import Alert, fingerprint
from bot.errors import NotFound
from bot.ports import Connector, Delivery, Event, Explains, Ignored
from bot.redact import clean, redact


def explained(connectors: Mapping[str, Connector], delivery: Delivery) -> Iterator[str]:
    """Lines for a terminal: the mapping's steps if the connector can tell them, then each event.

    Raises NotFound for a connector that is not there, BadPayload for what it cannot read.
    """
    connector = connectors.get(delivery.connector)
    if connector is None or connector.webhook is None:
        raise NotFound(f"No connector {delivery.connector!r} takes webhooks; there are {', '.join(sorted(connectors))}.")
    if isinstance(connector.webhook, Explains):
        yield from (redact(clean(line)) for line in connector.webhook.explain(delivery))
    for event in connector.webhook.parse(delivery):
        yield from (redact(clean(line)) for line in _told(event))


def _told(event: Event) -> Iterator[str]:
    if isinstance(event, Ignored):
        yield f"ignored: {event.reason}"
        return
    if isinstance(event, Alert):
        yield f"an alert of the problem {fingerprint(event)}:"
    else:
        yield f"a {type(event).__name__.lower()}:"
    for field, value in asdict(event).items():
        if value not in ("", None, (), {}):
            yield f"  {field:12} {value}"
