"""The patches that bring a version: one image of a Deployment, or its whole template of a revision that ran.

Format: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/deployment-v1/. Each carries the key of the order,
and the condition that nobody changed the object since it was read.
"""

from typing import Any

from bot.domain.payload import Node
from bot.ports import Order

KEY, CAUSE = "tocsin.dev/key", "kubernetes.io/change-cause"
HASH = "pod-template-hash"


def new_image(item: Node, container: str, image: str, order: Order) -> dict[str, object]:
    """A strategic merge patch that sets the image of one container."""
    return {
        "metadata": {"resourceVersion": item["metadata"]["resourceVersion"].needed(), "annotations": _marks(order)},
        "spec": {"template": {"spec": {"containers": [{"name": container, "image": image}]}}},
    }


def undo(item: Node, former: Node, order: Order) -> list[dict[str, object]]:
    """A JSON patch that does what `kubectl rollout undo --to-revision` does; `former` is the replica set of that revision."""
    template: dict[str, Any] = dict(former["spec"]["template"].object().value)  # type: ignore[call-overload]  # object() made sure
    meta = dict(template.get("metadata") or {})
    meta["labels"] = {name: value for name, value in (meta.get("labels") or {}).items() if name != HASH}
    marks: list[dict[str, object]] = [{"op": "add", "path": "/metadata/annotations", "value": _marks(order)}]
    if item["metadata"]["annotations"]:
        marks = [{"op": "add", "path": f"/metadata/annotations/{_pointer(k)}", "value": v} for k, v in _marks(order).items()]
    return [
        {"op": "test", "path": "/metadata/resourceVersion", "value": item["metadata"]["resourceVersion"].needed()},
        {"op": "replace", "path": "/spec/template", "value": {**template, "metadata": meta}},
        *marks,
    ]


def _pointer(name: str) -> str:
    """A key as a part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


def _marks(order: Order) -> dict[str, str]:
    return {KEY: order.key, CAUSE: f"{order.version} by Tocsin ({order.key})"}
