"""A deployer that asks GitHub for a deployment, which a system of yours carries out and reports on.

Format: https://docs.github.com/en/rest/deployments/deployments and https://docs.github.com/en/rest/deployments/statuses. The
payload of a deployment holds service, version and tocsin_key; whoever deploys (a workflow on `deployment`, Argo CD, a bot of
yours) writes its statuses.
"""

import asyncio

import httpx

from bot.domain.change import Version
from bot.domain.payload import Node, read_json
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, IllegalMove, NotFound
from bot.ports import Order, Run, RunState
from bot.wire.orders import Past, before_start, checked, checked_order, current_of, title_of, versions_of
from connectors.github.target import GitHubDeploys, api_of

MOST_ASKED = 15  # deployments of a service whose statuses are asked for
PAGES = 3
STATES = {
    "success": RunState.SUCCEEDED,
    "inactive": RunState.SUCCEEDED,  # it went well, and another came after it
    "failure": RunState.FAILED,
    "error": RunState.FAILED,
}


class GitHubDeployments:
    """ports.Deployer by the Deployments API."""

    idempotent = False  # GitHub makes another deployment for the same payload
    cancels = False  # GitHub cannot stop what others carry out

    def __init__(self, settings: GitHubDeploys, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._settings = settings
        self._api = api_of(settings, transport)

    async def current(self, service: str, environment: str) -> Version:
        """What the last deployment that went well brought there."""
        past = await self._past(service, environment)
        return current_of(past, service, environment, f"{self._settings.repository_of(service)} on GitHub")

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """What was deployed there before, newest first."""
        return versions_of(await self._past(service, environment), service, environment)

    async def start(self, order: Order) -> Run:
        """Ask for a deployment of the version's tag or commit, unless there is one for this key."""
        checked_order(order)
        known = await before_start(self, order)
        if known is not None:
            return known
        body: dict[str, object] = {
            "ref": order.commit or self._settings.tag.replace("{version}", order.version),
            "task": "deploy",
            "auto_merge": False,
            "environment": order.environment,
            "description": line(title_of(order), 140),
            "payload": {"service": order.service, "version": order.version, "tocsin_key": order.key},
        }
        if not self._settings.required_checks:
            body["required_contexts"] = []
        made = (await self._api.order(self._path(order.service), body)).said
        return Run(made["id"].text(), RunState.RUNNING, order.version)

    async def status(self, order: Order) -> Run:
        """What the newest status of its deployment says."""
        checked_order(order)
        found = await self._found(order)
        return Run("", RunState.UNKNOWN) if found is None else await self._run(found, order)

    async def cancel(self, order: Order) -> Run:
        """Never: raises IllegalMove."""
        raise IllegalMove(f"GitHub cannot stop a deployment of {order.service}; stop it where it is carried out.")

    async def check(self) -> tuple[str, ...]:
        """The token and the repository."""
        settings = self._settings
        if settings.token is None:
            return ("There is no token: TOCSIN_DEPLOYERS_<NAME>_TOKEN, with Deployments: read and write.",)
        if "{service}" in settings.repository:
            return ()  # only a service says which
        repository = await self._api.get(f"/repos/{settings.repository}")
        may_not = repository["permissions"]["push"].value is False
        lacks = (f"The token may only read {settings.repository}; it needs Deployments: read and write.",) if may_not else ()
        try:
            await self._api.get(self._path(""), per_page="1")
        except NotFound:
            return (*lacks, f"The token may not read the deployments of {settings.repository}.")
        return lacks

    def how_to_ask(self, order: Order) -> str:
        """The place where a person sees the deployments."""
        where = f"https://github.com/{self._settings.repository_of(order.service)}/deployments"
        return f"look for {title_of(order)!r} among the deployments of {order.environment} (such as {where})"

    async def _found(self, order: Order) -> Node | None:
        if order.run.isdecimal():
            try:
                return (await self._api.get(f"{self._path(order.service)}/{order.run}")).object()
            except NotFound:
                pass
        for page in range(1, PAGES + 1):
            listed = await self._listed(order.service, order.environment, page)
            for one in listed:
                if _payload(one)["tocsin_key"].text() == order.key:
                    return one
            if len(listed) < 100:
                break
        return None

    async def _listed(self, service: str, environment: str, page: int = 1) -> list[Node]:
        found = await self._api.get(self._path(service), environment=environment, per_page="100", page=str(page))
        return list(found.items())

    async def _past(self, service: str, environment: str) -> list[Past]:
        checked(service=service, environment=environment)
        mine = [one for one in await self._listed(service, environment) if self._service(one, service) == service][:MOST_ASKED]
        orders = [_order(one, service, environment) for one in mine]
        runs = await asyncio.gather(*(self._run(one, order) for one, order in zip(mine, orders, strict=True)))
        return [Past(o, run, one["created_at"].time()) for one, o, run in zip(mine, orders, runs, strict=True)]

    async def _run(self, one: Node, order: Order) -> Run:
        id = one["id"].needed()
        if not id.isdecimal():
            raise BadPayload("this is no number of a deployment", path=one["id"].path)
        told = await self._api.get(f"{self._path(order.service)}/{id}/statuses", per_page="1")
        newest = next(told.items(), Node(None))
        state = STATES.get(newest["state"].text(), RunState.RUNNING)
        where = next((u for k in ("log_url", "target_url", "environment_url") if (u := link(newest[k].text()))), "")
        said = line(newest["description"].text(), 200)
        return Run(id, state, order.version, where, (said,) if said else ())

    def _service(self, one: Node, otherwise: str) -> str:
        """Whose deployment it is; a repository of one service need not say."""
        said = _payload(one)["service"].text()
        return said or (otherwise if "{service}" in self._settings.repository else "")

    def _path(self, service: str) -> str:
        return f"/repos/{self._settings.repository_of(service)}/deployments"


def _order(one: Node, service: str, environment: str) -> Order:
    """The order that a deployment carries; without a version in its payload the ref is one."""
    payload = _payload(one)
    version = payload["version"].text() or one["ref"].text()
    return Order(service, environment, version[:128], payload["tocsin_key"].text()[:128], one["sha"].text()[:64])


def _payload(one: Node) -> Node:
    """What stands beside a deployment: an object, or one written as text."""
    given = one["payload"]
    if isinstance(given.value, str) and given.value[:1] == "{":
        try:
            return read_json(given.value.encode())
        except (BadPayload, UnicodeEncodeError):
            return Node(None)
    return given
