"""Alerting rules in Prometheus's rule files: found, and edited in place so that comments, order and layout stay.

Format: https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from bot.errors import BadSettings

_PLAIN = re.compile(r"[A-Za-z0-9][\w./:%+-]*")


@dataclass(frozen=True, slots=True)
class Rule:
    """One alerting rule: what it says, and where that stands."""

    file: Path
    name: str
    expr: str
    wait: str  # `for:`, "" for none
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    node: yaml.MappingNode = field(compare=False, repr=False)
    shared: bool = False  # the file has aliases: one text may belong to several rules, so it is not edited

    def says(self, labels: Mapping[str, str]) -> bool:
        """Whether an alert with these labels can be of this rule; labels with templates are anything."""
        return labels.get("alertname") == self.name and all(labels.get(k) == v for k, v in self.fixed.items())

    @property
    def fixed(self) -> dict[str, str]:
        """The labels whose value needs no alert to be known."""
        return {k: v for k, v in self.labels.items() if "{{" not in v}


def read_text(file: Path) -> str:
    """The text with its line ends as they are. Raises BadSettings."""
    try:
        return file.read_bytes().decode("utf-8")
    except OSError as error:
        raise BadSettings(f"--rules {file} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BadSettings(f"--rules {file} is not UTF-8, so it is no rule file.") from None


def read_rules(files: Iterable[Path]) -> tuple[Rule, ...]:
    """The alerting rules of these files, each file once. Raises BadSettings naming file and line."""
    once = {file.resolve(): file for file in files}
    return tuple(rule for file in once.values() for rule in _of_file(file))


def _of_file(file: Path) -> Iterator[Rule]:
    text = read_text(file)
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        shared = any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise BadSettings(f"--rules {file} is no YAML: {' '.join(str(error).split())[:200]}.") from None
    groups = _value(root, "groups")
    if not isinstance(groups, yaml.SequenceNode):
        raise BadSettings(f"--rules {file} has no list `groups`, so it is no rule file of Prometheus.")
    for group in _items(groups):
        for node in _items(_value(group, "rules")):
            if isinstance(node, yaml.MappingNode) and _text(_value(node, "alert")):
                yield _rule(file, node, shared)


def _rule(file: Path, node: yaml.MappingNode, shared: bool) -> Rule:
    return Rule(
        file=file,
        name=_text(_value(node, "alert")),
        expr=_text(_value(node, "expr")).strip(),
        wait=_text(_value(node, "for")),
        labels=_texts(_value(node, "labels")),
        annotations=_texts(_value(node, "annotations")),
        node=node,
        shared=shared,
    )


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


def edited(text: str, changes: Iterable[tuple[Rule, str, str]]) -> str:
    """The text of a rule file with `for`, `labels.x` or `annotations.x` of some of its rules set to a value."""
    newline = "\r\n" if "\r\n" in text else "\n"
    pieces = [_change(text, rule.node, key, value) for rule, key, value in changes]
    # the last place first, and what is put into the same place in its order
    for _, (start, end, new) in sorted(enumerate(pieces), key=lambda one: (one[1][0], one[0]), reverse=True):
        text = text[:start] + new.replace("\n", newline) + text[end:]
    return text


def _change(text: str, rule: yaml.MappingNode, key: str, value: str) -> tuple[int, int, str]:
    """From where to where a change of one rule reaches, and what stands there then."""
    said = value if _PLAIN.fullmatch(value) else json.dumps(value, ensure_ascii=False)
    part, _, name = key.partition(".")
    there = _pair(rule, part)
    if not name:
        return _replaced(text, there[1], said) if there else _added(text, rule, part, said, after="expr")
    if there is None:
        if rule.flow_style:
            return _added(text, rule, part, f"{{{name}: {said}}}")
        return _added(text, rule, part, f"\n{' ' * (_column(rule) + 2)}{name}: {said}")
    if isinstance(there[1], yaml.MappingNode) and there[1].value:
        inner = _pair(there[1], name)
        return _replaced(text, inner[1], said) if inner else _added(text, there[1], name, said)
    return _replaced(text, there[1], f"{{{name}: {said}}}")  # `labels:` or `labels: {}` with nothing in it


def _replaced(text: str, node: yaml.Node, said: str) -> tuple[int, int, str]:
    start, end = node.start_mark.index, node.end_mark.index
    if start == end:  # a key without a value: the mark may stand further down
        start = end = len(text[:start].rstrip())
    elif isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
        end = len(text[:end].rstrip())
    return start, end, f" {said}" if text[start - 1] == ":" else said


def _added(text: str, mapping: yaml.MappingNode, key: str, said: str, after: str = "") -> tuple[int, int, str]:
    """A key more, behind `after` or at the end."""
    if mapping.flow_style:
        end = len(text[: mapping.end_mark.index - 1].rstrip())
        return end, end, f" {key}: {said}," if text[end - 1] == "," else f", {key}: {said}"
    behind = _pair(mapping, after) or mapping.value[-1]
    last = len(text[: _last(behind[1]).end_mark.index].rstrip())
    line_end = text.find("\n", last)
    at = len(text) if line_end < 0 else line_end
    at -= text[at - 1] == "\r"
    return at, at, f"\n{' ' * _column(mapping)}{key}:{'' if said.startswith(chr(10)) else ' '}{said}"


def _last(node: yaml.Node) -> yaml.Node:
    """What ends a value: the end of a block is marked where the next thing begins, behind comments."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        node = node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1]
    return node


def _column(mapping: yaml.MappingNode) -> int:
    return int(mapping.value[0][0].start_mark.column)


def _pair(mapping: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    return next(((k, v) for k, v in mapping.value if k.value == key), None)
