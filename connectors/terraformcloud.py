"""Terraform Cloud (HCP Terraform) and Terraform Enterprise: runs of workspaces, by notification.

Format: https://developer.hashicorp.com/terraform/cloud-docs/workspaces/settings/notifications.
Signed with HMAC-SHA512 over the body.
"""

import hashlib
import hmac
from collections.abc import Iterator, Sequence
from datetime import datetime

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.signature import digest, proves
from bot.domain.vocabulary import line, link
from bot.errors import BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings

NAME = "terraformcloud"
TRIGGERS = {
    "run:created": ChangeStatus.PENDING,
    "run:planning": ChangeStatus.PENDING,
    "run:needs_attention": ChangeStatus.PENDING,
    "run:applying": ChangeStatus.RUNNING,
    "run:completed": ChangeStatus.SUCCEEDED,
    "run:errored": ChangeStatus.FAILED,
}
CHANGED_NOTHING = frozenset({"planned_and_finished", "planned_and_saved", "discarded"})


class TerraformWebhook:
    """Notifications of one run in, one change of infrastructure out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the body is signed with one of the secrets."""
        given = delivery.headers.get("x-tfe-notification-signature", "")
        if not proves(secrets, given, lambda secret: _hmac512(secret, delivery.body)):
            raise BadSignature("X-TFE-Notification-Signature is missing or wrong; the notification's token must be Tocsin's.")

    def delivery_id(self, delivery: Delivery) -> str:
        """The signed body's own: a notification carries its time, so that the same one is sent again or was overheard."""
        return digest(delivery.body)

    def parse(self, delivery: Delivery) -> Parsed:
        """The run, once per notification in the delivery."""
        payload = read_json(delivery.body).object()
        return tuple(_run(payload, told.object(), delivery.received_at) for told in payload["notifications"].items()) or (
            Ignored("no notifications"),
        )


def _run(payload: Node, told: Node, received_at: datetime) -> Change | Ignored:
    trigger, state = told["trigger"].needed(), told["run_status"].text()
    if trigger not in TRIGGERS:
        return Ignored(trigger[:60])
    if state in CHANGED_NOTHING:
        return Ignored(f"{trigger}: {state}, nothing was changed")
    workspace = payload["workspace_name"].needed()[:100]
    message = line(payload["run_message"].text())
    return Change(
        id=f"{NAME}:{payload['run_id'].needed()[:60]}",
        connector=NAME,
        kind=ChangeKind.INFRASTRUCTURE,
        status=TRIGGERS[trigger],
        at=told["run_updated_at"].time() or payload["run_created_at"].time() or received_at,
        title=line(f"terraform run in {workspace}" + (f": {message}" if message else "")),
        services=(workspace,),
        version=payload["run_id"].text()[:100],
        author=next((a for a in _authors(payload, told) if a), "")[:100],
        url=link(payload["run_url"].text()),
    )


def _authors(payload: Node, told: Node) -> Iterator[str]:
    yield payload["run_created_by"].text()
    yield told["run_updated_by"].text()


def _hmac512(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha512).hexdigest()


CONNECTOR = Connector(
    name=NAME,
    title="Terraform Cloud",
    settings=WebhookSettings,
    help="TOCSIN_TERRAFORMCLOUD_SECRET is the token of the workspace's notification (Settings › Notifications › Webhook)",
    webhook=TerraformWebhook(),
)
