"""A deployer that is a job of Jenkins with parameters: queued once per key, then a build.

Format: https://www.jenkins.io/doc/book/using/remote-access-api/. The order stands in the build's parameters: by them a queued
item and a build are found again whoever lost the answer, and what ran before is known.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from bot.domain.change import Version
from bot.domain.payload import Node
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, NotFound
from bot.ports import Deployer, Order, Run, RunState
from bot.wire.orders import Past, before_start, checked, checked_order, current_of, settings_of, versions_of
from bot.wire.rest import Rest

GOOD = 'kind = "jenkins", url = "https://jenkins.example", job = "deploy/{service}"; see docs/connectors/jenkins.md.'
MOST_BUILDS = 200
BUILD = "number,url,result,building,timestamp,description,actions[parameters[name,value]]"
ITEM = "id,why,cancelled,executable[number,url],actions[parameters[name,value]]"
PARAMETERS = {
    "TOCSIN_SERVICE": "service",
    "TOCSIN_VERSION": "version",
    "TOCSIN_ENVIRONMENT": "environment",
    "TOCSIN_KEY": "key",
    "TOCSIN_COMMIT": "commit",
}
RESULTS = {"SUCCESS": RunState.SUCCEEDED, "UNSTABLE": RunState.SUCCEEDED, "ABORTED": RunState.CANCELLED}  # others have failed
_ITEM = re.compile(r"queue/(\d{1,18})")
_BUILD = re.compile(r"build/(\d{1,18})")


class JenkinsDeploys(BaseModel):
    """One `[deployers.<name>]` table with `kind = "jenkins"`; {service} and {environment} may stand in job.

    `token` is an API token of `user`. `crumbs` asks for a crumb before each POST, which a password needs and a token does not.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://[^\s@]+$")
    job: str = Field(pattern=r"^[\w.{} -]+(/[\w.{} -]+)*$")
    parameters: dict[str, str] = Field(default_factory=dict, repr=False)
    user: str = ""
    token: SecretStr | None = Field(None, repr=False)
    crumbs: bool = False
    timeout_seconds: float = Field(10, gt=0, le=300)

    @field_validator("parameters")
    @classmethod
    def _free(cls, given: dict[str, str]) -> dict[str, str]:
        if taken := sorted(name for name in given if name in PARAMETERS):
            raise ValueError(f"{taken[0]} is filled in by Tocsin")
        return given


