"""What of Kubernetes' objects is kept: how far a rollout got, what a warning is about. Nothing else leaves the cluster's objects.

Formats: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/ and .../cluster-resources/event-v1/.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bot.domain.payload import Node

Object = Mapping[str, Any]
WORKLOADS = {"Deployment": "deployments", "StatefulSet": "statefulsets", "DaemonSet": "daemonsets"}
_REVISIONS = ("deployment.kubernetes.io/revision", "deprecated.daemonset.template.generation")
_CAUSE = "kubernetes.io/change-cause"
MOST_LABELS = 60


def rollout(kind: str, item: Object) -> dict[str, object]:
    """How far the newest rollout of a workload got: revision, phase, images, times. No environment variables, no arguments."""
    node = Node(item)
    meta, template = node["metadata"], node["spec"]["template"]
    notes = meta["annotations"].texts()
    revision = next((notes[key] for key in _REVISIONS if notes.get(key)), "") or node["status"]["updateRevision"].text()
    images = [c["image"].text()[:300] for c in template["spec"]["containers"].optional_items()]
    phase, ended_at, reason = _phase(kind, node)
    return {
        "kind": kind,
        "name": meta["name"].text()[:253],
        "namespace": meta["namespace"].text()[:63],
        "uid": meta["uid"].text()[:64],
        "labels": dict(list(meta["labels"].texts().items())[:MOST_LABELS]),
        "revision": revision[:100] or _digest(template.value),
        "images": images[:20],
        "phase": phase,
        "reason": reason[:300],
        "cause": notes.get(_CAUSE, "")[:300],
        "author": _author(meta)[:100],
        "began_at": _began(meta),
        "ended_at": ended_at,
    }


def _phase(kind: str, node: Node) -> tuple[str, str, str]:
    """running, succeeded or failed; when it ended as far as Kubernetes tells; why it failed."""
    status = node["status"]
    observed = _number(status["observedGeneration"]) >= _number(node["metadata"]["generation"])
    if kind == "Deployment":
        said = next((c for c in status["conditions"].optional_items() if c["type"].text() == "Progressing"), Node(None))
        at, reason = said["lastUpdateTime"].text(), said["reason"].text()
        if observed and reason == "ProgressDeadlineExceeded":
            return "failed", at, said["message"].text()
        return ("succeeded", at, "") if observed and reason == "NewReplicaSetAvailable" else ("running", "", "")
    if kind == "StatefulSet":
        wanted = _number(node["spec"]["replicas"], 1)
        done = min(_number(status["updatedReplicas"]), _number(status["readyReplicas"])) >= wanted
        done = done or (wanted == 0 and status["currentRevision"].text() == status["updateRevision"].text())
    else:
        wanted = _number(status["desiredNumberScheduled"])
        done = min(_number(status["updatedNumberScheduled"]), _number(status["numberAvailable"])) >= wanted
    return ("succeeded" if observed and done else "running"), "", ""


def _number(node: Node, default: int = 0) -> int:
    return node.value if isinstance(node.value, int) and not isinstance(node.value, bool) else default


def _began(meta: Node) -> str:
    """When somebody last wrote the object itself, not its status or scale; else when it was made."""
    writes = [f["time"].text() for f in meta["managedFields"].optional_items() if not f["subresource"].text()]
    return max(writes, default="") or meta["creationTimestamp"].text()


def _author(meta: Node) -> str:
    """The program that last wrote the object: "kubectl-client-side-apply", "helm", "argocd-controller"."""
    writes = [
        (f["time"].text(), f["manager"].text()) for f in meta["managedFields"].optional_items() if not f["subresource"].text()
    ]
    return max(writes, default=("", ""))[1]


def _digest(template: object) -> str:
    return hashlib.sha256(json.dumps(template, sort_keys=True, default=str).encode()).hexdigest()[:12]


def warning(item: Object) -> dict[str, object]:
    """What a Warning event is about and when it was last seen."""
    node = Node(item)
    about = node["involvedObject"] or node["regarding"]
    return {
        "kind": about["kind"].text()[:63],
        "name": about["name"].text()[:253],
        "namespace": about["namespace"].text()[:63],
        "uid": about["uid"].text()[:64],
        "reason": node["reason"].text()[:100] or "Warning",
        "message": (node["message"].text() or node["note"].text())[:1000],
        "first_at": node["firstTimestamp"].text() or node["eventTime"].text() or node["metadata"]["creationTimestamp"].text(),
        "last_at": last_seen(node),
        "event": node["metadata"]["uid"].text()[:64],
    }


def last_seen(node: Node) -> str:
    """When it happened last, as far as the event tells."""
    return (
        node["series"]["lastObservedTime"].text()
        or node["lastTimestamp"].text()
        or node["eventTime"].text()
        or node["metadata"]["creationTimestamp"].text()
    )


def why_it_ended(pod: Object) -> str:
    """How the containers of a pod last ended, where not by themselves: "app: OOMKilled (exit code 137)"."""
    found = []
    for status in Node(pod)["status"]["containerStatuses"].optional_items():
        for state in ("state", "lastState"):
            ended = status[state]["terminated"]
            if (reason := ended["reason"].text()) and reason != "Completed":
                found.append(f"{status['name'].text()}: {reason} (exit code {ended['exitCode'].text('?')})")
                break
    return "; ".join(found)[:300]


def time_of(text: str) -> datetime | None:
    """A time of Kubernetes. Raises BadPayload for what is none."""
    return Node(text).time()
