"""YAML that strangers wrote: plain values only, and nothing in it can grow by naming the same thing again and again."""

from collections.abc import Iterator
from typing import Any

import yaml

MOST_ALIASES = 20  # each may stand for all that the others stand for: more could be gigabytes


class BadYaml(ValueError):
    """What cannot be read as YAML; `line` is where, counted from zero, if that is known."""

    def __init__(self, line: int | None) -> None:
        super().__init__("it is no YAML that can be read")
        self.line = line


class _Loader(yaml.SafeLoader):
    """Safe, and with few aliases."""

    aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node. Raises YAMLError at one alias too many."""
        if self.check_event(yaml.AliasEvent):
            self.aliases += 1
            if self.aliases > MOST_ALIASES:
                raise yaml.YAMLError(f"more than {MOST_ALIASES} aliases")
        return super().compose_node(parent, index)


class _Patient(_Loader):
    """The values of tags that are not known are left out."""


_Patient.add_multi_constructor("", lambda *_: None)


def documents(text: str | bytes, *, patient: bool = False) -> Iterator[Any]:
    """Each document; a `patient` reader leaves out what has a tag that is not known. Raises BadYaml."""
    try:
        yield from yaml.load_all(text, Loader=_Patient if patient else _Loader)
    except (yaml.YAMLError, ValueError, LookupError, AttributeError, TypeError, ArithmeticError, RecursionError) as error:
        # PyYAML's constructors raise all of these for values that are not what their tag says
        mark = getattr(error, "problem_mark", None)
        raise BadYaml(mark.line if mark else None) from None


def document(text: str | bytes) -> Any:
    """The first document, None if there is none. Raises BadYaml."""
    return next(documents(text), None)
