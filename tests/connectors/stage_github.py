"""GitHub as it documents workflow runs and deployments: https://docs.github.com/en/rest/actions, https://docs.github.com/en/rest/deployments."""

import base64
import re
from collections.abc import Mapping

import httpx
import yaml

from bot.ports import Order, RunState
from bot.wire.orders import title_of
from connectors.github.deployer import GitHubActions
from connectors.github.deployments import GitHubDeployments
from connectors.github.target import GitHubDeploys
from tests.connectors.stages import SECRET, Play, Stage, Theatre, body_of, nothing

REPOSITORY = "/repos/acme/shop"
WORKFLOW = f"{REPOSITORY}/actions/workflows/deploy.yml"
CONCLUSIONS = {RunState.SUCCEEDED: "success", RunState.FAILED: "failure", RunState.CANCELLED: "cancelled"}
TAGS = {"v42": "4" * 40, "v43": "3" * 40}
FILE = """
name: Deploy
run-name: ${{ inputs.service }} ${{ inputs.version }} to ${{ inputs.environment }} (tocsin ${{ inputs.tocsin_key }})
on:
  workflow_dispatch:
    inputs: {service: {}, version: {}, environment: {}, tocsin_key: {}, region: {}}
"""


class GitHubTheatre(Theatre):
    """A repository with the workflow deploy.yml. `late`: new runs are not listed yet. `classic`: no run id in the answer."""

    late = False
    classic = False
    workflow = ""  # its file; "": FILE

    def starts(self, request: httpx.Request) -> bool:
        return request.method == "POST" and request.url.path == f"{WORKFLOW}/dispatches"

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if self.starts(request):
            return self._dispatch(body_of(request))
        if found := re.fullmatch(rf"{REPOSITORY}/actions/runs/(\d+)(/cancel|/jobs)?", path):
            return self._run(request.method, found[1], found[2] or "")
        if request.method != "GET":
            return nothing()
        if path == f"{WORKFLOW}/runs":
            return self._listed(request.url.params)
        file = {"content": base64.b64encode((self.workflow or FILE).encode()).decode()}
        tags = [{"name": name, "commit": {"sha": sha}} for name, sha in TAGS.items()]
        answers: dict[str, object] = {
            REPOSITORY: {"full_name": "acme/shop", "permissions": {"pull": True, "push": not self.weak}},
            WORKFLOW: {"id": 9, "path": ".github/workflows/deploy.yml", "state": "active"},
            f"{REPOSITORY}/contents/.github/workflows/deploy.yml": file,
            f"{REPOSITORY}/tags": tags,
        }
        return httpx.Response(200, json=answers[path]) if path in answers else nothing()

    def _dispatch(self, body: Mapping[str, object]) -> httpx.Response:
        given = body["inputs"]
        assert isinstance(given, dict)
        assert body["ref"] == "main"
        if amiss := unexpected(self.workflow or FILE, given):
            return httpx.Response(422, json={"message": amiss})
        play = self.accept(Order(given["service"], given["environment"], given["version"], given["tocsin_key"]))
        if self.classic or not body.get("return_run_details"):
            return httpx.Response(204)
        return httpx.Response(200, json={"workflow_run_id": play.id, "run_url": "…", "html_url": link_of(play)})

    def _run(self, method: str, id: str, deed: str) -> httpx.Response:
        play = self.play(id)
        if play is None:
            return nothing()
        if method == "POST" and deed == "/cancel":
            if play.state is not RunState.RUNNING:
                return httpx.Response(409, json={"message": "Cannot cancel a workflow run that is completed."})
            play.state = RunState.CANCELLED
            return httpx.Response(202, json={})
        if deed == "/jobs":
            steps = [{"name": "Check out", "conclusion": "success"}, {"name": "Roll out", "conclusion": "failure"}]
            return httpx.Response(200, json={"jobs": [{"name": "deploy", "conclusion": "failure", "steps": steps}]})
        return httpx.Response(200, json=written(play))

    def _listed(self, params: httpx.QueryParams) -> httpx.Response:
        assert params["event"] == "workflow_dispatch"
        page, per = int(params["page"]), int(params["per_page"])
        known = [] if self.late else [written(p) for p in reversed(self.plays)]
        return httpx.Response(200, json={"total_count": len(known), "workflow_runs": known[(page - 1) * per : page * per]})


