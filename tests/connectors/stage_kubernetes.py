"""Kubernetes as its API answers, over real HTTP to the official client: one Deployment, its replica sets, a controller at work.

Written from the published reference of apps/v1 and authorization.k8s.io/v1, not from a running cluster.
"""

import contextlib
import importlib
import json
import re
import tempfile
from datetime import timedelta
from typing import Any

import httpx

from bot.ports import Order, RunState
from connectors.kubernetes.deployer import REVIEWS, REVISION, KubernetesDeployer, KubernetesDeploys
from connectors.kubernetes.patches import HASH, KEY
from tests.connectors.served import one_authority, served
from tests.connectors.stages import SECRET, Play, Promise, Stage, Theatre, Trouble, nothing
from tests.fakes import NOON

PLACE = re.compile(r"/apis/apps/v1/namespaces/([^/]+)/(deployments|replicasets)(?:/([^/]+))?")
PATIENCE = 1.0  # seconds that the deployer waits for an answer
FIRST = Order("payments", "production", "v1", "by-hand")
UNSAID: dict[RunState, str] = {RunState.RUNNING: "ReplicaSetUpdated", RunState.SUCCEEDED: "NewReplicaSetAvailable"}


class ClusterTheatre(Theatre):
    """An API server. A Deployment is there before it is changed, with the image v1 that somebody set by hand.

    `kept` are versions whose replica sets are kept, so that a rollout to one of them is an undo.
    """

    kept: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.url = ""
        self.patches: list[str] = []

    async def __aenter__(self) -> "ClusterTheatre":
        importlib.import_module("kubernetes.aio.client")  # takes longer than the deployer's patience here
        self.folder = tempfile.TemporaryDirectory(prefix="tocsin-stage-")
        self.authorities = one_authority(self.folder.name)
        self._doors = contextlib.AsyncExitStack()
        self.url = await self._doors.enter_async_context(served(self, PATIENCE * 3))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._doors.aclose()
        self.folder.cleanup()

    @property
    def only_asked(self) -> bool:
        """A review of what one may do is a question too."""
        return all(request.method == "GET" or request.url.path == REVIEWS for request in self.asked)

    def starts(self, request: httpx.Request) -> bool:
        return request.method == "PATCH"

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == REVIEWS:
            wanted = json.loads(request.content)["spec"]["resourceAttributes"]
            return httpx.Response(201, json={"status": {"allowed": not (self.weak and wanted["verb"] == "patch")}})
        found = PLACE.fullmatch(request.url.path)
        if found is None:
            return nothing()
        namespace, what, name = found.groups()
        if what == "replicasets":
            return httpx.Response(200, json={"items": self._sets(namespace)})
        if name != "payments":
            return nothing()
        if request.method == "PATCH":
            return self._patched(request, namespace)
        return httpx.Response(200, json=self._deployment(namespace))

    def _patched(self, request: httpx.Request, namespace: str) -> httpx.Response:
        """A strategic merge patch of the image, or a JSON patch of the whole template, on the condition of a version."""
        body, now = json.loads(request.content), self._deployment(namespace)["metadata"]["resourceVersion"]
        self.patches.append(request.headers["content-type"])
        if self.patches[-1] == "application/json-patch+json":
            said = {step["path"]: step["value"] for step in body}
            seen, template = said["/metadata/resourceVersion"], said["/spec/template"]
            key = said[f"/metadata/annotations/{KEY.replace('/', '~1')}"]
            assert HASH not in template["metadata"]["labels"]
        else:
            seen, template, key = (
                body["metadata"]["resourceVersion"],
                body["spec"]["template"],
                body["metadata"]["annotations"][KEY],
            )
        if seen != now:
            return status(409, "the object has been modified; please apply your changes to the latest version and try again")
        version = template["spec"]["containers"][0]["image"].rpartition(":")[2]
        if request.url.params.get("dryRun") == "All":
            self.rehearsed += 1
            tried = self._deployment(namespace)
            tried["spec"]["template"]["spec"]["containers"][0]["image"] = template["spec"]["containers"][0]["image"]
            return httpx.Response(200, json=tried)
        self.accept(Order("payments", namespace, version, key))
        return httpx.Response(200, json=self._deployment(namespace))

    def _of(self, namespace: str) -> list[Play]:
        former = [Play(0, Order("payments", namespace, version, "by-hand"), RunState.SUCCEEDED, NOON) for version in self.kept]
        first = Play(0, FIRST, RunState.SUCCEEDED, NOON)
        mine = [p for p in self.plays if (p.order.service, p.order.environment) == ("payments", namespace)]
        return [*former, first, *mine] if self.kept or not mine else mine

    def _deployment(self, namespace: str) -> dict[str, Any]:
        plays = self._of(namespace)
        last = plays[-1]
        failed = last.state in (RunState.FAILED, RunState.CANCELLED)
        moved = {
            "type": "Progressing",
            "reason": "ProgressDeadlineExceeded" if failed else UNSAID[last.state],
            "message": "timed out progressing",
            "lastUpdateTime": stamp(last),
        }
        ready = 2 if last.state is RunState.SUCCEEDED else 0
        meta = named("payments", namespace, last, len(plays)) | {
            "resourceVersion": str(100 + len(plays)),
            "uid": "d1",
            "generation": 3,
        }
        said = {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": ready, "conditions": [moved]}
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": "payments"}}, "template": template(last.order.version)}
        return {"metadata": meta, "spec": spec, "status": said}

    def _sets(self, namespace: str) -> list[dict[str, Any]]:
        """One for each version; the controller writes the annotations of the Deployment onto it."""
        newest = {play.order.version: (number, play) for number, play in enumerate(self._of(namespace), start=1)}
        made = []
        for version, (number, play) in newest.items():
            pods = template(version)
            pods["metadata"]["labels"][HASH] = version
            meta = named(f"payments-{version}", namespace, play, number) | {"ownerReferences": [{"uid": "d1"}]}
            made.append({"metadata": meta, "spec": {"template": pods}})
        return made


class UndoTheatre(ClusterTheatre):
    """The replica sets of v42 and v43 are kept."""

    kept = ("v42", "v43")


def named(name: str, namespace: str, play: Play, revision: int) -> dict[str, Any]:
    notes = {REVISION: str(revision)} | ({} if play.order.key == "by-hand" else {KEY: play.order.key})
    return {"name": name, "namespace": namespace, "annotations": notes, "creationTimestamp": stamp(play)}


def template(version: str) -> dict[str, Any]:
    containers = [
        {"name": "payments", "image": f"registry.example/shop/payments:{version}"},
        {"name": "proxy", "image": "envoy:v1"},
    ]
    return {"metadata": {"labels": {"app": "payments"}}, "spec": {"containers": containers}}


def stamp(play: Play) -> str:
    return f"{play.at:%Y-%m-%dT%H:%M:%SZ}"


def status(code: int, message: str) -> httpx.Response:
    return httpx.Response(code, json={"kind": "Status", "status": "Failure", "message": message, "code": code})


def kubernetes(theatre: Theatre) -> KubernetesDeployer:
    assert isinstance(theatre, ClusterTheatre)
    table = {"url": theatre.url, "token": SECRET, "ca_file": theatre.authorities, "namespace": "{environment}"}
    return KubernetesDeployer(KubernetesDeploys.model_validate({**table, "timeout_seconds": PATIENCE}))


LACKS = {
    Promise.NOTHING: "a Deployment is there before it can be changed, and its image is what runs",
    Promise.LINK: "a rollout has no page of its own",
    Promise.UNREACHABLE: "they share a connection; an API server that is gone: test_kubernetes_deployer.py",
}
HELD = tuple(trouble for trouble in Trouble if trouble is not Trouble.UNREACHABLE)
THREE = ("v44", timedelta(hours=3))  # what stands in the template is what runs, also where its rollout failed
STAGES = (
    Stage(
        "kubernetes set image",
        ClusterTheatre,
        kubernetes,
        THREE,
        (("v44", None), ("v43", None), ("v42", None)),
        LACKS,
        HELD,
        slow=True,
        rehearses=True,
    ),
    Stage(
        "kubernetes rollout undo",
        UndoTheatre,
        kubernetes,
        THREE,
        (("v44", None), ("v43", None), ("v42", None), ("v1", None)),
        LACKS,
        HELD,
        slow=True,
        rehearses=True,
    ),
)
