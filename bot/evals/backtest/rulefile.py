"""Alerting rules in Prometheus's rule files: found, and edited line by line so that comments and order stay.

Format: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from bot.errors import BadSettings


@dataclass(frozen=True, slots=True)
class Rule:
    """One alerting rule: where it stands (lines count from 0, `end` excluded), and what it says."""

    file: Path
    name: str
    start: int
    end: int
    column: int  # where its keys begin
    expr: str
    wait: str  # `for:`, "" for none
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    keys: Mapping[str, tuple[int, int]]  # first line and end of each key's value
    inside: Mapping[str, tuple[int, int, int]]  # "labels.severity": lines and column of the key


def read_rules(files: Iterable[Path]) -> tuple[Rule, ...]:
    """The alerting rules of these files. Raises BadSettings naming file and line."""
    return tuple(rule for file in files for rule in _of_file(file))


def _of_file(file: Path) -> Iterator[Rule]:
    try:
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise BadSettings(f"{file} cannot be read: {error.strerror}.") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadSettings(f"{file} is no YAML: {' '.join(str(error).split())[:200]}.") from None
    for group in _items(_value(root, "groups")):
        for node in _items(_value(group, "rules")):
            if isinstance(node, yaml.MappingNode) and _text(_value(node, "alert")):
                yield _rule(file, node)


def _rule(file: Path, node: yaml.MappingNode) -> Rule:
    keys = {k.value: (k.start_mark.line, _end(v)) for k, v in node.value}
    inside = {
        f"{part}.{k.value}": (k.start_mark.line, _end(v), k.start_mark.column)
        for part in ("labels", "annotations")
        for k, v in getattr(_value(node, part), "value", ())
        if isinstance(_value(node, part), yaml.MappingNode)
    }
    return Rule(
        file=file,
        name=_text(_value(node, "alert")),
        start=node.start_mark.line,
        end=max(end for _, end in keys.values()),
        column=node.value[0][0].start_mark.column,
        expr=_text(_value(node, "expr")).strip(),
        wait=_text(_value(node, "for")),
        labels=_texts(_value(node, "labels")),
        annotations=_texts(_value(node, "annotations")),
        keys=keys,
        inside=inside,
    )


def _end(node: yaml.Node) -> int:
    """The line after a value; a block's mark stands at the start of the next thing."""
    mark = node.end_mark
    return mark.line if mark.column == 0 or (isinstance(node, yaml.CollectionNode) and not node.flow_style) else mark.line + 1


def _value(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((v for k, v in node.value if k.value == key), None)


def _items(node: yaml.Node | None) -> list[yaml.Node]:
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _text(node: yaml.Node | None) -> str:
    return str(node.value) if isinstance(node, yaml.ScalarNode) else ""


def _texts(node: yaml.Node | None) -> dict[str, str]:
    if not isinstance(node, yaml.MappingNode):
        return {}
    return {str(k.value): _text(v) for k, v in node.value}


def edited(lines: list[str], rule: Rule, key: str, value: str) -> None:
    """Set `for`, `labels.severity` or `annotations.runbook_url` of a rule to a value, in place.

    Rules of one file are edited from the last to the first, and the keys of a rule from below, since lines move.
    """
    part, _, name = key.partition(".")
    if not name:
        _set(lines, rule.keys.get(key), f"{' ' * rule.column}{key}: {value}\n", rule.keys["expr"][1])
        return
    if key in rule.inside:
        start, end, column = rule.inside[key]
        _set(lines, (start, end), f"{' ' * column}{name}: {value}\n", end)
    elif part in rule.keys:
        start, end = rule.keys[part]
        column = next((c for k, (_, _, c) in rule.inside.items() if k.startswith(f"{part}.")), rule.column + 2)
        lines.insert(_last_line(lines, start, end), f"{' ' * column}{name}: {value}\n")
    else:
        lines.insert(
            _last_line(lines, rule.start, rule.end), f"{' ' * rule.column}{part}:\n{' ' * (rule.column + 2)}{name}: {value}\n"
        )


def _set(lines: list[str], where: tuple[int, int] | None, text: str, otherwise: int) -> None:
    if where is None:
        lines.insert(_last_line(lines, 0, otherwise), text)
        return
    comment = re.search(r"\s#.*$", lines[where[0]].rstrip("\n"))
    lines[where[0] : where[0] + 1] = [text.rstrip("\n") + (comment[0] if comment else "") + "\n"]


def _last_line(lines: list[str], start: int, end: int) -> int:
    """The line after the last one of this span that is neither blank nor a comment."""
    while end > start and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return end
