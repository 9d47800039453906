"""New Relic: issues by a workflow's webhook, with its usual payload or that of docs/connectors/newrelic.md.

Format: https://docs.newrelic.com/docs/alerts/get-notified/notification-integrations/#webhook. The secret is shown as bearer token
or as password.
"""

from collections.abc import Sequence
from datetime import datetime

from bot.domain.alert import Alert
from bot.domain.payload import Node, read_json
from bot.domain.signature import shows
from bot.domain.vocabulary import environment_of, line, link, service_of, severity_of
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings

NAME = "newrelic"
FIRING = frozenset({"ACTIVATED", "CREATED"})
OVER = frozenset({"CLOSED", "RESOLVED"})


class NewRelicWebhook:
    """One issue in, one alert out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the request shows one of the secrets."""
        if not shows(secrets, delivery.headers, delivery.query):
            raise BadSignature("The secret is missing or wrong; it is the token or password of the webhook destination.")

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  an issue is told of several times
        """New Relic has no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The issue's alert.

        More conditions and entities may join an issue later: its first condition names it, its id is the instance.
        """
        payload = read_json(delivery.body).object()
        state = payload["state"].needed().upper()
        issue = payload["id"].needed()[:100]
        if state not in FIRING | OVER:
            return (Ignored(f"issue {issue}: {state[:40]}"),)
        return (_alert(payload, issue, state in OVER, delivery.received_at),)


def _alert(payload: Node, issue: str, over: bool, received_at: datetime) -> Alert:
    labels = {key: value for key, value in payload["labels"].texts().items() if value}
    policy, condition = _first(payload["alertPolicyNames"]), _first(payload["alertConditionNames"])
    entity = _first(payload["impactedEntities"])
    service, found = service_of(labels)
    if service == "unknown" and entity:
        service, found = entity, "the first entity"
    title = line(_first(payload["title"]))
    changed = _time(payload["updatedAt"]) or received_at
    return Alert(
        connector=NAME,
        name=line(condition) or title or payload["title"].needed(),
        service=service[:100],
        environment=environment_of(labels),
        severity=severity_of(payload["priority"].text("medium")),
        resolved=over,
        started_at=_time(payload["createdAt"]) or changed,
        ended_at=changed if over else None,
        summary=title,
        description=line(_first(payload["description"]), 2000),
        labels={**labels, "issue": issue},
        group={"policy": policy[:200]} if policy else {},
        service_from=found,
        runbook_url=link(_first(payload["runbookUrl"])),
        link=link(payload["issueUrl"].text()),
        ref=issue,
    )


def _first(node: Node) -> str:
    """The first text of a list, or the text itself."""
    return next((item.text() for item in node.items() if item.text()), "") if isinstance(node.value, list) else node.text()


def _time(node: Node) -> datetime | None:
    """Milliseconds since 1970."""
    if isinstance(node.value, int | float) and not isinstance(node.value, bool):
        try:
            return Node(node.value / 1000, node.path).time()
        except OverflowError:
            raise BadPayload("this is no time in milliseconds", path=node.path) from None
    return node.time()


CONNECTOR = Connector(
    name=NAME,
    title="New Relic",
    settings=WebhookSettings,
    help="TOCSIN_NEWRELIC_SECRET is the bearer token, or the password, of the webhook destination",
    webhook=NewRelicWebhook(),
)
