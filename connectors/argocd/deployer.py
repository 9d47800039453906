"""A deployer that has Argo CD sync an application to a revision, or roll it back to an entry of its history.

Format: https://argo-cd.readthedocs.io/en/stable/developer-guide/api-docs/ (the server's own /swagger.json). A sync carries the
key among the operation's infos, by which it is found again whoever lost the answer. A rollback to another source carries none:
if its answer is lost, nobody can tell it from somebody else's.
"""

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from bot.domain.change import Version
from bot.domain.payload import Node
from bot.domain.vocabulary import line, link
from bot.errors import BadPayload, IllegalMove, NotFound, NotStarted, Unavailable
from bot.ports import Clock, Deployer, Order, Run, RunState
from bot.wire.orders import checked, checked_order, settings_of
from bot.wire.rest import Rest
from connectors.argocd.rehearsal import ENDED, KEY, TERMINATED, carried, dry, is_dry, is_mine, keys_of, told, unsettled

GOOD = 'kind = "argocd", url = "https://argocd.example", application = "{service}-{environment}"; see docs/connectors/argocd.md.'
PHASES = {"Running": RunState.RUNNING, "Terminating": RunState.RUNNING, "Succeeded": RunState.SUCCEEDED}
LOOK, LOOKS = 1.0, 120  # seconds between two looks at a dry run, and how many of them
ROLLBACK = re.compile(r"rollback to (?P<id>\d+) \((?P<revision>\S+)\) after (?P<after>\S*)")
NONE = Node(None)


