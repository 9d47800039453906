"""Flux: what its controllers reconciled, by the notification controller's generic-hmac provider.

Format: https://fluxcd.io/flux/components/notification/events/ and .../providers/#generic-webhook-with-hmac. Signed with
HMAC-SHA256 over the body; deliveries have no ids.
"""

import re
from collections.abc import Mapping, Sequence

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.signature import digest, hmac_hex, proves
from bot.domain.vocabulary import environment_of, first, line
from bot.errors import BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings

NAME = "flux"
DEPLOYS = frozenset({"Kustomization", "HelmRelease"})
RUNNING = frozenset({"Progressing", "ProgressingWithRetry"})
_SHA = re.compile(r"(?:^|[@/:])(?:sha1:)?([0-9a-f]{40})$")


class FluxWebhook:
    """An event of a Kustomization or a HelmRelease in, a deploy out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the body is signed with one of the secrets."""
        given = delivery.headers.get("x-signature", "")
        if not proves(secrets, given, lambda secret: f"sha256={hmac_hex(secret, delivery.body)}"):
            raise BadSignature(
                "X-Signature is missing or wrong; the provider is of type generic-hmac, and its token must be Tocsin's."
            )

    def delivery_id(self, delivery: Delivery) -> str:
        """The signed body's own: an event carries its time, so that the same one is sent again or was overheard."""
        return digest(delivery.body)

    def parse(self, delivery: Delivery) -> Parsed:
        """The deploy of one event."""
        event = read_json(delivery.body).object()
        thing, reason = event["involvedObject"].object(), event["reason"].text()
        kind, name = thing["kind"].needed()[:60], thing["name"].needed()[:100]
        if kind not in DEPLOYS:
            return (Ignored(f"{kind}: {reason[:60]}"),)
        status = _status(event["severity"].text(), reason)
        if status is None:
            return (Ignored(f"{kind}: {reason[:60]}, nothing was shipped"),)
        told = _told(event["metadata"])
        revision = told.get("revision", "")[:200]
        sha = _sha(revision) or _sha(told.get("originRevision", ""))
        where = f"{thing['namespace'].text('default')[:60]}/{name}"
        version = first(told, ("version", "tag", "image_tag"))[1] or _version(revision, sha)
        change = Change(
            id=f"{NAME}:{kind}:{where}:{revision or event['timestamp'].text()[:40]}",
            connector=NAME,
            kind=ChangeKind.DEPLOY,
            status=status,
            at=event["timestamp"].time() or delivery.received_at,
            title=line(told.get("summary", "")) or line(f"{reason}: {event['message'].text()}"),
            services=(first(told, ("service", "app"))[1][:100] or name,),
            environment=environment_of(told)[:100],
            version=version[:100],
            commit=sha,
            repository=told.get("repository", "")[:140],
            author=NAME,
        )
        return (change,)


def _status(severity: str, reason: str) -> ChangeStatus | None:
    """How far it got; None where nothing was shipped."""
    if severity == "error":
        return ChangeStatus.FAILED
    if reason in RUNNING:
        return ChangeStatus.RUNNING
    return ChangeStatus.SUCCEEDED if reason.endswith("Succeeded") else None


def _told(metadata: Node) -> Mapping[str, str]:
    """The metadata without the prefix of the controller that wrote it; what people added beside it has none."""
    return {key.rpartition("/")[2]: value for key, value in metadata.texts().items()}


def _sha(revision: str) -> str:
    """The commit in main@sha1:<sha>, or main/<sha> as older versions write it."""
    found = _SHA.search(revision)
    return found[1] if found else ""


def _version(revision: str, sha: str) -> str:
    """The short commit, or a chart's or an image's version without its digest."""
    return sha[:7] if sha else revision.partition("@")[0]


CONNECTOR = Connector(
    name=NAME,
    title="Flux",
    settings=WebhookSettings,
    help="TOCSIN_FLUX_SECRET is the token in the secret of a notification provider of type generic-hmac",
    webhook=FluxWebhook(),
)
