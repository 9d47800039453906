"""Argo CD as its API answers (swagger.json of 2.13): one application per service and environment, one operation at a time."""

import re
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import unquote

import httpx

from bot.ports import Order, RunState
from connectors.argocd.deployer import ArgoDeployer, ArgoDeploys
from connectors.argocd.rehearsal import KEY, TERMINATED
from tests.connectors.stages import SECRET, Play, Promise, Stage, Theatre, body_of, nothing
from tests.fakes import NOON

APPLICATION = re.compile(r"/api/v1/applications/([^/]+)(?:/(sync|operation|revisions/(\w+)/metadata))?")
PHASES = {RunState.RUNNING: "Running", RunState.SUCCEEDED: "Succeeded", RunState.FAILED: "Failed", RunState.CANCELLED: "Failed"}
SOURCE = {"repoURL": "https://git.example/ops.git", "path": "shop", "targetRevision": "main"}
VERSIONS = ("v18", "v41", "v42", "v43", "v44", "v45")


class ArgoTheatre(Theatre):
    """A server with applications named SERVICE-ENVIRONMENT whose versions are tags of commits."""

    def __init__(self) -> None:
        super().__init__()
        self.dry: dict[str, dict[str, object]] = {}  # the dry run that was the last operation of an application
        self.revisions: dict[str, str] = {}  # what a sync named, by its key: a tag stays a tag in the operation

    def starts(self, request: httpx.Request) -> bool:
        return request.method == "POST" and request.url.path.endswith("/sync")

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = unquote(request.url.path)
        if path == "/api/v1/session/userinfo":
            return httpx.Response(200, json={"loggedIn": True, "username": "tocsin"})
        if path.startswith("/api/v1/account/can-i/applications/"):
            return httpx.Response(200, json={"value": "no" if self.weak and "/sync/" in path else "yes"})
        found = APPLICATION.fullmatch(path)
        if found is None:
            return nothing()
        name, what, revision = found.groups()
        if revision:
            return httpx.Response(200, json={"author": "Ines", "tags": [tag for tag in VERSIONS if sha_of(tag) == revision]})
        if request.method == "POST":
            return self._synced(name, body_of(request))
        if request.method == "DELETE":
            return self._terminated(name)
        return httpx.Response(200, json=self._application(name)) if what is None else nothing()

    def _synced(self, name: str, body: dict[str, object]) -> httpx.Response:
        if any(play.state is RunState.RUNNING for play in self._of(name)):
            return refused("another operation is already in progress")
        infos = body["infos"]
        assert isinstance(infos, list)
        if body.get("dryRun") is True:
            self.rehearsed += 1
            self.dry[name] = dry_run(body, self.rehearsed)
            return httpx.Response(200, json=self._application(name))
        self.dry.pop(name, None)
        key = next(info["value"] for info in infos if info["name"] == KEY)
        service, _, environment = name.partition("-")
        wanted = self.revisions[key] = str(body["revision"])
        version = next((tag for tag in VERSIONS if sha_of(tag) == wanted), wanted)
        self.accept(Order(service, environment, version, key))
        return httpx.Response(200, json=self._application(name))

    def _terminated(self, name: str) -> httpx.Response:
        running = [play for play in self._of(name) if play.state is RunState.RUNNING]
        if not running:
            return refused("Unable to terminate operation. No operation is in progress")
        running[-1].state = RunState.CANCELLED
        return httpx.Response(200, json={})

    def _of(self, name: str) -> list[Play]:
        return [play for play in self.plays if f"{play.order.service}-{play.order.environment}" == name]

    def _application(self, name: str) -> dict[str, object]:
        """The last operation with its infos, and the syncs that ended well as the history, the oldest first."""
        plays = self._of(name)
        well = [play for play in plays if play.state is RunState.SUCCEEDED]
        history = [{"id": p.id, "revision": sha_of(p.order.version), "deployedAt": stamp(p), "source": SOURCE} for p in well]
        status: dict[str, object] = {"health": {"status": "Healthy"}, "history": history}
        if name in self.dry:
            status["operationState"] = self.dry[name]
        elif plays:
            status["operationState"] = operation(plays[-1], self.revisions)
        spec = {"project": "shop", "source": SOURCE}
        return {"metadata": {"name": name, "namespace": "argocd"}, "spec": spec, "status": status}


def operation(play: Play, named: Mapping[str, str]) -> dict[str, object]:
    message = {RunState.CANCELLED: TERMINATED, RunState.FAILED: "one or more objects failed to apply"}.get(play.state, "")
    infos = [{"name": KEY, "value": play.order.key}]
    return {
        "operation": {"sync": {"revision": named.get(play.order.key, sha_of(play.order.version))}, "info": infos},
        "phase": PHASES[play.state],
        "message": message,
        "startedAt": stamp(play),
    }


def dry_run(body: dict[str, object], number: int) -> dict[str, object]:
    """One that has ended well, as its operation state says."""
    resource = {
        "kind": "Deployment",
        "name": "payments",
        "status": "Synced",
        "message": "deployment.apps/payments configured (dry run)",
    }
    return {
        "operation": {"sync": {"revision": body["revision"], "dryRun": True}, "info": body["infos"]},
        "phase": "Succeeded",
        "message": "successfully synced (all tasks run)",
        "startedAt": f"{NOON + timedelta(minutes=number):%Y-%m-%dT%H:%M:%SZ}",
        "syncResult": {"resources": [resource]},
    }


def sha_of(version: str) -> str:
    """The commit that a tag stands for; a version that is no tag is looked up by Argo CD itself."""
    return version.removeprefix("v").rjust(40, "0") if version in VERSIONS else version


def stamp(play: Play) -> str:
    return f"{play.at:%Y-%m-%dT%H:%M:%SZ}"


def refused(message: str) -> httpx.Response:
    return httpx.Response(400, json={"error": message, "code": 9, "message": message})


def argo(theatre: Theatre) -> ArgoDeployer:
    table = {"url": "https://argo.example", "token": SECRET, "application": "{service}-{environment}", "project": "shop"}
    return ArgoDeployer(ArgoDeploys.model_validate({**table, "dry_run": True}), theatre.transport)


STAGES = (
    Stage(
        "argo cd",
        ArgoTheatre,
        argo,
        rehearses=True,
        ran=(("v43", None), ("v42", None)),  # a sync that failed leaves no entry in the history
        lacks={
            Promise.SIDE_BY_SIDE: "an application has one operation at a time, and refuses a second one",
            Promise.REMEMBERS: "an operation is forgotten when the next one begins, so the deployer is not called idempotent",
        },
    ),
)
