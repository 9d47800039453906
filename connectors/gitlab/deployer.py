"""A deployer that is a pipeline of GitLab, started once per key with the order in its variables.

Format: https://docs.gitlab.com/api/pipelines/ and https://docs.gitlab.com/api/deployments/. The pipeline's name
(workflow:name) is the order's title: by it a pipeline is found again whoever lost the answer, and what ran before is known.
Where pipelines run at the version's tag, GitLab's own environments know what runs: `history = "deployments"`.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import Literal
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator

from bot.domain.change import Version
from bot.domain.payload import Node
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, BotError, NotAllowed, NotFound
from bot.ports import Deployer, Order, Run, RunState
from bot.wire.orders import (
    SHA,
    Past,
    before_start,
    checked,
    checked_order,
    current_of,
    enough,
    settings_of,
    title_of,
    told_by,
    versions_of,
)
from bot.wire.rest import Rest

GOOD = 'kind = "gitlab", project = "acme/shop"; see docs/connectors/gitlab.md.'
PAGES = 3  # of a hundred pipelines each, in which an order is looked for
DEVELOPER = 30  # the access level from which on pipelines may be run
ENDED = {"success": RunState.SUCCEEDED, "failed": RunState.FAILED, "canceled": RunState.CANCELLED, "skipped": RunState.FAILED}
DEPLOYED = {"success": RunState.SUCCEEDED, "failed": RunState.FAILED, "canceled": RunState.CANCELLED}


class GitLabDeploys(BaseModel):
    """One `[deployers.<name>]` table with `kind = "gitlab"`.

    {service} may stand in project and place, {environment} in place, {version} in ref and tag.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    project: str = Field(pattern=r"^[\w.{}-]+(/[\w.{}-]+)+$")
    ref: str = Field("main", min_length=1)  # whose .gitlab-ci.yml runs
    variables: dict[str, str] = Field(default_factory=dict, repr=False)
    history: Literal["pipelines", "deployments"] = "pipelines"
    place: str = "{environment}"  # what GitLab calls the environment of a service
    tag: str = "{version}"
    token: SecretStr | None = Field(None, repr=False)
    url: str = Field("https://gitlab.com", pattern=r"^https?://[^\s@]+$")
    timeout_seconds: float = Field(10, gt=0, le=300)

    @field_validator("variables")
    @classmethod
    def _free(cls, given: dict[str, str]) -> dict[str, str]:
        if taken := sorted(name for name in given if name.upper().startswith("TOCSIN_")):
            raise ValueError(f"{taken[0][:60]} is filled in by Tocsin")
        return given


