"""A small API server with one Deployment and its replica sets, over real HTTP: patches, conflicts, a controller.

Written from the published reference of apps/v1 and authorization.k8s.io/v1, not from a running cluster.
"""

import asyncio
import copy
import hashlib
import json
import tempfile
from typing import Any

from aiohttp import web

from tests.connectors.served import one_authority

Object = dict[str, Any]
REVISION = "deployment.kubernetes.io/revision"
TOKEN = "cluster-token"


def template(version: str, **resources: str) -> Object:
    """A pod template of payments with a sidecar."""
    containers = [
        {"name": "payments", "image": f"registry.example:5000/shop/payments:{version}", "resources": {"limits": resources}},
        {"name": "proxy", "image": "envoy:v1"},
    ]
    return {"metadata": {"labels": {"app": "payments"}}, "spec": {"containers": containers}}


class Rollouts:
    """`changes` are the templates that were written, `tried` counts dry runs, which write nothing.

    `trouble` meets the next PATCH: a status, "before", "after", "meanwhile", or what an admission webhook answers: a status and
    its words. `warns` are the texts of its Warning headers, `patches` the queries and `bodies` the contents of all.
    """

    def __init__(self) -> None:
        self.version = 100
        self.changes: list[Object] = []
        self.trouble: int | str | tuple[int, str] = ""
        self.tried = 0
        self.warns: list[str] = []
        self.patches: list[dict[str, str]] = []
        self.bodies: list[str] = []
        self.asked: list[str] = []
        self.denied: set[str] = set()
        meta = {"name": "payments", "namespace": "production", "uid": "d1", "generation": 1, "labels": {"app": "payments"}}
        spec = {"replicas": 2, "selector": {"matchLabels": {"app": "payments"}}, "template": template("v41", memory="1Gi")}
        self.item: Object = {"metadata": {**meta, "annotations": {}}, "spec": spec, "status": {}}
        self.sets: list[Object] = []
        for version in ("v41", "v42", "v43"):
            limits = {"memory": "1Gi"} if version == "v41" else {"memory": "128Mi"}
            self.item["spec"]["template"] = template(version, **limits)
            self.roll()

    def roll(self, ready: int = 2, failed: bool = False) -> None:
        """The controller sees the template, and so many new pods are available."""
        self.version += 1
        meta, wanted = self.item["metadata"], self.item["spec"]["template"]
        name = hashlib.sha256(json.dumps(wanted, sort_keys=True).encode()).hexdigest()[:8]
        made = next((s for s in self.sets if s["metadata"]["name"] == name), None)
        if made is None:
            labels = {"app": "payments", "pod-template-hash": name}
            of = {
                "name": name,
                "namespace": "production",
                "ownerReferences": [{"uid": "d1"}],
                "annotations": {},
                "labels": labels,
            }
            of["creationTimestamp"] = f"2026-03-0{len(self.sets) + 1}T10:00:00Z"
            pods = copy.deepcopy(wanted)
            pods["metadata"]["labels"]["pod-template-hash"] = name
            made = {"metadata": of, "spec": {"template": pods}}
            self.sets.append(made)
        newest = max([int(s["metadata"]["annotations"].get(REVISION, 0)) for s in self.sets])
        if int(made["metadata"]["annotations"].get(REVISION, 0)) < max(newest, 1):
            meta["annotations"][REVISION] = str(newest + 1)
        made["metadata"]["annotations"] |= meta["annotations"]
        reason = "ProgressDeadlineExceeded" if failed else "NewReplicaSetAvailable" if ready >= 2 else "ReplicaSetUpdated"
        said = {
            "type": "Progressing",
            "reason": reason,
            "message": "timed out progressing",
            "lastUpdateTime": "2026-03-09T10:00:00Z",
        }
        self.item["status"] = {"observedGeneration": meta["generation"], "replicas": 2 if ready >= 2 else 3, "updatedReplicas": 2}
        self.item["status"] |= {"availableReplicas": ready, "conditions": [said]}

    async def __aenter__(self) -> "Rollouts":
        self._folder = tempfile.TemporaryDirectory(prefix="tocsin-rollouts-")
        self.authorities = str(one_authority(self._folder.name))
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._serve)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()
        self._folder.cleanup()

    def read(self) -> Object:
        """The Deployment as it is read."""
        item: Object = copy.deepcopy(self.item)
        item["metadata"]["resourceVersion"] = str(self.version)
        return item

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.method)
        if request.headers.get("authorization") != f"Bearer {TOKEN}":
            return _status(401, "Unauthorized")
        if request.path.endswith("/selfsubjectaccessreviews"):
            wanted = (await request.json())["spec"]["resourceAttributes"]
            return web.json_response(
                {"status": {"allowed": f"{wanted['verb']} {wanted['resource']}" not in self.denied}}, status=201
            )
        if request.path == "/apis/apps/v1/namespaces/production/replicasets":
            other = {"metadata": {"name": "x", "ownerReferences": [{"uid": "d2"}]}, "spec": {"template": template("v9")}}
            return web.json_response({"items": [other, *self.sets]})
        if request.path == "/apis/apps/v1/namespaces/production/deployments":
            mine = request.query["labelSelector"] == "app=payments"
            return web.json_response({"items": [self.read()] if mine else []})
        if request.path != "/apis/apps/v1/namespaces/production/deployments/payments":
            return _status(404, "deployments.apps not found")
        if request.method == "PATCH":
            return await self._patched(request)
        return web.json_response(self.read())

    async def _patched(self, request: web.Request) -> web.StreamResponse:
        trouble, self.trouble = self.trouble, ""
        self.patches.append(dict(request.query))
        self.bodies.append(await request.text())
        dry = request.query.get("dryRun")
        if dry not in (None, "All"):
            return _status(422, f'dryRun: Unsupported value: "{dry}": supported values: "All"')
        if isinstance(trouble, tuple):
            return _status(*trouble)
        if isinstance(trouble, int):
            return _status(trouble, "no such luck", {"retry-after": "30"} if trouble == 429 else {})
        if trouble == "before":
            await asyncio.sleep(2)
        if trouble == "meanwhile":
            self.version += 1
        body = await request.json()
        told = self._json_patch(body) if request.content_type == "application/json-patch+json" else self._merge(body)
        if told is None:
            return _status(409, "the object has been modified; please apply your changes to the latest version and try again")
        differs = told["spec"] != self.item["spec"]
        told["metadata"]["generation"] += differs
        if dry:
            self.tried += 1
            if trouble == "after":
                await asyncio.sleep(2)
            answer = web.json_response(told)
            for text in self.warns:
                answer.headers.add("warning", f"299 - {json.dumps(text)}")
            return answer
        if differs:
            self.changes.append(told["spec"]["template"])
        self.version += 1
        told["metadata"].pop("resourceVersion", None)
        self.item = told
        if trouble == "after":
            await asyncio.sleep(2)
        return web.json_response(self.read())

    def _merge(self, body: Object) -> Object | None:
        told = self.read()
        if body["metadata"]["resourceVersion"] != told["metadata"]["resourceVersion"]:
            return None
        told["metadata"]["annotations"] |= body["metadata"]["annotations"]
        for one in body["spec"]["template"]["spec"]["containers"]:
            next(c for c in told["spec"]["template"]["spec"]["containers"] if c["name"] == one["name"]).update(one)
        return told

    def _json_patch(self, body: list[Object]) -> Object | None:
        told = self.read()
        for step in body:
            *above, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[1:]]
            place: Any = told
            for part in above:
                place = place[part]
            if step["op"] == "test" and place[last] != step["value"]:
                return None
            place[last] = step["value"]
        return told


def _status(code: int, message: str, headers: dict[str, str] | None = None) -> web.Response:
    return web.json_response(
        {"kind": "Status", "status": "Failure", "message": message, "code": code}, status=code, headers=headers
    )
