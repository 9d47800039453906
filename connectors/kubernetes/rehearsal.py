"""What a server-side dry run says, in words for people: what a patch would change, or why it would be refused. Pure.

https://kubernetes.io/docs/reference/using-api/api-concepts/#dry-run: with `dryRun=All` a request is authorized, defaulted,
validated and shown to admission as ever; its answer is the object as it would be, and nothing is kept.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from bot.domain.payload import Node
from bot.domain.vocabulary import line
from bot.errors import BotError, IllegalMove, NotAllowed, NotFound, Unavailable
from bot.redact import clean, redact
from connectors.kubernetes.pods import changed, shape_of

MOST_FIELDS = 12  # named as changed too, without their values
TOLD = {"name", "image", "resources", "livenessProbe", "readinessProbe", "startupProbe"}  # of a container, by `shape_of`
ROLE = "docs/connectors/kubernetes.md has the role"
_NO_RIGHT = re.compile(r"cannot \S+ resource ")  # RBAC's own words; admission refuses with 403, too
_NO_DRY_RUN = "does not support dry run"  # of an admission webhook that has side effects
_WARNING = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')


def would_change(before: Node, after: Node, warnings: Sequence[str]) -> tuple[str, ...]:
    """What the patch would change about a Deployment: images, limits, probes, names of other fields, replicas, pods."""
    same = before["spec"]["template"].value == after["spec"]["template"].value
    lines = [
        *changed(shape_of(before), shape_of(after)),
        *_other_fields(before["spec"]["template"], after["spec"]["template"]),
        *_replicas(before, after),
        "no pod would be replaced: the template stays as it is" if same else _pods(after),
        *(f"the API server warns: {text}" for text in warnings),
        "the API server would take this: validation and admission agreed",
    ]
    return tuple(redact(clean(line(text))) for text in lines)


def refusal(status: int, said: str, what: str) -> BotError | None:
    """The error that an answer to a dry run is, None where it is none; `said` is the server's message, without secrets.

    Unavailable where a dry run may go better later; NotAllowed, NotFound and IllegalMove where a deploy would be refused as well.
    """
    if status < 300:
        return None
    why = f": {said}" if said else "."
    if status == 429 or status >= 500:
        return Unavailable(f"The API server could not try it ({status}){why}")
    if status == 409:
        return Unavailable(f"Somebody changed {what} while it was tried (409); plan again{why}")
    if status == 401:
        return NotAllowed(f"The API server does not know the token (401); {ROLE}.")
    if _NO_DRY_RUN in said:
        return IllegalMove(f"It cannot be tried in this cluster ({status}){why}. Nothing is known of what admission would say.")
    if status == 403 and (_NO_RIGHT.search(said) or not said):
        return NotAllowed(f"The service account may not patch {what} ({status}), so a deploy would be refused; {ROLE}.")
    if status in (404, 410):
        return NotFound(f"{what} is not there any more ({status}).")
    return IllegalMove(f"The cluster would refuse this ({status}){why}")


def warnings_of(headers: Sequence[str]) -> tuple[str, ...]:
    """The texts of `Warning` headers (RFC 7234, code 299), with which an API server answers what it takes reluctantly."""
    found = (match for header in headers for match in _WARNING.findall(header))
    return tuple(re.sub(r"\\(.)", r"\1", text)[:300] for text in found)[:5]


def _other_fields(before: Node, after: Node) -> Iterator[str]:
    """Names of the other fields that differ: variables and arguments may hold secrets, so no value is told."""
    mine, new = _containers(before), _containers(after)
    for name in (n for n in new if n in mine):
        if fields := _different(mine[name], new[name], TOLD):
            yield f"{name} also: {fields} (values are not shown)"
    rest = _different(_fields(before["spec"]), _fields(after["spec"]), {"containers"})
    marks = _different(_fields(before["metadata"]), _fields(after["metadata"]), {"creationTimestamp"})
    if rest or marks:
        yield f"pods also: {', '.join(filter(None, (marks, rest)))} (values are not shown)"


def _different(before: Mapping[str, object], after: Mapping[str, object], besides: set[str]) -> str:
    names = [n for n in dict.fromkeys([*after, *before]) if n not in besides and before.get(n) != after.get(n)]
    return ", ".join(names[:MOST_FIELDS])


def _containers(template: Node) -> dict[str, Mapping[str, object]]:
    return {one["name"].text(): _fields(one) for one in template["spec"]["containers"].optional_items()}


def _fields(node: Node) -> Mapping[str, object]:
    return node.value if isinstance(node.value, dict) else {}


def _replicas(before: Node, after: Node) -> Iterator[str]:
    old, new = _wanted(before), _wanted(after)
    if old != new:
        yield f"replicas {old} → {new}"


def _pods(item: Node) -> str:
    """How many pods are replaced, and how."""
    how, pods = item["spec"]["strategy"], _wanted(item)
    if pods == "0":
        return "replicas 0: no pod runs, so none would be replaced"
    if how["type"].text() == "Recreate":
        return f"replicas {pods}: every old pod would stop before a new one starts (Recreate)"
    most = how["rollingUpdate"]["maxUnavailable"].text()
    return f"replicas {pods}: pods would be replaced one after another{f', at most {most} unavailable' if most else ''}"


def _wanted(item: Node) -> str:
    return item["spec"]["replicas"].text("1")
