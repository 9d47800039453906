"""GitLab as it documents pipelines and deployments: https://docs.gitlab.com/api/pipelines/, https://docs.gitlab.com/api/deployments/."""

import re

import httpx

from bot.ports import Order, RunState
from bot.wire.orders import title_of
from connectors.gitlab.deployer import GitLabDeploys, GitLabPipelines
from tests.connectors.stages import SECRET, Play, Stage, Theatre, body_of, nothing

PROJECT = "/api/v4/projects/acme%2Fshop"
STATES = {
    RunState.RUNNING: "running",
    RunState.SUCCEEDED: "success",
    RunState.FAILED: "failed",
    RunState.CANCELLED: "canceled",
}
TAGS = {"v42": "4" * 40, "v43": "3" * 40}


class GitLabTheatre(Theatre):
    """A project whose pipelines are named after their orders. `word`: the status of what runs; `file`: .gitlab-ci.yml."""

    word = "running"
    file = "workflow: {name: '$TOCSIN_SERVICE $TOCSIN_VERSION to $TOCSIN_ENVIRONMENT (tocsin $TOCSIN_KEY)'}"

    def starts(self, request: httpx.Request) -> bool:
        return request.method == "POST" and path_of(request) == f"{PROJECT}/pipeline"

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = path_of(request)
        if self.starts(request):
            return httpx.Response(201, json=self._written(self._created(body_of(request))))
        found = re.fullmatch(rf"{PROJECT}/pipelines/(\d+)(/cancel|/jobs)?", path)
        play = self.play(found[1]) if found else None
        if found and play:
            return self._one(request.method, play, found[2] or "")
        if request.method != "GET":
            return nothing()
        if path == f"{PROJECT}/pipelines":
            assert (request.url.params["order_by"], request.url.params["sort"]) == ("id", "desc")
            page, per = int(request.url.params["page"]), int(request.url.params["per_page"])
            every = [self._written(p) for p in reversed(self.plays)]
            return httpx.Response(200, json=every[(page - 1) * per : page * per])
        if path == f"{PROJECT}/deployments":
            wanted = request.url.params["environment"]
            return httpx.Response(200, json=[deployment(p) for p in reversed(self.plays) if place_of(p) == wanted])
        if path == f"{PROJECT}/repository/files/.gitlab-ci.yml/raw":
            return httpx.Response(200, text=self.file)
        level = 20 if self.weak else 40
        answers: dict[str, object] = {
            PROJECT: {"permissions": {"project_access": {"access_level": level}, "group_access": None}},
            "/api/v4/personal_access_tokens/self": {"active": True, "scopes": ["read_api"] if self.weak else ["api"]},
            f"{PROJECT}/repository/tags": [{"name": name, "commit": {"id": sha}} for name, sha in TAGS.items()],
        }
        return httpx.Response(200, json=answers[path]) if path in answers else nothing()

    def _created(self, body: dict[str, object]) -> Play:
        variables = body["variables"]
        assert isinstance(variables, list)
        given = {one["key"].removeprefix("TOCSIN_").lower(): one["value"] for one in variables}
        return self.accept(Order(given["service"], given["environment"], given["version"], given["key"]))

    def _one(self, method: str, play: Play, deed: str) -> httpx.Response:
        if method == "POST" and deed == "/cancel" and play.state is RunState.RUNNING:
            play.state = RunState.CANCELLED
        if deed == "/jobs":
            return httpx.Response(200, json=[{"name": "roll out", "status": "failed", "failure_reason": "script_failure"}])
        return httpx.Response(200, json=self._written(play))

    def _written(self, play: Play) -> dict[str, object]:
        return {
            "id": play.id,
            "project_id": 1,
            "status": self.word if play.state is RunState.RUNNING else STATES[play.state],
            "source": "api",
            "ref": "main",
            "sha": "0" * 40,
            "name": title_of(play.order),
            "web_url": f"https://gitlab.com/acme/shop/-/pipelines/{play.id}",
            "created_at": f"{play.at:%Y-%m-%dT%H:%M:%S.000Z}",
        }


def path_of(request: httpx.Request) -> str:
    """The path as it was sent, with the project's name quoted."""
    return request.url.raw_path.decode().partition("?")[0]


def place_of(play: Play) -> str:
    return f"{play.order.environment}/{play.order.service}"


def deployment(play: Play) -> dict[str, object]:
    """A deployment, made by a job of a pipeline that ran at the version's tag."""
    return {
        "id": play.id,
        "ref": play.order.version,
        "sha": TAGS.get(play.order.version, "9" * 40),
        "status": STATES[play.state],
        "created_at": f"{play.at:%Y-%m-%dT%H:%M:%S.000Z}",
        "environment": {"id": 9, "name": place_of(play)},
    }


def gitlab(**more: object) -> GitLabDeploys:
    return GitLabDeploys.model_validate({"project": "acme/shop", "token": SECRET, **more})


BY_TAG = gitlab(history="deployments", ref="{version}", place="{environment}/{service}")
STAGES = (
    Stage("gitlab", GitLabTheatre, lambda t: GitLabPipelines(gitlab(), t.transport)),
    Stage("gitlab at tags", GitLabTheatre, lambda t: GitLabPipelines(BY_TAG, t.transport)),
)