class DeploymentsTheatre(Theatre):
    """A repository whose deployments somebody carries out."""

    def starts(self, request: httpx.Request) -> bool:
        return request.method == "POST" and request.url.path == f"{REPOSITORY}/deployments"

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if self.starts(request):
            body = body_of(request)
            given, environment = body["payload"], body["environment"]
            assert isinstance(given, dict)
            assert isinstance(environment, str)
            play = self.accept(Order(given["service"], environment, given["version"], given["tocsin_key"]))
            return httpx.Response(201, json=self._deployment(play))
        if request.method != "GET":
            return nothing()
        if path == REPOSITORY:
            return httpx.Response(200, json={"permissions": {"pull": True, "push": not self.weak}})
        if path == f"{REPOSITORY}/deployments":
            wanted = request.url.params.get("environment")
            known = [self._deployment(p) for p in reversed(self.plays) if p.order.environment == wanted]
            return httpx.Response(200, json=known)
        found = re.fullmatch(rf"{REPOSITORY}/deployments/(\d+)(/statuses)?", path)
        one = self.play(found[1]) if found else None
        if found is None or one is None:
            return nothing()
        return httpx.Response(200, json=statuses(one) if found[2] else self._deployment(one))

    def _deployment(self, play: Play) -> dict[str, object]:
        payload = {"service": play.order.service, "version": play.order.version, "tocsin_key": play.order.key}
        return {
            "id": play.id,
            "sha": TAGS.get(play.order.version, "9" * 40),
            "ref": play.order.version,
            "task": "deploy",
            "payload": payload,
            "environment": play.order.environment,
            "created_at": f"{play.at:%Y-%m-%dT%H:%M:%SZ}",
        }


def unexpected(workflow: str, given: Mapping[str, object]) -> str:
    """What GitHub has against the inputs of a dispatch; "" if nothing."""
    known = yaml.safe_load(workflow)[True]["workflow_dispatch"]["inputs"]  # YAML 1.1 reads `on` as a truth
    if odd := [name for name in given if name not in known]:
        return f"Unexpected inputs provided: {odd}"
    missing = [name for name, said in known.items() if said.get("required") and not given.get(name)]
    return f"Required input '{missing[0]}' not provided" if missing else ""


def link_of(play: Play) -> str:
    return f"https://github.com/acme/shop/actions/runs/{play.id}"


def written(play: Play) -> dict[str, object]:
    """A workflow run."""
    over = play.state is not RunState.RUNNING
    return {
        "id": play.id,
        "name": "Deploy",
        "display_title": title_of(play.order),
        "event": "workflow_dispatch",
        "status": "completed" if over else "in_progress",
        "conclusion": CONCLUSIONS[play.state] if over else None,
        "html_url": link_of(play),
        "head_sha": "0" * 40,
        "created_at": f"{play.at:%Y-%m-%dT%H:%M:%SZ}",
        "run_started_at": f"{play.at:%Y-%m-%dT%H:%M:%SZ}",
    }


def statuses(play: Play) -> list[dict[str, object]]:
    """The newest status of a deployment; none yet while nobody took it up."""
    words = {RunState.SUCCEEDED: "success", RunState.FAILED: "failure", RunState.RUNNING: "in_progress"}
    if play.state not in words:
        return []
    return [{"state": words[play.state], "log_url": link_of(play), "description": "the cluster said so"}]


def github(**more: object) -> GitHubDeploys:
    return GitHubDeploys.model_validate({"repository": "acme/shop", "token": SECRET, **more})


STAGES = (
    Stage("github workflow", GitHubTheatre, lambda t: GitHubActions(github(), t.transport)),
    Stage("github deployments", DeploymentsTheatre, lambda t: GitHubDeployments(github(mode="deployments"), t.transport)),
)
