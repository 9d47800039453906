"""A small Argo CD: one application whose operations begin, end, are terminated and remembered, as its API writes them.

Written from the documented API (swagger.json of Argo CD 2.13), not from a running one.
"""

import json
from typing import Any

import httpx

TAGS = {"a" * 40: ["v41"], "b" * 40: ["v42"], "c" * 40: ["v43"]}
SOURCE = {"repoURL": "https://git.example/ops.git", "path": "payments", "targetRevision": "main"}
AT = "2026-03-0{}T10:00:00Z"


class ArgoServer(httpx.AsyncBaseTransport):
    """`runs` are the operations that began, `tried` the dry runs among them; those change nothing and end by themselves.

    `trouble` is what the next POST meets: a status, or a timeout "before" or "after". `finds` is the phase, message and resources
    with which the next dry run ends, `late` how many answers after a POST still show what was before it.
    """

    def __init__(self) -> None:
        self.runs: list[dict[str, Any]] = []
        self.tried: list[dict[str, Any]] = []
        self.finds: tuple[str, str, list[dict[str, Any]]] = ("Succeeded", "successfully synced (all tasks run)", [])
        self.late = 0
        self._lagging: list[dict[str, Any]] = []
        self.refusals: list[dict[str, str]] = []
        self.trouble: int | str = ""
        self.message = ""
        self.spec: dict[str, Any] = {"project": "shop", "source": SOURCE}
        self.status: dict[str, Any] = {"health": {"status": "Healthy"}, "sync": {"status": "Synced", "revision": "c" * 40}}
        self.status["history"] = [
            {"id": number, "revision": sha, "deployedAt": AT.format(number), "source": SOURCE}
            for number, sha in enumerate(TAGS, start=1)
        ]
        self.operation: dict[str, Any] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """One answer."""
        await request.aread()
        if request.headers.get("authorization") != "Bearer argo-token":
            return self._refused(401, "invalid session")
        path = request.url.path.removeprefix("/api/v1")
        if request.method == "POST":
            return self._ordered(path, json.loads(request.content))
        if path == "/session/userinfo":
            return httpx.Response(200, json={"loggedIn": True, "username": "tocsin"})
        if path.startswith("/account/can-i/applications/"):
            return httpx.Response(200, json={"value": "no" if self.trouble == "rbac" and "/sync/" in path else "yes"})
        if not path.startswith("/applications/payments"):
            return self._refused(404, "applications.argoproj.io not found")
        if request.method == "DELETE":
            return self._terminated()
        if path.endswith("/metadata"):
            return httpx.Response(200, json={"author": "A", "tags": TAGS.get(path.split("/")[4], [])})
        if self._lagging:
            return httpx.Response(200, json=self._lagging.pop())
        if self.operation and self.operation["sync"].get("dryRun"):
            return httpx.Response(200, json=self._try())
        return httpx.Response(200, json=self.application())

    def application(self) -> dict[str, Any]:
        """The application as it is read."""
        app = {"metadata": {"name": "payments", "namespace": "argocd"}, "spec": self.spec, "status": self.status}
        read: dict[str, Any] = json.loads(json.dumps(app | ({"operation": self.operation} if self.operation else {})))
        return read

    def begin(self) -> None:
        """The controller takes up the operation that waits."""
        assert self.operation is not None
        self.status["operationState"] = {
            "operation": self.operation,
            "phase": "Running",
            "startedAt": self._now(),
        }
        self.operation = None

    def end(self, phase: str = "Succeeded", message: str = "successfully synced", **more: Any) -> None:
        """The operation that runs ends."""
        state = self.status["operationState"]
        revision = state["operation"]["sync"]["revision"]
        state |= {"phase": phase, "message": message, "finishedAt": self._now(), "syncResult": {"revision": revision, **more}}
        if phase == "Succeeded":
            number = self.status["history"][-1]["id"] + 1
            entry = {"id": number, "revision": revision, "deployedAt": AT.format(number), "source": self.spec["source"]}
            self.status["history"].append(entry)

    def _try(self) -> dict[str, Any]:
        """The application while its dry run goes on; with the next look it has ended. The history stays as it is."""
        if "operationState" not in self.status:
            self.status["operationState"] = {"operation": self.operation, "phase": "Running", "startedAt": self._now()}
            return self.application()
        phase, message, resources = self.finds
        revision = self.status["operationState"]["operation"]["sync"]["revision"]
        ended = {"phase": phase, "message": message, "finishedAt": self._now()}
        self.status["operationState"] |= {**ended, "syncResult": {"revision": revision, "resources": resources}}
        self.operation = None
        return self.application()

    def _now(self) -> str:
        return AT.format(len(self.runs) + len(self.tried) + 3)

    def _ordered(self, path: str, body: dict[str, Any]) -> httpx.Response:
        trouble, self.trouble = self.trouble, ""
        if isinstance(trouble, int):
            return self._refused(trouble, "no such luck")
        if trouble == "before":
            raise httpx.ConnectTimeout("slow")
        if self.spec.get("syncPolicy", {}).get("automated") is not None:
            return self._refused(400, "rollback cannot be initiated when auto-sync is enabled")
        if self.operation or self.status.get("operationState", {}).get("phase") == "Running":
            return self._refused(400, "another operation is already in progress")
        revision = body.get("revision", "")
        if path.endswith("/rollback"):
            revision = next(entry["revision"] for entry in self.status["history"] if entry["id"] == body["id"])
        self._lagging = [self.application()] * self.late
        self.operation = {"sync": {"revision": revision}, "initiatedBy": {"username": "tocsin"}}
        if "infos" in body:
            self.operation["info"] = body["infos"]
        if body.get("dryRun") is True:
            self.operation["sync"]["dryRun"] = True
            self.tried.append({"path": path, **body})
        else:
            self.runs.append({"path": path, **body})
        self.status.pop("operationState", None)  # the last one is forgotten as soon as another one is accepted
        if trouble == "after":
            raise httpx.ReadTimeout("slow")
        return httpx.Response(200, json=self.application())

    def _terminated(self) -> httpx.Response:
        if self.status.get("operationState", {}).get("phase") != "Running":
            return self._refused(400, "Unable to terminate operation. No operation is in progress")
        self.status["operationState"]["phase"] = "Terminating"
        return httpx.Response(200, json={})

    def _refused(self, status: int, message: str) -> httpx.Response:
        return httpx.Response(status, json={"error": message, "code": 9, "message": message})
