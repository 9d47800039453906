"""What known tools print, as the values that the command deployer speaks of.

Formats: https://helm.sh/docs/helm/helm_history/, https://helm.sh/docs/helm/helm_list/ and
https://developer.hashicorp.com/terraform/cli/commands/output.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from bot.domain.change import Version
from bot.domain.payload import Node, read_json
from bot.errors import BadPayload, NotFound
from bot.ports import Order, Run, RunState

CHART = re.compile(r".+-(?P<version>v?\d+\.\d+\.\d+(?:[-+].*)?)")  # charts have semantic versions
HEALTH = {"deployed": True, "failed": False}
STATES = {"deployed": RunState.SUCCEEDED, "failed": RunState.FAILED, "superseded": RunState.SUCCEEDED}


@dataclass(frozen=True, slots=True)
class Reader:
    """How a tool's stdout is read. Each raises BadPayload for what it cannot be, `current` NotFound where nothing runs."""

    current: Callable[[bytes], Version]
    versions: Callable[[bytes], tuple[Version, ...]]
    status: Callable[[bytes, Order], Run]


def _releases(stdout: bytes) -> tuple[Version, ...]:
    """The history of a release, newest first; of a version that was replaced nobody knows whether it was healthy."""
    found = []
    for one in read_json(stdout).items():
        version = _of_chart(one["chart"])
        found.append(Version(version, deployed_at=one["updated"].time(), healthy=HEALTH.get(one["status"].text())))
    return tuple(found[::-1])


def _release(stdout: bytes) -> Version:
    """The newest revision that is deployed; a failed upgrade after it does not count."""
    runs = next((version for version in _releases(stdout) if version.healthy), None)
    if runs is None:
        raise NotFound("Helm knows no revision of this release that is deployed.")
    return runs


def _listed(stdout: bytes, order: Order) -> Run:
    """The release that carries the key; Helm keeps labels, so a later upgrade to another version may carry it too."""
    for one in read_json(stdout).items():
        if _of_chart(one["chart"]) == order.version:
            state = STATES.get(one["status"].text(), RunState.RUNNING)
            return Run(f"revision {one['revision'].text()}", state, order.version)
    return Run("", RunState.UNKNOWN)


def _of_chart(chart: Node) -> str:
    found = CHART.fullmatch(chart.needed())
    if found is None:
        raise BadPayload("a chart with its version is expected, such as payments-1.4.2", path=chart.path)
    return found["version"][:128]


def _output(stdout: bytes) -> Version:
    version = read_json(stdout).object()["tocsin_version"]["value"].text()
    if not version:
        raise NotFound("There is no output tocsin_version, or nothing was applied yet; see docs/connectors/command.md.")
    return Version(version[:128])


def _tags(stdout: bytes) -> tuple[Version, ...]:
    names = stdout.decode("utf-8", "replace").split()
    return tuple(Version(name[:128]) for name in reversed(names))


def _applied(stdout: bytes, order: Order) -> Run:
    """The last apply that went through is known by its key, and nothing before or beside it."""
    if read_json(stdout).object()["tocsin_key"]["value"].text() != order.key:
        return Run("", RunState.UNKNOWN)
    return Run(order.key, RunState.SUCCEEDED, order.version)


READERS = {"helm": Reader(_release, _releases, _listed), "terraform": Reader(_output, _tags, _applied)}
