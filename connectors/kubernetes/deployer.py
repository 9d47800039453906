"""A deployer that changes a Deployment itself: its image for a version that is new, its whole template for one that ran.

Format: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/. The key is an annotation that is
written in the same request as the change, on the condition that nobody changed the object meanwhile: so a key changes it once.
The controller copies annotations to the replica set, so that a key is known as long as its revision is.
"""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from bot.domain.change import Version
from bot.domain.payload import Node
from bot.domain.vocabulary import line
from bot.errors import BadPayload, BadSettings, IllegalMove, NotFound, NotStarted, Unavailable
from bot.ports import Deployer, Order, Run, RunState
from bot.wire.orders import checked, checked_order, settings_of
from connectors.kubernetes.api import KubernetesSettings
from connectors.kubernetes.calls import JSON_PATCH, MERGE, ApiServer
from connectors.kubernetes.images import container_of, image_for, version_of
from connectors.kubernetes.patches import KEY, new_image, undo
from connectors.kubernetes.rehearsal import would_change

GOOD = (
    'kind = "kubernetes", namespace = "shop", selector = "app.kubernetes.io/name={service}"; see docs/connectors/kubernetes.md.'
)
REVISION = "deployment.kubernetes.io/revision"
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
REVIEW = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
VERBS = (("deployments", "get"), ("deployments", "list"), ("deployments", "patch"), ("replicasets", "list"))