class ArgoDeploys(BaseModel):
    """One `[deployers.<name>]` table with `kind = "argocd"`; {service} and {environment} are filled into `application`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = Field(pattern=r"^https?://[^\s@]+$")
    token: SecretStr | None = Field(None, repr=False)
    application: str = Field("{service}", pattern=r"^[\w.{}-]+$")
    namespace: str = Field("", pattern=r"^[a-z0-9-]*$")  # of the application, where it is not Argo CD's own
    project: str = Field("", pattern=r"^[\w.-]*$")
    prune: bool = False
    dry_run: bool = False  # for each plan; off, as Argo CD shows and announces it like any other operation
    timeout_seconds: float = Field(15, gt=0, le=300)


class ArgoDeployer:
    """ports.Deployer and Rehearsal by syncs of an application that has one source and does not sync by itself."""

    idempotent = False  # an operation is forgotten when the next one begins
    cancels = True

    def __init__(
        self,
        settings: ArgoDeploys,
        transport: httpx.AsyncBaseTransport | None = None,
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
        clock: Clock = lambda: datetime.now(UTC),
    ) -> None:
        self._settings, self._pause, self._clock = settings, pause, clock
        proof = {"authorization": f"Bearer {settings.token.get_secret_value()}"} if settings.token else {}
        self._api = Rest("Argo CD", settings.url, proof, timeout=settings.timeout_seconds, quotes=True, transport=transport)

    async def current(self, service: str, environment: str) -> Version:
        """What was synced last; healthy as Argo CD says of the application."""
        app = await self._application(service, environment)
        entries = _history(app)
        if not entries:
            raise NotFound(f"Argo CD remembers no sync of {_name(app)}; sync it there once by hand.")
        said = app["status"]["health"]["status"].text()
        return await self._version(app, entries[0], {"Healthy": True, "Degraded": False}.get(said))

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """The application's history, newest first: revisions, by their tag where they have one."""
        app = await self._application(service, environment)
        return tuple(await asyncio.gather(*(self._version(app, entry, None) for entry in _history(app))))

    async def start(self, order: Order) -> Run:
        """Sync or roll back, unless it runs for this key already or the application is busy or syncs by itself."""
        checked_order(order)
        try:
            app = await self._application(order.service, order.environment)
            revision = order.commit or await self._revision(app, order.version)
        except (Unavailable, BadPayload) as error:
            raise NotStarted(f"Argo CD could not be asked what runs, so nothing was begun. {error}") from error
        run = self._seen(app, order)
        if run.state is not RunState.UNKNOWN:
            return run
        _refuse_unfit(app)
        path, body = self._request(app, order, revision)
        after = app["status"]["operationState"]["startedAt"].text()
        said = (await self._api.order(path, body)).said
        name = f"rollback to {body['id']} ({revision}) after {after}" if "id" in body else f"sync to {revision}"
        return Run(name, RunState.RUNNING, order.version, self._link(said if said["metadata"] else app))

    def _request(self, app: Node, order: Order, revision: str) -> tuple[str, dict[str, object]]:
        """Where it is asked for and how: a sync, or a rollback to an entry whose source is another than today's."""
        entry = next((e for e in _history(app) if e["revision"].text() == revision), NONE)
        how: dict[str, object] = {"prune": self._settings.prune, **self._where()}
        if entry and _place(entry["source"]) != _place(app["spec"]["source"]):  # a sync cannot bring it back
            return f"{_path(app)}/rollback", {"id": int(entry["id"].text("0")), **how}
        return f"{_path(app)}/sync", {"revision": revision, "infos": _infos(order), **how}

    async def rehearse(self, order: Order) -> tuple[str, ...]:
        """What Argo CD says of the same sync or rollback with `dryRun`, which changes nothing; empty unless `dry_run` is set.

        Raises IllegalMove where a sync would fail or is not ours to make, NotStarted while the application is busy, and
        Unavailable where no end was heard of; whatever is heard of, what was asked for is a dry run, and asked for once.
        """
        checked_order(order)
        if not self._settings.dry_run:
            return ()
        app = await self._application(order.service, order.environment)
        revision = order.commit or await self._revision(app, order.version)
        _refuse_unfit(app)
        path, body = self._request(app, order, revision)
        if unsettled(app, "infos" in body, self._clock()):
            raise Unavailable(
                f"The last operation on {_name(app)} has hardly ended, and a dry run would take its place; plan again."
            )
        mark = secrets.token_hex(8)
        await self._api.order(path, dry(body, app, mark))
        return told(app, await self._rehearsed(app, order, mark, revision))

    async def _rehearsed(self, before: Node, order: Order, mark: str, revision: str) -> Node:
        """The state of the dry run once it has ended. An answer may be older than the request: Argo CD reads from a cache."""
        began = before["status"]["operationState"]["startedAt"].text()
        for _ in range(LOOKS):
            app = await self._application(order.service, order.environment)
            state = app["status"]["operationState"]
            if is_mine(state, mark, revision, began):
                if state["phase"].text() in ENDED and not app["operation"]:
                    return state
            elif state and state["startedAt"].text() != began:
                raise Unavailable(f"Another operation on {_name(app)} came after the dry run, and took its place; plan again.")
            await self._pause(LOOK)
        raise Unavailable(f"The dry run of {_name(before)} has not ended; see `argocd app get {_name(before)} --show-operation`.")

    async def status(self, order: Order) -> Run:
        """What became of it; UNKNOWN also once another operation came after it."""
        checked_order(order)
        return self._seen(await self._application(order.service, order.environment), order)

    async def cancel(self, order: Order) -> Run:
        """Terminate the operation if it is this order's; what was applied until then stays."""
        run = await self.status(order)
        if run.state is not RunState.RUNNING:
            return run
        app = await self._application(order.service, order.environment)
        with suppress(BadPayload):  # 400: it has ended meanwhile
            await self._api.send("DELETE", f"{_path(app)}/operation", params=self._where())
        return await self.status(order)

    async def check(self) -> tuple[str, ...]:
        """Whether the token is known and may sync, and whether the application can be synced at all."""
        if self._settings.token is None:
            return ("There is no token: TOCSIN_DEPLOYERS_<NAME>_TOKEN, of an account of Argo CD with apiKey.",)
        who = await self._api.get("/api/v1/session/userinfo")
        if who["loggedIn"].value is not True:
            return ("Argo CD does not know the token; make one with `argocd account generate-token`.",)
        fixed = "{" not in self._settings.application
        app = await self._application("", "") if fixed else NONE
        project = self._settings.project or app["spec"]["project"].text()
        lacks = []
        if project:
            asked = quote(f"{project}/{self._settings.application if fixed else '*'}", safe="*/")
            for verb in ("get", "sync"):
                if (await self._api.get(f"/api/v1/account/can-i/applications/{verb}/{asked}"))["value"].text() != "yes":
                    lacks.append(f"The account {who['username'].text()} may not {verb} applications of {project}.")
        return (*lacks, *((_unfit(app),) if _unfit(app) else ()))

    def how_to_ask(self, order: Order) -> str:
        """Where Argo CD shows it."""
        name = self._name(order.service, order.environment)
        return f"run `argocd app get {name} --show-operation` and see whether its operation carries {KEY} {order.key}"

    def _seen(self, app: Node, order: Order) -> Run:
        """What the application's waiting or last operation says of an order."""
        waiting, last = app["operation"], app["status"]["operationState"]
        back = ROLLBACK.fullmatch(order.run)
        for operation, state in ((waiting, NONE), (last["operation"], last)):
            if is_dry(operation):
                if former := carried(operation, order.key):
                    return self._run(app, order, former)
                continue
            mine = order.key in keys_of(operation)
            if back and not keys_of(operation) and operation["sync"]["revision"].text() == back["revision"]:
                mine = not state or state["startedAt"].text() != back["after"]
            if mine:
                return self._run(app, order, state)
        return Run("", RunState.UNKNOWN)

    def _run(self, app: Node, order: Order, state: Node) -> Run:
        run = order.run or f"sync to {state['operation']['sync']['revision'].text()}"
        phase, message = state["phase"].text("Running"), state["message"].text()
        found = PHASES.get(phase, RunState.FAILED)
        if found is RunState.SUCCEEDED and app["status"]["health"]["status"].text() == "Progressing":
            found = RunState.RUNNING  # applied, and not rolled out yet
        if found is RunState.FAILED and message == TERMINATED:
            found = RunState.CANCELLED
        bad = [r for r in state["syncResult"]["resources"].optional_items() if r["status"].text() == "SyncFailed"]
        said = [line(f"{r['kind'].text()} {r['name'].text()}: {r['message'].text()}", 300) for r in bad[:10]]
        return Run(run, found, order.version, self._link(app), (*said, *((line(message, 300),) if message else ())))

    async def _application(self, service: str, environment: str) -> Node:
        """The application of a service. Raises BadSettings for names that are none, IllegalMove for several sources."""
        if service or environment:
            checked(service=service, environment=environment)
        name = self._name(service, environment)
        app = (await self._api.get(f"/api/v1/applications/{quote(name, safe='')}", **self._where())).object()
        if next(app["spec"]["sources"].optional_items(), None):
            raise IllegalMove(f"The application {name} has several sources, and so no single version; deploy it by Git.")
        return app

    async def _version(self, app: Node, entry: Node, healthy: bool | None) -> Version:
        revision = entry["revision"].text()
        tag = next(iter(await self._tags(app, revision)), revision)
        return Version(tag[:128], revision[:128], entry["deployedAt"].time(), healthy)

    async def _revision(self, app: Node, version: str) -> str:
        """The revision of the history that has this tag, else the version itself, which Argo CD resolves."""
        revisions = list(dict.fromkeys(entry["revision"].text() for entry in _history(app)))
        tags = await asyncio.gather(*(self._tags(app, revision) for revision in revisions))
        return next((r for r, known in zip(revisions, tags, strict=True) if version in known), version)

    async def _tags(self, app: Node, revision: str) -> Sequence[str]:
        """The tags of a revision, the first by name first; none where Argo CD cannot tell, as with charts."""
        try:
            told = await self._api.get(f"{_path(app)}/revisions/{quote(revision, safe='')}/metadata", **self._where())
        except (NotFound, BadPayload):
            return ()
        return sorted(tag.text() for tag in told["tags"].optional_items() if tag.text())

    def _name(self, service: str, environment: str) -> str:
        return self._settings.application.replace("{service}", service).replace("{environment}", environment)

    def _where(self) -> dict[str, str]:
        told = {"appNamespace": self._settings.namespace, "project": self._settings.project}
        return {name: value for name, value in told.items() if value}

    def _link(self, app: Node) -> str:
        meta = app["metadata"]
        place = f"{meta['namespace'].text('argocd')}/{quote(meta['name'].text(), safe='')}"
        return link(f"{self._settings.url.rstrip('/')}/applications/{place}")


