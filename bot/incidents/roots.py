"""Where the trouble of an incident begins: the services in it that depend on no other one in it.

What has one origin is one incident. Two services that fail on their own do not become one because somebody calls both: a
link between two problems counts only if what lies at the bottom of each explains the other.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from bot.incidents.bundles import NAMELESS, Bundle, Span
from bot.incidents.kinship import Kinship
from bot.incidents.weights import SHARED


@dataclass(slots=True)
class Ground:
    """What a group of problems stands on: its services with their times, and which of them are its roots."""

    services: dict[str, Span]
    roots: set[str]
    problems: set[str] = field(default_factory=set)

    def take(self, other: "Ground", kinship: Kinship) -> None:
        """The other group is part of this one from now on."""
        for name, span in other.services.items():
            mine = self.services.setdefault(name, Span(span.first, span.last))
            mine.cover(span.first)
            mine.cover(span.last)
        self.roots = bottom(self.roots | other.roots, kinship)
        self.problems |= other.problems


def ground_of(services: Mapping[str, Span], problems: Iterable[str], kinship: Kinship, firing: Iterable[str] = ()) -> Ground:
    """The ground of an incident's services; what does not fire any more is the root only if nothing does."""
    return Ground(dict(services), bottom(set(firing) or set(services), kinship), set(problems))


def ground(bundle: Bundle) -> Ground:
    """The ground of one bundle: its service, if it names one."""
    named = {} if bundle.service in NAMELESS else {bundle.service: Span(bundle.span.first, bundle.span.last)}
    return Ground(named, set(named), {one.fingerprint for one in bundle.arrivals})


def bottom(services: set[str], kinship: Kinship) -> set[str]:
    """Those that depend on none of the others; of a circle all."""
    if len(services) < 2:
        return services
    lowest = {name for name in services if not any(callee in services for callee in kinship.below(name))}
    return lowest or services


def fits(a: Ground, at_a: str, b: Ground, at_b: str, kinship: Kinship) -> bool:
    """A call between service `at_a` of one group and `at_b` of the other makes them one: their roots explain each other."""
    pairs = [(one, two) for one in _under(a, at_a, kinship) for two in _under(b, at_b, kinship)]
    return any(kinship.in_line(one, two) or _siblings(a, one, b, two, kinship) for one, two in pairs)


def _under(group: Ground, service: str, kinship: Kinship) -> list[str]:
    """The roots that this service of the group stands on; all of them if none is below it."""
    below = kinship.below(service)
    mine = [root for root in group.roots if root == service or root in below]
    return sorted(mine or group.roots)


def _siblings(a: Ground, one: str, b: Ground, two: str, kinship: Kinship) -> bool:
    relation = kinship.of(one).get(two)
    if relation is None or relation.weight != SHARED.weight or one not in a.services or two not in b.services:
        return False
    return a.services[one].gap(b.services[two]) <= timedelta(minutes=SHARED.half)