class JenkinsJob:
    """ports.Deployer by builds with parameters."""

    idempotent = False  # Jenkins folds equal items of its queue together, but builds again what was built
    cancels = True

    def __init__(self, settings: JenkinsDeploys, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        auth = (settings.user, settings.token.get_secret_value()) if settings.token else None
        seconds = settings.timeout_seconds
        self._api = Rest("Jenkins", settings.url, {"user-agent": "tocsin"}, auth=auth, timeout=seconds, transport=transport)

    async def current(self, service: str, environment: str) -> Version:
        """What the last build that went well brought there."""
        past = await self._past(service, environment)
        return current_of(past, service, environment, f"the job {self._name(service, environment)} of Jenkins")

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """What was brought there before, newest first."""
        return versions_of(await self._past(service, environment), service, environment)

    async def start(self, order: Order) -> Run:
        """Queue a build with the order in its parameters, unless there is one for this key."""
        checked_order(order)
        known = await before_start(self, order)
        if known is not None:
            return known
        form = {**self._settings.parameters, **{name: str(getattr(order, field)) for name, field in PARAMETERS.items()}}
        answer = await self._order(f"{self._path(order.service, order.environment)}/buildWithParameters", form)
        item = re.search(r"/queue/item/(\d{1,18})/?$", answer.get("location", ""))
        return Run(f"queue/{item[1]}" if item else "", RunState.RUNNING, order.version)

    async def status(self, order: Order) -> Run:
        """What became of the queued item, and of the build that it became."""
        checked_order(order)
        if (item := _ITEM.fullmatch(order.run)) and (run := await self._item(item[1], order)):
            return run
        build = _BUILD.fullmatch(order.run)
        found = await self._build(build[1], order) if build else None
        return found or await self._looked_for(order)

    async def cancel(self, order: Order) -> Run:
        """Take it out of the queue, or ask that its build stops."""
        run = await self.status(order)
        if run.state is not RunState.RUNNING:
            return run
        with suppress(BadPayload, NotFound):  # Jenkins redirects when it is done; or it left the queue, or ended, meanwhile
            if item := _ITEM.fullmatch(run.id):
                await self._order("/queue/cancelItem", {"id": item[1]})
            elif build := _BUILD.fullmatch(run.id):
                await self._order(f"{self._path(order.service, order.environment)}/{build[1]}/stop", {})
        return await self.status(order)

    async def check(self) -> tuple[str, ...]:
        """Who we are, and whether the job can be built and takes what we send."""
        settings = self._settings
        if settings.token is None or not settings.user:
            return ("There is no user or no token: `user`, and TOCSIN_DEPLOYERS_<NAME>_TOKEN with an API token of theirs.",)
        me = await self._api.get("/whoAmI/api/json")
        if me["anonymous"].value is True or me["authenticated"].value is False:
            return ("Jenkins takes us for nobody: user and API token do not belong together.",)
        if "{" in settings.job:
            return ()  # only a service says which job
        tree = "buildable,property[parameterDefinitions[name]]"
        try:
            job = await self._api.get(f"{self._path('', '')}/api/json", tree=tree)
        except NotFound:
            return (f"Jenkins has no job {settings.job} that {settings.user} may see.",)
        known = {
            p["name"].text() for one in job["property"].optional_items() for p in one["parameterDefinitions"].optional_items()
        }
        lacks = [f"The job {settings.job} has no parameter {n}." for n in (*PARAMETERS, *settings.parameters) if n not in known]
        if job["buildable"].value is False:
            lacks.append(f"The job {settings.job} is disabled.")
        return tuple(lacks)

    def how_to_ask(self, order: Order) -> str:
        """The place where a person sees the builds."""
        where = f"{self._settings.url.rstrip('/')}{self._path(order.service, order.environment)}"
        return f"look in the queue and among the builds at {where} for one whose parameter TOCSIN_KEY is {order.key}"

    async def _order(self, path: str, form: Mapping[str, str]) -> Mapping[str, str]:
        """POST, and the headers of the answer."""
        return (await self._api.order(path, form=dict(form), headers=await self._crumb())).headers

    async def _crumb(self) -> Mapping[str, str]:
        """What proves that a POST comes from whom it was given to: the crumb, and the session that it belongs to."""
        if not self._settings.crumbs:
            return {}
        try:
            given = await self._api.told("/crumbIssuer/api/json")
        except NotFound:  # this Jenkins wants none
            return {}
        proof = {given.said["crumbRequestField"].needed(): given.said["crumb"].needed()}
        session = given.headers.get("set-cookie", "").partition(";")[0]
        return {**proof, "cookie": session} if session else proof

    async def _item(self, id: str, order: Order) -> Run | None:
        """A queued item; None once Jenkins has forgotten it, some minutes after it became a build."""
        try:
            item = (await self._api.get(f"/queue/item/{id}/api/json", tree=ITEM)).object()
        except NotFound:
            return None
        number = item["executable"]["number"].text()
        if number.isdecimal() and (found := await self._build(number, order)):
            return found
        return _waiting(item, order.version)

    async def _build(self, number: str, order: Order) -> Run | None:
        try:
            build = await self._api.get(f"{self._path(order.service, order.environment)}/{number}/api/json", tree=BUILD)
        except NotFound:
            return None
        return _run(build.object(), order.version)

    async def _looked_for(self, order: Order) -> Run:
        """The run with this key: in the queue, then among the builds, since an item becomes a build and never the reverse."""
        queue = await self._api.get("/queue/api/json", tree=f"items[{ITEM}]")
        for item in queue["items"].optional_items():
            if _given(item).get("TOCSIN_KEY") == order.key:
                return _waiting(item, order.version)
        for build in await self._builds(order.service, order.environment):
            if _given(build).get("TOCSIN_KEY") == order.key:
                return _run(build, order.version)
        return Run("", RunState.UNKNOWN)

    async def _builds(self, service: str, environment: str) -> list[Node]:
        tree = f"builds[{BUILD}]{{0,{MOST_BUILDS}}}"
        found = await self._api.get(f"{self._path(service, environment)}/api/json", tree=tree)
        return list(found.object()["builds"].items())

    async def _past(self, service: str, environment: str) -> list[Past]:
        checked(service=service, environment=environment)
        past = []
        for build in await self._builds(service, environment):
            given = _given(build)
            order = Order(**{field: given.get(name, "")[:128] for name, field in PARAMETERS.items()})
            if order.version:
                past.append(Past(order, _run(build, order.version), _at(build)))
        return past

    def _name(self, service: str, environment: str) -> str:
        return self._settings.job.replace("{service}", service).replace("{environment}", environment)

    def _path(self, service: str, environment: str) -> str:
        return "".join(f"/job/{part.replace(' ', '%20')}" for part in self._name(service, environment).split("/"))


def _given(one: Node) -> Mapping[str, str]:
    """The parameters of a build or of a queued item."""
    every = [p for action in one["actions"].optional_items() for p in action["parameters"].optional_items()]
    return {p["name"].text(): p["value"].text() for p in every}


def _waiting(item: Node, version: str) -> Run:
    """An item of the queue."""
    state = RunState.CANCELLED if item["cancelled"].value is True else RunState.RUNNING
    why = line(item["why"].text(), 200)
    return Run(f"queue/{item['id'].needed()}", state, version, output=(why,) if why else ())


def _run(build: Node, version: str) -> Run:
    """A build as Jenkins writes it."""
    result = build["result"].text().upper()
    over = bool(result) and build["building"].value is not True
    state = RESULTS.get(result, RunState.FAILED) if over else RunState.RUNNING
    about = line(build["description"].text(), 200)
    ended = (f"the build ended with {result}",) if over and result != "SUCCESS" else ()
    said = (*((about,) if about else ()), *ended)
    return Run(f"build/{build['number'].needed()}", state, version, link(build["url"].text()), said)


def _at(build: Node) -> datetime | None:
    """When it began; Jenkins counts milliseconds since 1970."""
    began = build["timestamp"].value
    if not isinstance(began, int) or isinstance(began, bool):
        return None
    return Node(began / 1000, build["timestamp"].path).time()


def jenkins_deployer(table: Mapping[str, object]) -> Deployer:
    """A deployer from its table in tocsin.toml. Raises BadSettings."""
    return JenkinsJob(settings_of(JenkinsDeploys, table, GOOD))
