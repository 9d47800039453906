"""The text of `policies.yaml` becomes rules in force, or a list of faults with their lines."""

from collections.abc import Iterator
from pathlib import Path

from bot.actions.policy.file import ANYONE, PolicyFile
from bot.actions.policy.rules import Policies
from bot.errors import Fault
from bot.topology.rulefile import BadRules, Lines, RuleFile, read_rules


def read_policies(text: str, file: str = "policies.yaml") -> Policies:
    """The rules that a file's text says. Raises BadRules with every fault and its line."""
    parsed, lines = read_rules(text, file, PolicyFile)
    if faults := list(_misfits(parsed, lines)):
        raise BadRules(faults)
    return Policies(parsed)


def policies_file(path: Path) -> RuleFile[Policies]:
    """`policies.yaml`, reloaded on change; without a file no rule matches, so every action is refused."""
    return RuleFile(path, read_policies, absent=Policies)


def _misfits(parsed: PolicyFile, lines: Lines) -> Iterator[Fault]:
    if ANYONE in parsed.groups:
        yield lines.fault(f"{ANYONE} means everybody and cannot be a group; choose another name", "groups", ANYONE)
    for kind, named in (
        (("rules",), parsed.rules),
        (("freezes",), parsed.freezes),
        (("automation", "degrees"), parsed.automation.degrees),
    ):
        seen: set[str] = set()
        for number, one in enumerate(named):
            if one.name in seen:
                told = f"two {kind[-1]} are called {one.name}; a refusal names its {kind[-1][:-1]}, so names differ"
                yield lines.fault(told, *kind, number, "name")
            seen.add(one.name)
    for path, groups in _uses(parsed):
        for place, group in enumerate(groups):
            if group != ANYONE and group not in parsed.groups:
                known = ", ".join((ANYONE, *parsed.groups))
                yield lines.fault(f"there is no group {group}; known are {known}", *path, place)
    if ANYONE in parsed.break_glass.groups:
        yield lines.fault(f"{ANYONE} may not break the glass; name people or groups", "break_glass", "groups")


def _uses(parsed: PolicyFile) -> Iterator[tuple[tuple[str | int, ...], tuple[str, ...]]]:
    """Where groups are named, and which."""
    for number, rule in enumerate(parsed.rules):
        yield ("rules", number, "request"), rule.request
        yield ("rules", number, "approve"), rule.approve
        yield ("rules", number, "checks_override"), rule.checks_override or ()
    for number, freeze in enumerate(parsed.freezes):
        yield ("freezes", number, "override"), freeze.override
    yield ("incident_guard", "override"), parsed.incident_guard.override or ()
    yield ("locks", "override"), parsed.locks.override or ()
    yield ("break_glass", "groups"), parsed.break_glass.groups
