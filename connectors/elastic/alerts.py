"""Kibana's rules by a webhook action, and Watcher's watches, with the payloads of docs/connectors/elastic.md.

Formats: https://www.elastic.co/guide/en/kibana/current/rule-action-variables.html and
https://www.elastic.co/guide/en/elasticsearch/reference/current/actions-webhook.html. The secret is shown as password or token.
"""

from collections.abc import Sequence
from datetime import datetime

from bot.domain.alert import Alert
from bot.domain.payload import Node, read_json
from bot.domain.signature import shows
from bot.domain.vocabulary import SEVERITY_LABELS, environment_of, first, line, link, service_of, severity_of
from bot.errors import BadSignature
from bot.ports import Delivery, Ignored, Parsed

NAME = "elastic"
RECOVERED = frozenset({"recovered", "resolved", "ok"})
LITERAL = ("service", "environment", "severity")  # which the author of an action may write beside the variables
UNGROUPED = frozenset({"", "*", "query matched"})  # the alert of a rule that has but one


class ElasticWebhook:
    """One alert of a rule, or one execution of a watch in; one alert out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the request shows one of the secrets."""
        if not shows(secrets, delivery.headers, delivery.query):
            raise BadSignature(
                "The secret is missing or wrong; it is the password, or the bearer token, of the webhook connector."
            )

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  Kibana has none
        """Kibana and Watcher have no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """What the rule or the watch says."""
        payload = read_json(delivery.body).object()
        if payload["watch"]:
            return (_watch(payload, delivery.received_at),)
        return (_rule(payload, delivery.received_at),)


def _rule(payload: Node, received_at: datetime) -> Alert | Ignored:
    """The rule's tags name the service: what an alert's context holds is gone when it recovers."""
    rule, alert = payload["rule"].object(), payload["alert"].object()
    name, group = line(rule["name"].needed()), alert["group"].text().strip()
    if group.startswith("untracked"):
        return Ignored(f"{name}: {group[:40]}")
    tags = _tags(rule["tags"]) | _literal(payload)
    service, found = service_of(tags)
    over = group.lower() in RECOVERED
    which = alert["id"].text().strip()
    named = {} if which in UNGROUPED else {"alert": which[:300]}
    identity = {"rule": rule["id"].text()[:100], "space": rule["space"].text()[:100]}
    at = payload["date"].time() or received_at
    severity = first(tags, SEVERITY_LABELS)[1] or ("warning" if "warning" in group.lower() else "")
    return Alert(
        connector=NAME,
        name=name,
        service=service,
        environment=environment_of(tags),
        severity=severity_of(severity),
        resolved=over,
        started_at=at,
        ended_at=at if over else None,
        summary=line(payload["reason"].text()) or name,
        description=payload["message"].text().strip(),
        labels={**tags, **identity, **named},
        group=identity,
        service_from=found.replace("label", "tag"),
        link=next((u for u in (link(alert["url"].text()), link(rule["url"].text())) if u), ""),
        ref=(alert["uuid"].text() or identity["rule"])[:100],
    )


def _watch(payload: Node, received_at: datetime) -> Alert:
    """A watch says that its condition holds; one that says `resolved` is an action of its own."""
    watch = payload["watch"]["id"].needed()[:100]
    told = payload["metadata"].texts() | _literal(payload)
    service, found = service_of(told)
    over = payload["state"].text("firing").lower() in RECOVERED
    at = payload["date"].time() or received_at
    name = line(told.get("name", "")) or watch
    return Alert(
        connector=NAME,
        name=name,
        service=service,
        environment=environment_of(told),
        severity=severity_of(first(told, SEVERITY_LABELS)[1]),
        resolved=over,
        started_at=at,
        ended_at=at if over else None,
        summary=line(payload["message"].text()) or name,
        description=payload["message"].text().strip(),
        labels={**told, "watch": watch},
        group={"watch": watch},
        service_from=found,
        ref=watch,
    )


def _literal(payload: Node) -> dict[str, str]:
    return {key: payload[key].text().strip()[:100] for key in LITERAL if payload[key].text().strip()}


def _tags(node: Node) -> dict[str, str]:
    """The rule's tags as Mustache joins them, or as a list: those with a colon or an equals sign are labels."""
    parts = [tag.text() for tag in node.items()] if isinstance(node.value, list) else node.text().split(",")
    pairs = (part.strip().replace("=", ":", 1 if ":" not in part else 0).partition(":") for part in parts)
    return {key.strip()[:100]: value.strip()[:300] for key, _, value in pairs if key.strip() and value.strip()}
