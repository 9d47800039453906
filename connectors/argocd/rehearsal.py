"""A dry run of Argo CD: how it is asked for, what it says in words for people, and what it must not make anybody forget. Pure.

Format: `dryRun` of ApplicationSyncRequest and ApplicationRollbackRequest, `syncResult` of OperationState, in /swagger.json.
A dry run is an operation like any other and takes the place of the last one, so it carries on what became of an order of ours.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from bot.domain.payload import Node
from bot.domain.vocabulary import line
from bot.errors import BotError, IllegalMove, Unavailable
from bot.redact import clean, redact

KEY, DRY, BEFORE = "tocsin-key", "tocsin-dry-run", "tocsin-before"
TERMINATED = "Operation terminated"
ENDED = ("Succeeded", "Failed", "Error")
SETTLED = timedelta(minutes=1)  # for so long after its end an operation may still be asked for
MOST = 40  # resources that are named


def keys_of(operation: Node) -> set[str]:
    """The keys of the orders that an operation carries out; a dry run carries out none."""
    return set() if is_dry(operation) else set(_infos(operation, KEY))


def is_dry(operation: Node) -> bool:
    """It changes nothing."""
    return operation["sync"]["dryRun"].value is True


def carried(operation: Node, key: str) -> Node:
    """The operation state of the order with this key that a dry run took the place of; a Node of None where it is not."""
    for said in _infos(operation, BEFORE) if is_dry(operation) else ():
        of, phase, revision, end = (*said.split(" "), "", "", "")[:4]
        if of == key:
            sync = {"sync": {"revision": revision}}
            return Node({"phase": phase, "operation": sync, "message": TERMINATED if end == "terminated" else ""})
    return Node(None)


def dry(body: Mapping[str, object], app: Node, mark: str) -> dict[str, object]:
    """The request for a dry run of what a sync or rollback asks for; a rollback's cannot be marked."""
    wanted: dict[str, object] = {**body, "dryRun": True}
    if "infos" not in body:
        return wanted
    infos = [{"name": DRY, "value": mark}, *({"name": BEFORE, "value": said} for said in _handed_on(app))]
    return {**wanted, "infos": infos, "retryStrategy": {"limit": 0}}  # tried once, whatever the application's own policy


def is_mine(state: Node, mark: str, revision: str, before: str) -> bool:
    """The operation is the dry run with this mark; one without marks by its revision, unless it is what began `before`."""
    operation = state["operation"]
    if marks := _infos(operation, DRY):
        return mark in marks
    return is_dry(operation) and operation["sync"]["revision"].text() == revision and state["startedAt"].text() != before


def unsettled(app: Node, marked: bool, now: datetime) -> bool:
    """Somebody may still ask what became of the last operation, and a dry run now would make Argo CD forget it."""
    last = app["status"]["operationState"]
    ours = _infos(last["operation"], KEY) or _infos(last["operation"], BEFORE)
    if not last or (is_dry(last["operation"]) and not ours) or (ours and marked):
        return False
    ended = last["finishedAt"].time()
    return app["status"]["health"]["status"].text() == "Progressing" or (ended is not None and now - ended < SETTLED)


def told(app: Node, state: Node) -> tuple[str, ...]:
    """What would become of each resource, which images are new, and how much Argo CD looked at. Raises as `_failure` says."""
    resources = list(state["syncResult"]["resources"].optional_items())
    if error := _failure(state, resources):
        raise error
    named, message = sorted(resources, key=_weight), line(state["message"].text(), 100)
    revision = state["operation"]["sync"]["revision"].text()
    lines = [
        *(["…"] if len(named) > MOST else []),
        *(f"{_name(one)}: {_fate(one)}" for one in named[-MOST:]),
        *_images(app, resources),
        f"{len(resources)} resources of {revision[:12]}, tried by Argo CD without the cluster's admission: {message}",
    ]
    return tuple(redact(clean(line(text))) for text in lines)


def _failure(state: Node, resources: list[Node]) -> BotError | None:
    """Unavailable for a dry run that somebody ended, IllegalMove for one that failed as a sync would."""
    if state["phase"].text() == "Succeeded":
        return None
    message = line(state["message"].text(), 200)
    if message == TERMINATED:
        return Unavailable("Somebody terminated the dry run in Argo CD; plan again.")
    bad = [f"{_name(one)}: {line(one['message'].text(), 120)}" for one in resources if one["status"].text() == "SyncFailed"]
    return IllegalMove(redact(clean(f"A sync would fail: {'; '.join([*bad[:2], message])}")))


def _weight(resource: Node) -> int:
    """What people look for stands last, where it is not cut off: new ones, then those that go."""
    if resource["status"].text() in ("Pruned", "PruneSkipped"):
        return 2
    return 1 if " created" in resource["message"].text() else 0


def _fate(resource: Node) -> str:
    status, message = resource["status"].text(), line(resource["message"].text(), 160)
    if status == "Pruned":
        return "would be deleted (pruned)"
    if status == "PruneSkipped":
        return f"is not in this revision, and would stay: {message}"
    hook = resource["hookType"].text()
    return f"{hook} hook, would run: {message}" if hook else message or status or "would be applied"


def _images(app: Node, resources: list[Node]) -> Iterator[str]:
    """Images that do not run now, each beside the one of the same name that does; none where Argo CD tells no images."""
    now = [image.text() for image in app["status"]["summary"]["images"].optional_items()]
    then = dict.fromkeys(image.text() for one in resources for image in one["images"].optional_items())
    for image in list(then)[:MOST]:
        if now and image not in now:
            old = [one for one in now if _repository(one) == _repository(image) and one not in then]
            yield f"image {', '.join(old) or 'none'} → {image}"


def _repository(image: str) -> str:
    folder, slash, last = image.partition("@")[0].rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def _name(resource: Node) -> str:
    return f"{resource['kind'].text()} {resource['name'].text()}"[:120]


def _handed_on(app: Node) -> list[str]:
    """What the dry run has to carry on, of the operation that it takes the place of."""
    last = app["status"]["operationState"]
    if is_dry(last["operation"]):
        return _infos(last["operation"], BEFORE)[:1]
    end = " terminated" if last["message"].text() == TERMINATED else ""
    revision = last["operation"]["sync"]["revision"].text()
    return [f"{key} {last['phase'].text()} {revision}{end}" for key in sorted(keys_of(last["operation"]))[:1]]


def _infos(operation: Node, name: str) -> list[str]:
    return [info["value"].text() for info in operation["info"].optional_items() if info["name"].text() == name]