class KubernetesDeploys(BaseModel):
    """One `[deployers.<name>]` table with `kind = "kubernetes"`; {service} and {environment} are filled into the names."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    url: str = ""
    token: SecretStr | None = Field(None, repr=False)
    ca_file: Path | None = None
    kubeconfig: Path | None = None
    context: str = ""
    namespace: str = Field("default", min_length=1)
    deployment: str = "{service}"
    selector: str = ""  # of labels, in place of `deployment`
    container: str = ""  # "": the only one, or the one named like the service
    image: str = ""  # "registry.example/{service}:{version}"; "": the present one with another tag
    dry_run: bool = True  # server-side, for each plan
    timeout_seconds: float = Field(15, gt=0, le=300)

    @model_validator(mode="after")
    def _fits(self) -> "KubernetesDeploys":
        if self.image and "{version}" not in self.image:
            raise ValueError("image has to hold {version}")
        return self

    @property
    def server(self) -> KubernetesSettings:
        """How the API server is reached."""
        return KubernetesSettings(
            url=self.url, token=self.token, ca_file=self.ca_file, kubeconfig=self.kubeconfig, context=self.context
        )


class KubernetesDeployer:
    """ports.Deployer and Rehearsal by patches of Deployments."""

    idempotent = True
    cancels = False

    def __init__(self, settings: KubernetesDeploys) -> None:
        self._settings = settings
        self._api = ApiServer(settings.server, settings.timeout_seconds)

    async def current(self, service: str, environment: str) -> Version:
        """The version of the image in the Deployment's template; healthy where its rollout went well."""
        item = await self._deployment(service, environment)
        state, _ = phase_of(item)
        healthy = {RunState.SUCCEEDED: True, RunState.FAILED: False}.get(state)
        at = _condition(item)["lastUpdateTime"].time()
        return Version(self._version(item["spec"]["template"], service), deployed_at=at, healthy=healthy)

    async def versions(self, service: str, environment: str) -> tuple[Version, ...]:
        """The versions of the replica sets that are kept, the newest revision first."""
        async with self._api:
            item = await self._deployment(service, environment)
            sets = await self._sets(item)
        made = [(self._former(s, service), s["metadata"]["creationTimestamp"].time()) for s in sets]
        return tuple(Version(version, deployed_at=at) for version, at in made if version)

    async def start(self, order: Order) -> Run:
        """Change the Deployment, unless it was changed for this key already."""
        checked_order(order)
        async with self._api:
            return await self._start(order)

    async def _start(self, order: Order) -> Run:
        try:
            item = await self._deployment(order.service, order.environment)
            sets = await self._sets(item)
        except (Unavailable, BadPayload) as error:
            raise NotStarted(f"The API server could not be asked what runs, so nothing was begun. {error}") from error
        known = self._seen(item, sets, order)
        if known.state is not RunState.UNKNOWN:
            return known
        _refuse_paused(item)
        patch, kind = self._patch(item, sets, order)
        try:
            return self._run(await self._api.patch(_path(item), patch, kind), order)
        except BadPayload:  # somebody changed it meanwhile, perhaps for this very key
            known = await self._status(order)
            if known.state is RunState.UNKNOWN:
                raise
            return known

    def _patch(self, item: Node, sets: tuple[Node, ...], order: Order) -> tuple[object, str]:
        """The patch that brings the version of the order, and its media type."""
        former = next((s for s in sets if self._former(s, order.service) == order.version), None)
        if former is not None:
            return undo(item, former, order), JSON_PATCH
        one = container_of(item["spec"]["template"], self._settings.container, order.service)
        wanted = self._filled(self._settings.image, order.service, order.environment)
        image = image_for(wanted, one["image"].text(), order.version)
        return new_image(item, one["name"].needed(), image, order), MERGE

    async def rehearse(self, order: Order) -> tuple[str, ...]:
        """What the API server says of the very patch that `start` would send, tried with `dryRun=All`; nothing is changed.

        Empty where the settings turn it off. Raises IllegalMove or NotAllowed where it would be refused, else as questions do.
        """
        checked_order(order)
        if not self._settings.dry_run:
            return ()
        async with self._api:
            item = await self._deployment(order.service, order.environment)
            _refuse_paused(item)
            patch, kind = self._patch(item, await self._sets(item), order)
            after, warnings = await self._api.try_patch(_path(item), patch, kind, f"the Deployment {_name(item)}")
        return would_change(item, after, warnings)

    async def status(self, order: Order) -> Run:
        """What became of the rollout with this key; one that another came after has failed."""
        checked_order(order)
        async with self._api:
            return await self._status(order)

    async def _status(self, order: Order) -> Run:
        item = await self._deployment(order.service, order.environment)
        return self._seen(item, await self._sets(item), order)

    async def cancel(self, order: Order) -> Run:
        """Raises IllegalMove: what a rollout needs is a rollback."""
        raise IllegalMove(f"Kubernetes cannot stop a rollout of {order.service}; roll it back to the version before.")

    async def check(self) -> tuple[str, ...]:
        """What the service account may not do, as the API server itself says of it."""
        lacks = []
        namespace = "" if "{" in self._settings.namespace else self._settings.namespace
        async with self._api:
            for resource, verb in VERBS:
                asked = {"group": "apps", "resource": resource, "verb": verb, "namespace": namespace}
                told = await self._api.review(REVIEWS, {**REVIEW, "spec": {"resourceAttributes": asked}})
                if told["status"]["allowed"].value is not True:
                    lacks.append(f"The service account may not {verb} {resource} in {namespace or 'all namespaces'}.")
        return tuple(lacks)

    def how_to_ask(self, order: Order) -> str:
        """The command with which a person asks."""
        place = self._filled(self._settings.namespace, order.service, order.environment)
        return f"run `kubectl -n {place} get deployments,replicasets -o yaml` and look for {KEY}: {order.key}"

    def _seen(self, item: Node, sets: tuple[Node, ...], order: Order) -> Run:
        """What the Deployment and its replica sets say of a key."""
        if _notes(item).get(KEY) == order.key:
            return self._run(item, order)
        if any(_notes(one).get(KEY) == order.key for one in sets):
            return Run(order.key, RunState.FAILED, order.version, output=(_overtaken(item),))
        return Run("", RunState.UNKNOWN)

    def _run(self, item: Node, order: Order) -> Run:
        if self._version(item["spec"]["template"], order.service) != order.version:
            return Run(order.key, RunState.FAILED, order.version, output=(_overtaken(item),))
        state, why = phase_of(item)
        return Run(order.key, state, order.version, output=(line(why),) if why else ())

    def _version(self, template: Node, service: str) -> str:
        return version_of(container_of(template, self._settings.container, service)["image"].text())

    def _former(self, one: Node, service: str) -> str:
        """The version of a replica set; "" where its containers had other names."""
        try:
            return self._version(one["spec"]["template"], service)
        except (BadSettings, BadPayload):
            return ""

    async def _deployment(self, service: str, environment: str) -> Node:
        """The one Deployment of a service. Raises NotFound where there is none, BadSettings where there are several."""
        checked(service=service, environment=environment)
        settings = self._settings
        place = f"/apis/apps/v1/namespaces/{_segment(self._filled(settings.namespace, service, environment))}/deployments"
        if not settings.selector:
            return await self._api.get(f"{place}/{_segment(self._filled(settings.deployment, service, environment))}")
        selector = self._filled(settings.selector, service, environment)
        found = list((await self._api.get(place, labelSelector=selector, limit="10"))["items"].optional_items())
        if len(found) > 1:
            names = ", ".join(_name(one) for one in found)
            raise BadSettings(f"Several Deployments have {selector}: {names}; make the selector narrower.")
        if not found:
            raise NotFound(f"No Deployment has {selector} in {place.split('/')[5]}.")
        return found[0]

    async def _sets(self, item: Node) -> tuple[Node, ...]:
        """The replica sets of a Deployment, the newest revision first."""
        meta = item["metadata"]
        place = f"/apis/apps/v1/namespaces/{_segment(meta['namespace'].needed())}/replicasets"
        labels = item["spec"]["selector"]["matchLabels"].texts()
        query = {"labelSelector": ",".join(f"{name}={value}" for name, value in labels.items())} if labels else {}
        found = (await self._api.get(place, **query))["items"].optional_items()
        return tuple(sorted((one for one in found if _owned(one, meta["uid"].text())), key=_revision, reverse=True))

    def _filled(self, text: str, service: str, environment: str) -> str:
        return text.replace("{service}", service).replace("{environment}", environment)


