"""AWX and Ansible Automation Platform: jobs, by the webhook notification.

Format: https://docs.ansible.com/projects/awx/en/latest/userguide/notifications.html#webhook. Proved with a bearer token in the
notification's HTTP headers.
"""

import json
from collections.abc import Mapping, Sequence

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.signature import shows
from bot.domain.vocabulary import ENVIRONMENT_LABELS, first, line, link
from bot.errors import BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings

NAME = "awx"
STATES = {
    "new": ChangeStatus.PENDING,
    "pending": ChangeStatus.PENDING,
    "waiting": ChangeStatus.PENDING,
    "running": ChangeStatus.RUNNING,
    "successful": ChangeStatus.SUCCEEDED,
    "failed": ChangeStatus.FAILED,
    "error": ChangeStatus.FAILED,
    "canceled": ChangeStatus.FAILED,
}


class AwxWebhook:
    """One job in, a change of configuration out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the bearer token is one of the secrets."""
        if not shows(secrets, delivery.headers, {}):
            raise BadSignature('The bearer token is missing or wrong; set the header {"Authorization": "Bearer ..."} in AWX.')

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  AWX has none
        """AWX has no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The change of one job."""
        job = read_json(delivery.body).object()
        state, name = job["status"].needed().lower(), job["name"].needed()[:140]
        if state not in STATES:
            return (Ignored(f"{name}: {state[:40]}"),)
        given = _variables(job["extra_vars"])
        told = job["playbook"].text() or job["friendly_name"].text()
        change = Change(
            id=f"{NAME}:{job['id'].needed()[:30]}",
            connector=NAME,
            kind=ChangeKind.CONFIG,
            status=STATES[state],
            at=job["finished"].time() or job["started"].time() or delivery.received_at,
            title=line(f"{name} ({told})" if told else name),
            services=(first(given, ("service", "app", "application"))[1][:100] or name[:100],),
            environment=first(given, ENVIRONMENT_LABELS)[1][:100],
            version=first(given, ("version", "tag", "release"))[1][:100],
            author=job["created_by"].text()[:100],
            url=link(job["url"].text()),
        )
        return (change,)


def _variables(node: Node) -> Mapping[str, str]:
    """The job's extra variables, which AWX writes as JSON within JSON; what is none of that is nothing."""
    if not isinstance(node.value, str):
        return node.texts()
    try:
        return Node(json.loads(node.value), node.path).texts()
    except (ValueError, RecursionError):
        return {}


CONNECTOR = Connector(
    name=NAME,
    title="AWX and Ansible Automation Platform",
    settings=WebhookSettings,
    help='TOCSIN_AWX_SECRET is the bearer token: the notification\'s HTTP headers are {"Authorization": "Bearer <it>"}',
    webhook=AwxWebhook(),
)
