"""A deployer that is a workflow of GitHub Actions, started by hand as it were (workflow_dispatch), once per key.

Format: https://docs.github.com/en/rest/actions/workflows and https://docs.github.com/en/rest/actions/workflow-runs. The workflow
takes the inputs service, version, environment and tocsin_key, and its run-name is the order's title: by it a run is found again
whoever lost the answer, and what ran before is known.
"""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from urllib.parse import quote

import httpx

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
from connectors.github.deployments import GitHubDeployments
from connectors.github.target import INPUTS, GitHubDeploys, api_of

GOOD = 'kind = "github", repository = "acme/shop", workflow = "deploy.yml"; see docs/connectors/github.md.'
PAGES = 3  # of a hundred runs each, in which an order is looked for
CONCLUSIONS = {"success": RunState.SUCCEEDED, "cancelled": RunState.CANCELLED}  # any other has failed


class GitHubActions:
    """ports.Deployer by workflow_dispatch."""

    idempotent = False  # a run is listed some seconds after it was accepted
    cancels = True

    def __init__(self, settings: GitHubDeploys, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._api = api_of(settings, transport)

    async def current(self, service: str, environment: str) -> Version:
        """What the last run that went well brought there."""
        checked(service=service, environment=environment)
        past, tags = await asyncio.gather(self._past(service, environment), self._tags(service))
        found = current_of(past, service, environment, f"the workflow {self._workflow(service)} of {self._repository(service)}")
        return self._with_commit(found, tags)

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """What was brought there before, newest first."""
        checked(service=service, environment=environment)
        past, tags = await asyncio.gather(self._past(service, environment), self._tags(service))
        return tuple(self._with_commit(v, tags) for v in versions_of(past, service, environment))

    async def start(self, order: Order) -> Run:
        """Dispatch the workflow, unless it runs for this key already."""
        checked_order(order)
        known = await before_start(self, order)
        if known is not None:
            return known
        given = (order.service, order.version, order.environment, order.key)
        body: dict[str, object] = {
            "ref": self._settings.ref,
            "inputs": {**self._settings.inputs, **dict(zip(INPUTS, given, strict=True))},
        }
        if self._settings.run_details:
            body["return_run_details"] = True
        told = (await self._api.order(f"{self._workflow_path(order.service)}/dispatches", body)).said
        run = told["workflow_run_id"].text()
        return Run(run, RunState.RUNNING, order.version, link(told["html_url"].text()))

    async def status(self, order: Order) -> Run:
        """What became of the run with this order's title."""
        checked_order(order)
        found = await self._found(order)
        if found is None:
            return Run("", RunState.UNKNOWN)
        run = _run(found, order.version)
        return run if run.state is not RunState.FAILED else await self._explained(run, order)

    async def cancel(self, order: Order) -> Run:
        """Ask that the run stops; GitHub says when it did."""
        run = await self.status(order)
        if run.state is not RunState.RUNNING:
            return run
        with suppress(BadPayload):  # 409: it has ended meanwhile
            await self._api.order(f"{self._runs(order.service)}/{run.id}/cancel")
        return await self.status(order)

    async def check(self) -> tuple[str, ...]:
        """The token, the repository and the workflow file."""
        settings = self._settings
        if settings.token is None:
            return ("There is no token: TOCSIN_DEPLOYERS_<NAME>_TOKEN, with Actions: read and write.",)
        if "{service}" in settings.repository + settings.workflow:
            return ()  # only a service says which
        repository = await self._api.get(f"/repos/{settings.repository}")
        lacks = []
        if repository["permissions"]["push"].value is False:
            lacks.append(f"The token may only read {settings.repository}; it needs Actions: read and write.")
        try:
            workflow = await self._api.get(self._workflow_path(""))
        except NotFound:
            return (*lacks, f"{settings.repository} has no workflow {settings.workflow}, or the token may not read Actions.")
        if workflow["state"].text("active") != "active":
            lacks.append(f"The workflow {settings.workflow} is {workflow['state'].text()}; enable it on GitHub.")
        return (*lacks, *await self._amiss(workflow["path"].text()))

    async def checks(self, service: str, commit: str) -> Mapping[str, bool]:
        """The checks of a commit that have ended, by name: True where one passed. Raises as `current` does."""
        checked(service=service, commit=commit)
        path = f"/repos/{self._repository(service)}/commits/{commit}/check-runs"
        found = await self._api.get(path, per_page="100", filter="latest")
        ended = [one for one in found["check_runs"].optional_items() if one["status"].text() == "completed"]
        return {line(c["name"].text(), 100): c["conclusion"].text() in ("success", "neutral", "skipped") for c in ended}

    async def commit_of(self, service: str, version: str) -> str:
        """The commit of the version's tag, or the version itself where it is one."""
        checked(service=service, version=version)
        return self._with_commit(Version(version), await self._tags(service)).commit

    def how_to_ask(self, order: Order) -> str:
        """The place where a person sees the runs."""
        where = f"the runs of {self._workflow(order.service)} in {self._repository(order.service)} on GitHub"
        return f"look for {title_of(order)!r} among {where}"

    async def _amiss(self, path: str) -> tuple[str, ...]:
        """What the workflow file lacks, where the token may read it."""
        try:
            file = await self._api.get(f"/repos/{self._settings.repository}/contents/{quote(path)}", ref=self._settings.ref)
            text = base64.b64decode(file["content"].text()).decode("utf-8", "replace")
        except (NotFound, NotAllowed, binascii.Error):
            return ()
        needed = ("workflow_dispatch", "run-name", *INPUTS)
        return tuple(f"{path} at {self._settings.ref} does not say {word!r}." for word in needed if word not in text)

    async def _found(self, order: Order) -> Node | None:
        """The run of an order: by its id where one is known, as a new run is listed late; else by its title."""
        if order.run.isdecimal():
            try:
                return (await self._api.get(f"{self._runs(order.service)}/{order.run}")).object()
            except NotFound:
                pass
        for page in range(1, PAGES + 1):
            listed = await self._listed(order.service, page)
            for one in listed:
                if one["display_title"].text().strip() == title_of(order):
                    return one
            if len(listed) < 100:
                break
        return None

    async def _listed(self, service: str, page: int = 1) -> list[Node]:
        path = f"{self._workflow_path(service)}/runs"
        found = await self._api.get(path, event="workflow_dispatch", per_page="100", page=str(page))
        return list(found.object()["workflow_runs"].items())

    async def _past(self, service: str, environment: str) -> list[Past]:
        """What the newest runs carried, as far back as a plan needs."""
        past: list[Past] = []
        for page in range(1, PAGES + 1):
            listed = await self._listed(service, page)
            orders = ((told_by(one["display_title"].text()), one) for one in listed)
            past += [Past(o, _run(one, o.version), _began(one)) for o, one in orders if o]
            if len(listed) < 100 or enough(past, service, environment):
                break
        return past

    async def _tags(self, service: str) -> Mapping[str, str]:
        """The commits of the newest tags by their names."""
        found = await self._api.get(f"/repos/{self._repository(service)}/tags", per_page="100")
        return {tag["name"].text(): tag["commit"]["sha"].text() for tag in found.optional_items()}

    def _with_commit(self, version: Version, tags: Mapping[str, str]) -> Version:
        named = self._settings.tag.replace("{version}", version.version)
        sha = tags.get(named) or (version.version if SHA.fullmatch(version.version) else "")
        return Version(version.version, sha, version.deployed_at, version.healthy)

    async def _explained(self, run: Run, order: Order) -> Run:
        """The failed run with the steps that failed, if GitHub tells them."""
        try:
            jobs = await self._api.get(f"{self._runs(order.service)}/{run.id}/jobs", filter="latest", per_page="100")
        except BotError:
            return run
        failed = [job for job in jobs["jobs"].optional_items() if job["conclusion"].text() == "failure"]
        steps = [(j["name"].text(), s["name"].text()) for j in failed for s in j["steps"].optional_items() if _bad(s)]
        said = [line(f"{job} › {step} failed", 200) for job, step in steps[:5]]
        return Run(run.id, run.state, run.version, run.link, (*run.output, *said))

    def _repository(self, service: str) -> str:
        return self._settings.repository_of(service)

    def _workflow(self, service: str) -> str:
        return self._settings.workflow.replace("{service}", service)

    def _workflow_path(self, service: str) -> str:
        return f"/repos/{self._repository(service)}/actions/workflows/{self._workflow(service)}"

    def _runs(self, service: str) -> str:
        return f"/repos/{self._repository(service)}/actions/runs"


def _began(one: Node) -> datetime | None:
    return one["run_started_at"].time() or one["created_at"].time()


def _bad(step: Node) -> bool:
    return step["conclusion"].text() == "failure"


def _run(one: Node, version: str) -> Run:
    """A workflow run as GitHub writes it."""
    conclusion = one["conclusion"].text()
    over = one["status"].text() == "completed"
    state = CONCLUSIONS.get(conclusion, RunState.FAILED) if over else RunState.RUNNING
    said = (f"the run ended with {conclusion or 'no conclusion'}",) if state is RunState.FAILED else ()
    return Run(one["id"].needed(), state, version, link(one["html_url"].text()), said)


def github_deployer(table: Mapping[str, object]) -> Deployer:
    """A deployer from its table in tocsin.toml. Raises BadSettings."""
    settings = settings_of(GitHubDeploys, table, GOOD)
    return GitHubActions(settings) if settings.mode == "workflow" else GitHubDeployments(settings)
