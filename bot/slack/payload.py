"""Reading Slack's JSON without trusting its shape: what is missing or of another kind is empty, never an error."""

from collections.abc import Mapping

Record = Mapping[str, object]


def record(body: Record, *path: str) -> Record:
    """The object at the end of the path, or an empty one."""
    here: Record = body
    for name in path:
        value = here.get(name)
        here = value if isinstance(value, Mapping) else {}
    return here


def text(body: Record, *path: str) -> str:
    """The string at the end of the path, or ""."""
    value = record(body, *path[:-1]).get(path[-1])
    return value if isinstance(value, str) else ""


def texts(body: Record, name: str) -> list[str]:
    """The strings of a list."""
    value = body.get(name)
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def records(body: Record, name: str) -> list[Record]:
    """The objects of a list."""
    value = body.get(name)
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []
