"""What pods, replica sets, nodes and warnings of a service tell: kills, crash loops, probes, limits, rollouts. Pure.

Formats: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/ and .../cluster-resources/node-v1/
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot.domain.payload import Node
from bot.domain.telemetry import Happening
from bot.domain.vocabulary import line
from connectors.kubernetes.objects import last_seen

_QUIET = frozenset({"ContainerCreating", "PodInitializing", ""})
LONGEST_REVISION = 10  # digits
_GOOD_ENDS = frozenset({"Completed", ""})


def of_pod(pod: Node, service: str) -> Iterable[Happening]:
    """How its containers ended and why they wait; that it cannot be placed or was evicted."""
    name, status = pod["metadata"]["name"].text(), pod["status"]
    for container in [*status["initContainerStatuses"].optional_items(), *status["containerStatuses"].optional_items()]:
        about = f"pod/{name} container {container['name'].text()}"
        restarts = container["restartCount"].text("0")
        for ended in (container["state"]["terminated"], container["lastState"]["terminated"]):
            reason, at = ended["reason"].text(), ended["finishedAt"].time()
            if reason not in _GOOD_ENDS and at is not None:
                said = f"{container['name'].text()} ended: {reason}, exit code {ended['exitCode'].text('?')}, {restarts} restarts"
                yield _happening(at, service, reason, f"{said}{_limit(pod, container['name'].text(), reason)}", about)
        waiting = container["state"]["waiting"]
        at = _since(status, "Ready")
        if waiting["reason"].text() not in _QUIET and at is not None:
            said = f"{container['name'].text()} waits: {waiting['message'].text() or waiting['reason'].text()}"
            yield _happening(at, service, waiting["reason"].text(), said, about)
    at = _since(status, "PodScheduled")
    unplaced = _condition(status, "PodScheduled")
    if unplaced["status"].text() == "False" and at is not None:
        yield _happening(at, service, unplaced["reason"].text() or "Unschedulable", unplaced["message"].text(), f"pod/{name}")
    if status["reason"].text() == "Evicted":
        at = status["startTime"].time()
        if at is not None:
            yield _happening(at, service, "Evicted", status["message"].text() or "evicted from its node", f"pod/{name}")


def of_node(node: Node, service: str) -> Iterable[Happening]:
    """What is wrong with a machine that the service runs on."""
    name = node["metadata"]["name"].text()
    for condition in node["status"]["conditions"].optional_items():
        kind, state, at = condition["type"].text(), condition["status"].text(), condition["lastTransitionTime"].time()
        wrong = state != "True" if kind == "Ready" else state == "True"
        if wrong and at is not None:
            reason = "NodeNotReady" if kind == "Ready" else kind
            yield _happening(at, service, reason, f"node {name}: {condition['message'].text() or reason}", f"node/{name}")


def of_warning(event: Node, owners: Mapping[str, str]) -> Happening | None:
    """A Warning about an object of one of the services; None for all others. `owners` are services by object name."""
    about = event["involvedObject"] or event["regarding"]
    service = owners.get(about["name"].text())
    at = Node(last_seen(event)).time()
    if service is None or at is None or event["type"].text() != "Warning":
        return None
    began = event["firstTimestamp"].time() or at
    count = event["count"].value or event["series"]["count"].value or 1
    text = event["message"].text() or event["note"].text()
    whom = f"{about['kind'].text().lower()}/{about['name'].text()}"
    told = _happening(began, service, event["reason"].text(), text, whom)
    return replace(told, count=count if isinstance(count, int) else 1)


def of_rollout(sets: Sequence[Node], service: str) -> Iterable[Happening]:
    """What the newest replica set of each owner changed in images, limits and probes over the one before."""
    owners: dict[str, list[tuple[int, Node]]] = {}
    for one in sets:
        owner = next((o["name"].text() for o in one["metadata"]["ownerReferences"].optional_items()), "")
        revision = one["metadata"]["annotations"]["deployment.kubernetes.io/revision"].text()
        if owner and revision.isdecimal() and len(revision) < LONGEST_REVISION:
            owners.setdefault(owner, []).append((int(revision), one))
    for owner, kept in owners.items():
        kept.sort(key=lambda pair: pair[0])
        if len(kept) < 2:
            continue
        (_, before), (number, newest) = kept[-2:]
        at, differs = newest["metadata"]["creationTimestamp"].time(), changed(shape_of(before), shape_of(newest))
        if at is not None and differs:
            said = f"revision {number}: {'; '.join(differs)}"
            yield Happening(at, service, "Rollout", line(said), f"deployment/{owner}"[:120], bad=False)


def shape_of(item: Node) -> dict[str, str]:
    """Images, limits, requests and probes of an item with a pod template, by their names; no environment, no arguments."""
    shape: dict[str, str] = {}
    for container in item["spec"]["template"]["spec"]["containers"].optional_items():
        name = container["name"].text()
        shape[f"{name} image"] = container["image"].text()
        for kind in ("limits", "requests"):
            for resource, amount in container["resources"][kind].texts().items():
                shape[f"{name} {resource} {kind.removesuffix('s')}"] = amount
        for probe in ("livenessProbe", "readinessProbe", "startupProbe"):
            for setting in ("timeoutSeconds", "failureThreshold", "periodSeconds", "initialDelaySeconds"):
                if value := container[probe][setting].text():
                    shape[f"{name} {probe} {setting}"] = value
    return shape


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What differs between two shapes, a few words each: "app memory limit 512Mi → 128Mi"; eight at most."""
    names = dict.fromkeys([*after, *before])
    return [f"{n} {before.get(n, 'none')} → {after.get(n, 'none')}" for n in names if before.get(n) != after.get(n)][:8]


def _limit(pod: Node, container: str, reason: str) -> str:
    """The memory limit that a killed container ran into."""
    if reason != "OOMKilled":
        return ""
    own = next((c for c in pod["spec"]["containers"].optional_items() if c["name"].text() == container), Node(None))
    limit = own["resources"]["limits"]["memory"].text()
    return f", its memory limit is {limit}" if limit else ""


def _condition(status: Node, kind: str) -> Node:
    return next((c for c in status["conditions"].optional_items() if c["type"].text() == kind), Node(None))


def _since(status: Node, kind: str) -> datetime | None:
    return _condition(status, kind)["lastTransitionTime"].time() or status["startTime"].time()


def _happening(at: datetime, service: str, reason: str, text: str, about: str) -> Happening:
    return Happening(at, service, line(reason)[:60], line(text), line(about)[:120])
