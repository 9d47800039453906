"""Argo CD: syncs of applications in, by a notification template that docs/connectors/argocd.md ships.

Format: ours; the template is for https://argo-cd.readthedocs.io/en/stable/operator-manual/notifications/.
Proved with a bearer token. Deployments out are in deployer.py.
"""

import re
from collections.abc import Iterator, Sequence

from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.signature import shows
from bot.domain.vocabulary import environment_of, line, link, repository_of, service_of
from bot.errors import BadSignature
from bot.ports import Connector, Delivery, Ignored, Parsed, WebhookSettings
from connectors.argocd.deployer import argo_deployer

NAME = "argocd"
PHASES = {
    "Running": ChangeStatus.RUNNING,
    "Terminating": ChangeStatus.RUNNING,
    "Succeeded": ChangeStatus.SUCCEEDED,
    "Failed": ChangeStatus.FAILED,
    "Error": ChangeStatus.FAILED,
}
_SHA = re.compile(r"[0-9a-f]{40,64}")
_TAG = re.compile(r":([\w][\w.-]{0,127})(?:@sha256:[0-9a-f]+)?$")


class ArgoWebhook:
    """One application's sync in, a deploy out."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:
        """Raise BadSignature unless the bearer token is one of the secrets."""
        if not shows(secrets, delivery.headers, {}):
            raise BadSignature("The bearer token is missing or wrong; see the header in service.webhook.tocsin.")

    def delivery_id(self, delivery: Delivery) -> str:  # noqa: ARG002  Argo CD has none
        """Argo CD has no ids for deliveries."""
        return ""

    def parse(self, delivery: Delivery) -> Parsed:
        """The deploy of one sync."""
        told = read_json(delivery.body).object()
        app, phase = told["app"].needed()[:100], told["phase"].needed()
        if phase not in PHASES:
            return (Ignored(f"{app}: {phase[:40]}"),)
        if told["dry_run"].value is True:
            return (Ignored(f"{app}: a dry run, which changes nothing"),)
        revision, labels = told["revision"].text()[:64], told["labels"].texts()
        sha = revision if _SHA.fullmatch(revision) else ""
        began = told["started_at"].time() or delivery.received_at
        tags = list(dict.fromkeys(_tags(told["images"])))
        version = tags[0] if len(tags) == 1 else sha[:7] or revision
        change = Change(
            id=f"{NAME}:{told['namespace'].text()[:60]}/{app}:{revision}:{began:%Y%m%dT%H%M%S}",
            connector=NAME,
            kind=ChangeKind.DEPLOY,
            status=PHASES[phase],
            at=told["finished_at"].time() or began,
            title=line(told["commit_message"].text()) or line(f"sync of {app}: {told['message'].text() or phase}"),
            services=(service_of(labels)[0] if service_of(labels)[1].startswith("label ") else app,),
            environment=(environment_of(labels) or told["environment"].text())[:100],
            version=version[:100],
            commit=sha,
            repository=repository_of(told["repository"].text())[:140],
            author=(told["author"].text() or NAME)[:100],
            url=link(told["url"].text()),
        )
        return (change,)


def _tags(images: Node) -> Iterator[str]:
    for image in images.optional_items():
        if found := _TAG.search(image.text()):
            yield found[1]


CONNECTOR = Connector(
    name=NAME,
    title="Argo CD",
    settings=WebhookSettings,
    help="TOCSIN_ARGOCD_SECRET is the bearer token in argocd-notifications-secret, which service.webhook.tocsin shows",
    webhook=ArgoWebhook(),
    deployer=argo_deployer,
)
