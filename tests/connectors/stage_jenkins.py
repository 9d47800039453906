"""Jenkins as its remote access API answers: https://www.jenkins.io/doc/book/using/remote-access-api/."""

import re
from urllib.parse import parse_qs

import httpx

from bot.ports import Order, RunState
from connectors.jenkins.deployer import PARAMETERS, JenkinsDeploys, JenkinsJob
from tests.connectors.stages import SECRET, Play, Stage, Theatre, nothing

JOB = "/job/deploy/job/shop"
RESULTS = {RunState.RUNNING: None, RunState.SUCCEEDED: "SUCCESS", RunState.FAILED: "FAILURE", RunState.CANCELLED: "ABORTED"}


class JenkinsTheatre(Theatre):
    """A controller with one job. `queued` are the keys of items that are no builds yet; `patient`: new ones stay there.

    `crumb`: a POST needs this crumb and the session that it was given to.
    """

    patient = False
    crumb = ""

    def __init__(self) -> None:
        super().__init__()
        self.queued: set[str] = set()

    def starts(self, request: httpx.Request) -> bool:
        return request.method == "POST" and request.url.path == f"{JOB}/buildWithParameters"

    def answer(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        if request.method == "POST":
            return self._done(request, path)
        if path == "/crumbIssuer/api/json" and self.crumb:
            said = {"crumb": self.crumb, "crumbRequestField": "Jenkins-Crumb"}
            return httpx.Response(200, json=said, headers={"set-cookie": "JSESSIONID.7=abc; Path=/; HttpOnly"})
        if path == "/whoAmI/api/json":
            return httpx.Response(200, json={"name": "tocsin", "anonymous": self.weak, "authenticated": not self.weak})
        if path == "/queue/api/json":
            return httpx.Response(200, json={"items": [item(p, None) for p in self.plays if p.order.key in self.queued]})
        if found := re.fullmatch(r"/queue/item/(\d+)/api/json", path):
            play = self.play(found[1])
            number = None if play is None or play.order.key in self.queued else play.id
            return httpx.Response(200, json=item(play, number)) if play else nothing()
        built = [p for p in reversed(self.plays) if p.order.key not in self.queued]
        if path == f"{JOB}/api/json":
            definitions = [{"parameterDefinitions": [{"name": name} for name in PARAMETERS]}]
            return httpx.Response(200, json={"buildable": True, "property": definitions, "builds": [build(p) for p in built]})
        wanted = re.fullmatch(rf"{JOB}/(\d+)/api/json", path)
        one = next((p for p in built if wanted and str(p.id) == wanted[1]), None)
        return httpx.Response(200, json=build(one)) if one else nothing()

    def _done(self, request: httpx.Request, path: str) -> httpx.Response:
        if self.crumb and (request.headers.get("jenkins-crumb"), request.headers.get("cookie")) != (
            self.crumb,
            "JSESSIONID.7=abc",
        ):
            return httpx.Response(403, text="No valid crumb was included in the request")
        form = {k: v[0] for k, v in parse_qs(request.content.decode(), keep_blank_values=True).items()}
        if self.starts(request):
            play = self.accept(Order(**{field: form[name] for name, field in PARAMETERS.items()}))
            if self.patient:
                self.queued.add(play.order.key)
            return httpx.Response(201, headers={"location": f"https://jenkins.example/queue/item/{play.id}/"})
        if path == "/queue/cancelItem":
            return self._stopped(self.play(form["id"]), 204)
        stop = re.fullmatch(rf"{JOB}/(\d+)/stop", path)
        return self._stopped(self.play(stop[1]) if stop else None, 302)

    def _stopped(self, play: Play | None, status: int) -> httpx.Response:
        if play is None:
            return nothing()
        if play.state is RunState.RUNNING:
            play.state = RunState.CANCELLED
        return httpx.Response(status, headers={"location": "https://jenkins.example/"})


def actions(play: Play) -> list[dict[str, object]]:
    given = [{"name": name, "value": getattr(play.order, field)} for name, field in PARAMETERS.items()]
    return [{}, {"parameters": given}]


def item(play: Play, number: int | None) -> dict[str, object]:
    said: dict[str, object] = {"id": play.id, "why": "Waiting for next available executor", "actions": actions(play)}
    if play.state is RunState.CANCELLED and number is None:
        return said | {"cancelled": True, "why": None}
    return said | ({"executable": {"number": number, "url": link_of(number)}, "why": None} if number else {})


def link_of(number: int) -> str:
    return f"https://jenkins.example{JOB}/{number}/"


def build(play: Play) -> dict[str, object]:
    return {
        "number": play.id,
        "url": link_of(play.id),
        "result": RESULTS[play.state],
        "building": play.state is RunState.RUNNING,
        "timestamp": int(play.at.timestamp() * 1000),
        "description": None,
        "actions": actions(play),
    }


def jenkins(**more: object) -> JenkinsDeploys:
    table = {"url": "https://jenkins.example", "job": "deploy/shop", "user": "tocsin", "token": SECRET, **more}
    return JenkinsDeploys.model_validate(table)


STAGES = (Stage("jenkins", JenkinsTheatre, lambda t: JenkinsJob(jenkins(), t.transport)),)