def _refuse_unfit(app: Node) -> None:
    """Raises IllegalMove where the application is not to be synced by us, NotStarted where it is busy."""
    if why := _unfit(app):
        raise IllegalMove(f"{why} Nothing was started.")
    last = app["status"]["operationState"]
    if app["operation"] or last["phase"].text() in ("Running", "Terminating"):
        what = "A dry run" if is_dry(app["operation"] or last["operation"]) else "Another operation"
        raise NotStarted(f"{what} runs on {_name(app)}; nothing was started. Try again when it has ended.")


def _unfit(app: Node) -> str:
    automated = app["spec"]["syncPolicy"]["automated"]
    if not isinstance(automated.value, Mapping) or automated["enabled"].value is False:
        return ""
    return (
        f"{_name(app)} syncs by itself (spec.syncPolicy.automated), and Argo CD would undo what is not in Git: change Git, or "
        f"switch automated sync off."
    )


def _history(app: Node) -> tuple[Node, ...]:
    """The newest first."""
    return tuple(app["status"]["history"].optional_items())[::-1]


def _place(source: Node) -> dict[str, object]:
    """A source without its revision."""
    told = source.value if isinstance(source.value, Mapping) else {}
    return {name: value for name, value in told.items() if name != "targetRevision"}


def _infos(order: Order) -> list[dict[str, str]]:
    return [{"name": KEY, "value": order.key}, {"name": "Reason", "value": f"{order.version} by Tocsin"}]


def _name(app: Node) -> str:
    return app["metadata"]["name"].text()[:100]


def _path(app: Node) -> str:
    return f"/api/v1/applications/{quote(app['metadata']['name'].needed(), safe='')}"


def argo_deployer(table: Mapping[str, object]) -> Deployer:
    """A deployer from its table in tocsin.toml. Raises BadSettings."""
    return ArgoDeployer(settings_of(ArgoDeploys, table, GOOD))
