"""Where the series of some services are, and PromQL about them."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from connectors.prometheus.api import quoted

_LEGACY = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_META = re.compile(r"([\\.+*?()|\[\]{}^$])")
_LETTERS = "[bcdfghjklmnpqrstvwxz2456789]"  # of what Kubernetes appends to names
POD = rf"(?:[0-9bcdfghjklmnpqrstvwxz]{{6,10}}-{_LETTERS}{{5}}|{_LETTERS}{{5}}|[0-9]{{1,4}})"


@dataclass(frozen=True, slots=True)
class Way:
    """A label that names a service, alone or within a longer name: `before` and `after` are regular expressions."""

    label: str
    before: str = ""
    after: str = ""

    @property
    def exact(self) -> bool:
        """The label's value is the service's name."""
        return not self.before and not self.after

    def pattern(self, names: Sequence[str]) -> str:
        """A regular expression (RE2) of the label's values for these names, the longest first; its only group is the name."""
        ordered = (_META.sub(r"\\\1", name) for name in sorted(names, key=lambda name: (-len(name), name)))
        return f"{self.before}({'|'.join(ordered)}){self.after}"

    def matcher(self, names: Sequence[str]) -> str:
        """A label matcher for the series of these names."""
        if not self.exact:
            return f'{spelt(self.label)}=~"{quoted(self.pattern(names))}"'
        if len(names) == 1:
            return f'{spelt(self.label)}="{quoted(names[0])}"'
        return f'{spelt(self.label)}=~"{quoted(self.pattern(names)[1:-1])}"'

    def reader(self, names: Sequence[str]) -> Callable[[Mapping[str, str]], str]:
        """Tells from labels which of these names a series belongs to, "" for none."""
        if self.exact:
            known = frozenset(names)
            return lambda labels: value if (value := labels.get(self.label, "")) in known else ""
        pattern = re.compile(self.pattern(names))
        return lambda labels: found[1] if (found := pattern.fullmatch(labels.get(self.label, ""))) else ""


def spelt(label: str) -> str:
    """A label as PromQL writes it; one with dots needs quotes."""
    return label if _LEGACY.fullmatch(label) else f'"{quoted(label)}"'


@dataclass(frozen=True, slots=True)
class Place:
    """The series of some services that are found one way. Its methods are the parts that queries are made of.

    `matchers` select them; `way` None stands for the series of one described service. `window` is the range of rates ("60s"),
    `failed` the matcher of what went wrong, `peer` the label that names whom a service called.
    """

    way: Way | None
    names: tuple[str, ...]
    matchers: str
    window: str
    failed: str = ""
    peer: str = ""

    def of(self, metric: str, *more: str) -> str:
        """An instant selector of a metric."""
        inside = ",".join(part for part in (self.matchers, *more) if part)
        return f"{metric}{{{inside}}}" if _LEGACY.fullmatch(metric) else f'{{__name__="{quoted(metric)}",{inside}}}'

    def rate(self, metric: str, *more: str) -> str:
        """How fast a counter or histogram grows per second."""
        return f"rate({self.of(metric, *more)}[{self.window}])"

    def growth(self, metric: str, *more: str) -> str:
        """How much a counter grew."""
        return f"increase({self.of(metric, *more)}[{self.window}])"

    def each(self, how: str, inner: str, *labels: str) -> str:
        """An aggregation that keeps these labels, and what tells the services apart."""
        kept = ", ".join(spelt(label) for label in ((self.way.label,) if self.way else ()) + labels)
        return f"{how} by ({kept}) ({inner})" if kept else f"{how}({inner})"

    def whole(self, how: str, inner: str, *labels: str) -> str:
        """An aggregation to one series per service, or per service and these labels."""
        if self.way is None or self.way.exact:
            return self.each(how, inner, *labels)
        pattern = quoted(self.way.pattern(self.names))
        named = f'label_replace({inner}, "service", "$1", "{self.way.label}", "{pattern}")'
        return replace(self, way=Way("service")).each(how, named, *labels)

    def service(self, labels: Mapping[str, str]) -> str:
        """Which name a row of an answer is about, "" for none."""
        if self.way is None:
            return self.names[0]
        return (self.way if self.way.exact else Way("service")).reader(self.names)(labels)