def phase_of(item: Node) -> tuple[RunState, str]:
    """How far the rollout of a Deployment got, and what to say of it; the rules are those of `kubectl rollout status`."""
    spec, status = item["spec"], item["status"]
    if _number(status["observedGeneration"]) < _number(item["metadata"]["generation"]):
        return RunState.RUNNING, ""
    progressing = _condition(item)
    if progressing["reason"].text() == "ProgressDeadlineExceeded":
        return RunState.FAILED, progressing["message"].text() or "the progress deadline passed"
    wanted, new = _number(spec["replicas"], 1), _number(status["updatedReplicas"])
    if new < wanted:
        return RunState.RUNNING, f"{new} of {wanted} new pods are there"
    if (old := _number(status["replicas"]) - new) > 0:
        return RunState.RUNNING, f"{old} old pods are still there"
    if (ready := _number(status["availableReplicas"])) < new:
        return RunState.RUNNING, f"{ready} of {new} new pods are available"
    return RunState.SUCCEEDED, ""


def _refuse_paused(item: Node) -> None:
    if item["spec"]["paused"].value is True:
        raise IllegalMove(f"The Deployment {_name(item)} is paused; resume it first. Nothing was started.")


def _overtaken(item: Node) -> str:
    return f"another rollout came after it: revision {_notes(item).get(REVISION, '?')} of {_name(item)}"


def _condition(item: Node) -> Node:
    conditions = item["status"]["conditions"].optional_items()
    return next((c for c in conditions if c["type"].text() == "Progressing"), Node(None))


def _owned(one: Node, uid: str) -> bool:
    return any(owner["uid"].text() == uid for owner in one["metadata"]["ownerReferences"].optional_items())


def _revision(one: Node) -> int:
    told = _notes(one).get(REVISION, "")
    return int(told) if told.isdecimal() else 0


def _notes(item: Node) -> dict[str, str]:
    return item["metadata"]["annotations"].texts()


def _name(item: Node) -> str:
    return item["metadata"]["name"].text()[:253]


def _path(item: Node) -> str:
    meta = item["metadata"]
    return f"/apis/apps/v1/namespaces/{_segment(meta['namespace'].needed())}/deployments/{_segment(meta['name'].needed())}"


def _segment(name: str) -> str:
    """The name as a part of a path. Raises BadSettings for what can be none."""
    if "/" in name or name in ("", ".", ".."):
        raise BadSettings(f"{name[:80]!r} cannot be a name in Kubernetes.")
    return name


def _number(node: Node, default: int = 0) -> int:
    return node.value if isinstance(node.value, int) and not isinstance(node.value, bool) else default


def kubernetes_deployer(table: Mapping[str, object]) -> Deployer:
    """A deployer from its table in tocsin.toml. Raises BadSettings."""
    return KubernetesDeployer(settings_of(KubernetesDeploys, table, GOOD))
