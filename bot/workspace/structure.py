"""The shape of blocks and views against a JSON schema that the configuration brings."""

from functools import lru_cache
from typing import Any

from bot.workspace.config import Schema
from bot.workspace.limits import Problem


class Structure:
    """Checks payloads against the `Payload` root of a draft-07 schema.

    A block has many allowed shapes, so the schema alone would say "not valid under any". The block is therefore held
    against the one definition that has its `type`, which makes the problem name the field.
    """

    def __init__(self, schema: Schema) -> None:
        # jsonschema is slow to import and needed only when a schema is given.
        from jsonschema import Draft7Validator

        self._validator = Draft7Validator
        self._schema = schema
        self._by_type = {
            str(kind): name
            for name, body in schema["definitions"].items()
            for kind in [_const(body)]
            if kind and name.endswith("Block")
        }
        self._checker = lru_cache(maxsize=None)(self._build)

    def problems(self, payload: dict[str, Any]) -> list[Problem]:
        """What the schema refuses in `{"blocks" | "view" | "metadata": ...}`."""
        found: list[Problem] = []
        blocks, at = payload.get("blocks"), "/blocks"
        view = payload.get("view")
        if isinstance(view, dict):
            blocks, at = view.get("blocks"), "/view/blocks"
            name = "ModalView" if view.get("type") == "modal" else "HomeView"
            found += self._against(name, {**view, "blocks": []}, "/view", "invalid_arguments")
        for number, block in enumerate(blocks or []):
            code = "invalid_blocks" if view is None else "invalid_arguments"
            name = self._by_type.get(str(block.get("type")), "KnownBlock") if isinstance(block, dict) else "KnownBlock"
            found += self._against(name, block, f"{at}/{number}", code)
        if payload.get("metadata") is not None:
            found += self._against("MessageMetadata", payload["metadata"], "/metadata", "invalid_metadata_format")
        return found

    def _against(self, name: str, part: Any, at: str, code: str) -> list[Problem]:
        found = []
        for error in self._checker(name).iter_errors(part):
            deepest = _deepest(error)
            pointer = at + "".join(f"/{step}" for step in deepest.absolute_path)
            found.append(Problem(pointer, str(deepest.message)[:300], code))
        return found

    def _build(self, name: str) -> Any:
        root = {"$ref": f"#/definitions/{name}", "definitions": self._schema["definitions"]}
        return self._validator(root)


def _const(body: Any) -> str | None:
    for option in [body, *body.get("anyOf", [])]:
        kind = (option.get("properties") or {}).get("type") or {}
        if isinstance(kind.get("const"), str):
            return str(kind["const"])
    return None


def _deepest(error: Any) -> Any:
    """The problem in the branch of an `anyOf` that the writer meant: the one whose `type` fits."""
    while error.context:
        meant = [inner for inner in error.context if not _other_type(error, inner)] or error.context
        error = max(meant, key=lambda inner: len(inner.absolute_path))
    return error


def _other_type(error: Any, inner: Any) -> bool:
    branch = inner.schema_path[0]
    siblings = [e for e in error.context if e.schema_path[0] == branch]
    return any(_is_type_mismatch(e, len(error.absolute_path)) for e in siblings)


def _is_type_mismatch(error: Any, depth: int) -> bool:
    if error.context:
        branches: dict[Any, list[Any]] = {}
        for inner in error.context:
            branches.setdefault(inner.schema_path[0], []).append(inner)
        return all(any(_is_type_mismatch(e, depth) for e in group) for group in branches.values())
    path = list(error.absolute_path)
    return error.validator in ("const", "enum") and path[-1:] == ["type"] and len(path) == depth + 1
