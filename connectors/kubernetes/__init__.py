"""Kubernetes: rollouts of workloads become deploys, Warning events become alerts. Watched, not sent.

What the watcher sees is kept like a webhook's delivery and read here; see connectors/kubernetes/watch.py. An alert clears once
its warning was not repeated for `quiet_minutes`: Kubernetes says when something is wrong, never when it is right again.
"""

from collections.abc import Sequence

from pydantic import BaseModel

from bot.domain.alert import Alert, Severity
from bot.domain.change import Change, ChangeKind, ChangeStatus
from bot.domain.payload import Node, read_json
from bot.domain.vocabulary import environment_of, first, line
from bot.errors import BadPayload, BadSignature
from bot.ports import Connector, Delivery, EdgeSource, EvidenceSource, Ignored, Parsed, Watcher
from connectors.kubernetes.api import KubernetesSettings
from connectors.kubernetes.deployer import kubernetes_deployer
from connectors.kubernetes.evidence import SERVICE, KubernetesEvidence
from connectors.kubernetes.graph import KubernetesEdges
from connectors.kubernetes.watch import ID, KubernetesWatcher

NAME = "kubernetes"
PHASES = {"running": ChangeStatus.RUNNING, "succeeded": ChangeStatus.SUCCEEDED, "failed": ChangeStatus.FAILED}


class KubernetesSightings:
    """What the watcher told, as changes and alerts. Nothing comes by HTTP."""

    def verify(self, delivery: Delivery, secrets: Sequence[str]) -> None:  # noqa: ARG002  nothing proves a webhook here
        """Kubernetes sends no webhooks: always BadSignature."""
        raise BadSignature("Kubernetes is watched; it sends no webhooks.")

    def delivery_id(self, delivery: Delivery) -> str:
        """The same for every replica that saw the same thing."""
        return delivery.headers.get(ID, "")[:200]

    def parse(self, delivery: Delivery) -> Parsed:
        """A deploy of a rollout, an alert of a warning."""
        seen = read_json(delivery.body).object()
        if seen["rollout"]:
            return (_deploy(seen["rollout"].object(), seen["environment"].text(), delivery),)
        if seen["warning"]:
            return (_alert(seen["warning"].object(), seen["environment"].text(), delivery),)
        raise BadPayload("a rollout or a warning is expected", path=seen.path)


def _deploy(told: Node, environment: str, delivery: Delivery) -> Change | Ignored:
    kind, name, namespace = told["kind"].needed(), told["name"].needed(), told["namespace"].needed()
    phase, labels = told["phase"].needed(), told["labels"].texts()
    if phase not in PHASES:
        return Ignored(f"{kind} {namespace}/{name}: {phase[:40]}")
    revision, version = told["revision"].needed(), _version(told["images"])
    title = told["cause"].text() or f"{kind} {namespace}/{name} revision {revision}"
    why = told["reason"].text()
    began = told["began_at"].time() or delivery.received_at
    return Change(
        id=f"{NAME}:{kind}:{namespace}/{name}:{told['uid'].text()[:8]}:{revision}",
        connector=NAME,
        kind=ChangeKind.DEPLOY,
        status=PHASES[phase],
        at=(told["ended_at"].time() or began) if phase != "running" else began,
        title=line(f"{title}: {why}" if phase == "failed" and why else title),
        services=(first(labels, SERVICE)[1][:100] or name[:100],),
        environment=(environment_of(labels) or environment)[:100],
        version=version[:100],
        author=told["author"].text()[:100],
    )


def _version(images: Node) -> str:
    """The tag of the first image, or the beginning of its digest."""
    image = next((i.text() for i in images.optional_items()), "")
    name, _, digest = image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    return tag or digest.rpartition(":")[2][:12]


def _alert(told: Node, environment: str, delivery: Delivery) -> Alert:
    kind, name, reason = told["kind"].needed(), told["name"].needed(), told["reason"].needed()
    namespace, owner = told["namespace"].text(), told["owner"].text() or name
    labels, resolved = told["labels"].texts(), told["resolved"].value is True
    key, service = first(labels, SERVICE)
    began = told["first_at"].time() or delivery.received_at
    ended = told["ended_at"].time() or delivery.received_at
    message = told["message"].text()
    return Alert(
        connector=NAME,
        name=reason,
        service=service or owner,
        environment=environment_of(labels) or environment,
        severity=Severity.SEV3,
        resolved=resolved,
        started_at=began,
        ended_at=max(began, ended) if resolved else None,
        summary=line(f"{kind} {namespace}/{name}: {message}" if namespace else f"{kind} {name}: {message}"),
        description=told["why"].text(),
        # the pod's own labels are left out: who looks after it has gone cannot know them, and has to mean the same instance
        labels={"kind": kind, "namespace": namespace, "name": name, "reason": reason},
        group={"namespace": namespace, "owner": owner},
        service_from=f"label {key}" if service else f"the name of its {kind}",
    )


def _evidence(settings: BaseModel) -> EvidenceSource | None:
    return KubernetesEvidence(settings) if isinstance(settings, KubernetesSettings) else None


def _edges(settings: BaseModel) -> EdgeSource | None:
    return KubernetesEdges(settings) if isinstance(settings, KubernetesSettings) else None


def _watcher(settings: BaseModel) -> Watcher | None:
    return KubernetesWatcher(NAME, settings) if isinstance(settings, KubernetesSettings) else None


CONNECTOR = Connector(
    name=NAME,
    title="Kubernetes",
    settings=KubernetesSettings,
    help="no secret within the cluster: a service account that may list and watch; else kubeconfig, or url and token",
    webhook=KubernetesSightings(),
    watcher=_watcher,
    evidence=_evidence,
    edges=_edges,
    deployer=kubernetes_deployer,
)
