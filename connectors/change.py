"""Changes from any script: `tocsin change`, or one HTTP request from Chef, Puppet, Ansible, Terraform, cron.

Format: docs/connectors/change.md. Proved with a bearer token; the sender's own id of a delivery makes a retry harmless.
"""

from collections.abc import Sequence
from typing import TypeVar

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.signature import bears
from bot.domain.vocabulary import link
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, Parsed, WebhookSettings

NAME = "change"
MOST_FILES = 300


class ChangeSettings(WebhookSettings):
    """`to` is for the sending side: the bot's address, such as https://tocsin.example."""

    to: str = ""


class ChangeWebhook:
    """One JSON object in, one change out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the bearer token is one of the secrets."""
        if not bears(secrets, delivery.headers):
            raise BadSignature("The bearer token is missing or wrong; it has to be TOCSIN_CHANGE_SECRET.")

    def delivery_id(self, delivery: Delivery) -> str:
        """The sender's id, the same when it sends again; "" if it gave none."""
        return delivery.headers.get("x-tocsin-delivery", "")[:100]

    def parse(self, delivery: Delivery) -> Parsed:
        """The change; without an id of its own it is a new one each time."""
        told = read_json(delivery.body).object()
        service, version = told["service"].needed()[:100], told["version"].text()[:100]
        own = told["id"].text()[:100] or self.delivery_id(delivery) or f"{delivery.received_at.timestamp():.6f}"
        kind = _one_of(ChangeKind, told["kind"], "deploy")
        title = told["title"].text().strip().partition("\n")[0].strip()[:300]
        change = Change(
            id=f"{NAME}:{service}:{own}",
            connector=NAME,
            kind=kind,
            status=_one_of(ChangeStatus, told["status"], "succeeded"),
            at=told["at"].time() or delivery.received_at,
            title=title or f"{kind.value} {service} {version}".strip(),
            services=(service,),
            environment=told["environment"].text()[:100],
            version=version,
            commit=told["commit"].text()[:64],
            repository=told["repository"].text()[:140],
            author=told["author"].text()[:100],
            url=link(told["url"].text()),
            files=tuple(f.text()[:300] for f in told["files"].optional_items() if f.text())[:MOST_FILES],
        )
        return (change,)


W = TypeVar("W", ChangeKind, ChangeStatus)


def _one_of(words: type[W], node: Node, usual: str) -> W:
    given = node.text(usual).strip().lower() or usual
    try:
        return words(given)
    except ValueError:
        raise BadPayload(f"{given[:40]!r} is none of {', '.join(word.value for word in words)}", path=node.path) from None


CONNECTOR = Connector(
    name=NAME,
    title="Any script",
    settings=ChangeSettings,
    help="TOCSIN_CHANGE_SECRET is the bearer token that `tocsin change` and other senders show",
    webhook=ChangeWebhook(),
)