class GitLabPipelines:
    """ports.Deployer by pipelines."""

    idempotent = False  # GitLab starts another pipeline for the same variables
    cancels = True

    def __init__(self, settings: GitLabDeploys, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        headers = {"user-agent": "tocsin"}
        if settings.token:
            headers["private-token"] = settings.token.get_secret_value()
        url = f"{settings.url.rstrip('/')}/api/v4"
        self._api = Rest("GitLab", url, headers, timeout=settings.timeout_seconds, quotes=True, transport=transport)

    async def current(self, service: str, environment: str) -> Version:
        """What the last pipeline, or the last deployment, that went well brought there."""
        past = await self._past(service, environment)
        return current_of(past, service, environment, f"{self._name(service)} on GitLab")

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """What was brought there before, newest first."""
        return versions_of(await self._past(service, environment), service, environment)

    async def start(self, order: Order) -> Run:
        """Create a pipeline with the order in its variables, unless there is one for this key."""
        checked_order(order)
        known = await before_start(self, order)
        if known is not None:
            return known
        given = {
            **self._settings.variables,
            "TOCSIN_SERVICE": order.service,
            "TOCSIN_VERSION": order.version,
            "TOCSIN_ENVIRONMENT": order.environment,
            "TOCSIN_KEY": order.key,
        }
        variables = [{"key": key, "value": value} for key, value in given.items()]
        body = {"ref": self._settings.ref.replace("{version}", order.version), "variables": variables}
        made = (await self._api.order(f"{self._path(order.service)}/pipeline", body)).said
        return Run(made["id"].text(), RunState.RUNNING, order.version, link(made["web_url"].text()))

    async def status(self, order: Order) -> Run:
        """What became of the pipeline with this order's title."""
        checked_order(order)
        found = await self._found(order)
        if found is None:
            return Run("", RunState.UNKNOWN)
        run = _run(found, order.version)
        return run if run.state is not RunState.FAILED else await self._explained(run, order)

    async def cancel(self, order: Order) -> Run:
        """Ask that the pipeline's jobs stop."""
        run = await self.status(order)
        if run.state is not RunState.RUNNING:
            return run
        with suppress(BadPayload):  # it has ended meanwhile
            await self._api.order(f"{self._path(order.service)}/pipelines/{run.id}/cancel")
        return await self.status(order)

    async def check(self) -> tuple[str, ...]:
        """The token's scopes and the project."""
        if self._settings.token is None:
            return ("There is no token: TOCSIN_DEPLOYERS_<NAME>_TOKEN, a project access token with the scope api.",)
        lacks = []
        with suppress(NotFound, NotAllowed):  # a token of another kind does not know itself
            own = await self._api.get("/personal_access_tokens/self")
            scopes = [scope.text() for scope in own["scopes"].optional_items()]
            if scopes and "api" not in scopes:
                lacks.append(f"The token's scope is {', '.join(scopes)}; it needs api.")
        if "{service}" in self._settings.project:
            return tuple(lacks)  # only a service says which
        try:
            project = await self._api.get(self._path(""))
        except NotFound:
            return (*lacks, f"GitLab has no project {self._settings.project} that the token may see.")
        levels = [project["permissions"][kind]["access_level"].value for kind in ("project_access", "group_access")]
        known = [level for level in levels if isinstance(level, int)]
        if known and max(known) < DEVELOPER:
            lacks.append(f"The token's role in {self._settings.project} is too low; running pipelines needs Developer.")
        if project["builds_access_level"].text() == "disabled":
            lacks.append(f"CI/CD is turned off in {self._settings.project}.")
        return (*lacks, *await self._amiss())

    async def checks(self, service: str, commit: str) -> Mapping[str, bool]:
        """The checks of a commit that have ended, by name: True where one passed. Raises as `current` does."""
        checked(service=service, commit=commit)
        found = await self._api.get(f"{self._path(service)}/repository/commits/{commit}/statuses", per_page="100")
        states = [(line(c["name"].text(), 100), c["status"].text(), c["allow_failure"].value is True) for c in found.items()]
        return {name: state != "failed" or may for name, state, may in states if state in ("success", "failed")}

    def how_to_ask(self, order: Order) -> str:
        """The place where a person sees the pipelines."""
        where = f"{self._settings.url.rstrip('/')}/{self._name(order.service)}/-/pipelines"
        return f"look for {title_of(order)!r} among the pipelines at {where}"

    async def _amiss(self) -> tuple[str, ...]:
        """What .gitlab-ci.yml lacks, where it says everything itself and the ref is known."""
        if "{version}" in self._settings.ref:
            return ()
        path = f"{self._path('')}/repository/files/{quote('.gitlab-ci.yml', safe='')}/raw"
        try:
            text = (await self._api.raw("GET", path, params={"ref": self._settings.ref})).decode("utf-8", "replace")
        except (NotFound, NotAllowed):
            return ()
        if "TOCSIN_KEY" in text or "include" in text:
            return ()
        return (f".gitlab-ci.yml at {self._settings.ref} names no pipeline after TOCSIN_KEY (workflow: name).",)

    async def _found(self, order: Order) -> Node | None:
        """The pipeline of an order: by its id where one is known, else by its title."""
        pipelines = f"{self._path(order.service)}/pipelines"
        if order.run.isdecimal():
            try:
                return (await self._api.get(f"{pipelines}/{order.run}")).object()
            except NotFound:
                pass
        for page in range(1, PAGES + 1):
            listed = await self._listed(order.service, page)
            for one in listed:
                if one["name"].text().strip() == title_of(order):
                    return one
            if len(listed) < 100:
                break
        return None

    async def _listed(self, service: str, page: int = 1) -> list[Node]:
        path, newest = f"{self._path(service)}/pipelines", {"order_by": "id", "sort": "desc"}
        return list((await self._api.get(path, per_page="100", page=str(page), **newest)).items())

    async def _past(self, service: str, environment: str) -> list[Past]:
        checked(service=service, environment=environment)
        if self._settings.history == "deployments":
            return await self._deployed(service, environment)
        tags = await self._tags(service)
        past: list[Past] = []
        for page in range(1, PAGES + 1):
            listed = await self._listed(service, page)
            orders = ((told_by(one["name"].text()), one) for one in listed)
            past += [Past(self._with_commit(o, tags), _run(one, o.version), one["created_at"].time()) for o, one in orders if o]
            if len(listed) < 100 or enough(past, service, environment):
                break
        return past

    async def _deployed(self, service: str, environment: str) -> list[Past]:
        """What GitLab's environment remembers; a deployment's ref is its version."""
        place = self._settings.place.replace("{service}", service).replace("{environment}", environment)
        newest = {"order_by": "id", "sort": "desc", "per_page": "100"}
        found = await self._api.get(f"{self._path(service)}/deployments", environment=place, **newest)
        past = []
        for one in found.items():
            order = Order(service, environment, one["ref"].text()[:128], "", one["sha"].text()[:64])
            run = Run(one["id"].needed(), DEPLOYED.get(one["status"].text(), RunState.RUNNING), order.version)
            past.append(Past(order, run, one["created_at"].time()))
        return past

    async def _tags(self, service: str) -> Mapping[str, str]:
        """The commits of the newest tags by their names."""
        found = await self._api.get(f"{self._path(service)}/repository/tags", per_page="100")
        return {tag["name"].text(): tag["commit"]["id"].text() for tag in found.optional_items()}

    def _with_commit(self, order: Order, tags: Mapping[str, str]) -> Order:
        named = self._settings.tag.replace("{version}", order.version)
        sha = tags.get(named) or (order.version if SHA.fullmatch(order.version) else "")
        return Order(order.service, order.environment, order.version, order.key, sha)

    async def _explained(self, run: Run, order: Order) -> Run:
        """The failed pipeline with the jobs that failed, if GitLab tells them."""
        try:
            jobs = await self._api.get(f"{self._path(order.service)}/pipelines/{run.id}/jobs", scope="failed", per_page="20")
            said = [line(f"{j['name'].text()}: {j['failure_reason'].text() or 'failed'}", 200) for j in jobs.items()][:5]
        except BotError:
            return run
        return Run(run.id, run.state, run.version, run.link, (*run.output, *said))

    def _name(self, service: str) -> str:
        return self._settings.project.replace("{service}", service)

    def _path(self, service: str) -> str:
        return f"/projects/{quote(self._name(service), safe='')}"


def _run(one: Node, version: str) -> Run:
    """A pipeline as GitLab writes it; one that waits, for a runner or for somebody's click, is running."""
    status = one["status"].text()
    state = ENDED.get(status, RunState.RUNNING)
    waits = ("it waits for somebody to start a manual job on GitLab",) if status == "manual" else ()
    said = (f"the pipeline ended with {status}",) if state is RunState.FAILED else waits
    return Run(one["id"].needed(), state, version, link(one["web_url"].text()), said)


def gitlab_deployer(table: Mapping[str, object]) -> Deployer:
    """A deployer from its table in tocsin.toml. Raises BadSettings."""
    return GitLabPipelines(settings_of(GitLabDeploys, table, GOOD))
