"""Any JSON webhook: alerts or changes by a mapping of JMESPath expressions, in the settings or shipped as a preset.

The language of the expressions: https://jmespath.org/specification.html. A delivery names its source as
/webhooks/generic?source=NAME; without one it is read by the plain mapping, whose expressions are the names of the fields.
A source of the settings wins over a preset of its name. `service` and `environment` in the URL win over the payload's.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, Field

from bot.domain.alert import Alert, unreadable
from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.vocabulary import link, severity_of
from bot.errors import BadPayload
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings
from connectors.generic.mapping import PLAIN, Source, entries_of, looked_up, skipped, translated
from connectors.generic.presets import PRESETS
from connectors.generic.proof import check

NAME = "generic"
MOST_LABELS = 100
SHOWN = 120  # characters of a value in an explanation
_OVER = frozenset(("resolved", "ok", "okay", "closed", "recovered", "recovery", "cleared", "normal", "up", "green", "inactive"))


class GenericSettings(WebhookSettings):
    """The sources by the name that their URL carries."""

    sources: Mapping[str, Source] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class GenericWebhook:
    """Payloads of any shape in, alerts or changes out."""

    sources: Mapping[str, Source]

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the delivery proves a secret in the way of its source."""
        name = delivery.query.get("source", "")
        check(delivery, self.sources.get(name) or PRESETS.get(name, PLAIN), secrets)

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002 - senders of no known kind have none
        """Deliveries have no ids: what is sent twice is told apart by what it says."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """One alert or change per entry; an entry that cannot be read is an unreadable alert beside the others."""
        name = delivery.query.get("source", "")
        source = self._source(name)
        entries = list(entries_of(read_json(delivery.body), source))
        parsed = tuple(_event(name, source, entry, delivery) for entry in entries)
        if len(entries) == 1 and isinstance(parsed[0], BadPayload):
            raise parsed[0]
        return tuple(
            unreadable(NAME, event.path, str(event), delivery.received_at) if isinstance(event, BadPayload) else event
            for event in parsed
        )

    def explain(self, delivery: Delivery) -> Iterator[str]:
        """Each field of each entry, its expression and what it gives, one line each. Raises BadPayload."""
        source = self._source(delivery.query.get("source", ""))
        for number, entry in enumerate(entries_of(read_json(delivery.body), source)):
            yield f"entry {number}, found by each = {source.each}"
            if reason := skipped(entry.object(), source):
                yield f"  skipped: {reason}"
                continue
            for field, expression in source.mapping.expressions().items():
                found = looked_up(entry, field, expression)
                given = translated(source, field, found)
                shown = "nothing" if found.value is None else json.dumps(found.value, ensure_ascii=False)[:SHOWN]
                change = f", by values: {given.text()}" if given.value != found.value else ""
                yield f"  {field:12} {expression:32} {shown}{change}"

    def _source(self, name: str) -> Source:
        if not name:
            return PLAIN
        source = self.sources.get(name) or PRESETS.get(name)
        if source is None:
            there = f"{', '.join(sorted(self.sources)) or 'none'}; presets: {', '.join(PRESETS)}"
            raise BadPayload(f"there is no source {name[:40]!r} in [connectors.generic.sources]; there are: {there}")
        return source


def _event(name: str, source: Source, entry: Node, delivery: Delivery) -> Alert | Change | Ignored | BadPayload:
    try:
        if reason := skipped(entry.object(), source):
            return Ignored(reason)
        fields = {f: translated(source, f, looked_up(entry, f, e)) for f, e in source.mapping.expressions().items()}
        made = _alert if source.alert else _change
        return made(name, _Fields(fields | _in_url(delivery)), delivery)
    except BadPayload as error:
        return error


def _in_url(delivery: Delivery) -> dict[str, Node]:
    """The fields that the URL sets, for senders that cannot be told what they watch."""
    return {f: Node(delivery.query[f], f"?{f}") for f in ("service", "environment") if delivery.query.get(f, "").strip()}


@dataclass(frozen=True, slots=True)
class _Fields:
    nodes: Mapping[str, Node]

    def __getitem__(self, field: str) -> Node:
        return self.nodes.get(field, Node(None, f"$.{field}"))

    def link(self, field: str) -> str:
        return link(self[field].text())


def _alert(name: str, fields: _Fields, delivery: Delivery) -> Alert:
    resolved = fields["status"].text().strip().lower() in _OVER
    identity = {"source": name, "fingerprint": fields["fingerprint"].text()[:200]}
    service = fields["service"].text().strip()[:100]
    return Alert(
        connector=NAME,
        name=fields["name"].needed()[:200],
        service=service or "unknown",
        environment=fields["environment"].text().strip()[:100],
        severity=severity_of(fields["severity"].text()),
        resolved=resolved,
        started_at=fields["starts_at"].time() or delivery.received_at,
        ended_at=(fields["ends_at"].time() or delivery.received_at) if resolved else None,
        summary=fields["summary"].text().strip()[:1000],
        description=fields["description"].text().strip()[:8000],
        labels={key[:100]: value[:500] for key, value in islice(fields["labels"].texts().items(), MOST_LABELS)},
        group={key: value for key, value in identity.items() if value},
        service_from=_found_in(fields["service"], service),
        runbook_url=fields.link("runbook_url"),
        link=fields.link("link"),
    )


def _found_in(node: Node, service: str) -> str:
    if not service:
        return "no field names one"
    return "the webhook's URL" if node.path.startswith("?") else "mapped field service"


def _change(name: str, fields: _Fields, delivery: Delivery) -> Change:
    services = tuple(s for node in _one_or_many(fields["service"]) if (s := node.text().strip()[:100]))
    if not services:
        fields["service"].needed()
    version = fields["version"].text().strip()[:100]
    kind = _word(ChangeKind, fields["kind"], ChangeKind.DEPLOY)
    own = fields["id"].text().strip()[:200] or f"{delivery.received_at.timestamp():.6f}"
    return Change(
        id=f"{NAME}:{name}:{services[0]}:{own}",
        connector=NAME,
        kind=kind,
        status=_word(ChangeStatus, fields["status"], ChangeStatus.SUCCEEDED),
        at=fields["at"].time() or delivery.received_at,
        title=fields["title"].text().strip().partition("\n")[0][:300] or f"{kind.value} {services[0]} {version}".strip(),
        services=services,
        environment=fields["environment"].text().strip()[:100],
        version=version,
        commit=fields["commit"].text().strip()[:64],
        repository=fields["repository"].text().strip()[:140],
        author=fields["author"].text().strip()[:100],
        url=fields.link("url"),
        files=tuple(f for node in _one_or_many(fields["files"]) if (f := node.text()[:300]))[:300],
    )


def _one_or_many(node: Node) -> Iterator[Node]:
    return node.items() if isinstance(node.value, list) else iter((node,))


W = TypeVar("W", ChangeKind, ChangeStatus)


def _word(words: type[W], node: Node, usual: W) -> W:
    given = node.text().strip().lower()
    if not given:
        return usual
    try:
        return words(given)
    except ValueError:
        there = ", ".join(word.value for word in words)
        raise BadPayload(f"{given[:40]!r} is none of {there}; translate it in `values`", path=node.path) from None


def _configured(settings: BaseModel) -> GenericWebhook:
    return GenericWebhook(settings.sources if isinstance(settings, GenericSettings) else {})


CONNECTOR = Connector(
    name=NAME,
    title="Any JSON webhook",
    settings=GenericSettings,
    help="TOCSIN_GENERIC_SECRET is the bearer token or the key of the HMAC; mappings are in [connectors.generic.sources.NAME]",
    webhook=GenericWebhook({}),
    configured=_configured,
)
