"""Which golden signals can be asked of which services, by what a Prometheus has of them; pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.prometheus.conventions import FAILED, PEERS, Signal
from connectors.prometheus.places import Place, Way, spelt
from connectors.prometheus.resources import SIGNALS

MOST_EXCLUDED = 60  # names in one selector
Labels = Mapping[str, str]
# What there is of a name, found one way: the labels of each metric. The way None stands for a described service's own selector.
There = Mapping[tuple[Way | None, str], Mapping[str, frozenset[str]]]


@dataclass(frozen=True, slots=True)
class Question:
    """One query for one signal of some services."""

    signal: Signal
    place: Place

    @property
    def query(self) -> str:
        """As it is asked."""
        return self.signal.query(self.place)


def _metrics() -> tuple[frozenset[str], dict[Way, frozenset[str]]]:
    """Which metrics are looked for by the labels of the settings, and which by each other way."""
    own: set[str] = set()
    others: defaultdict[Way, set[str]] = defaultdict(set)
    for signal in (signal for group in SIGNALS for signal in group):
        if isinstance(signal.ways, str):
            own.update(signal.needs)
        else:
            for way in signal.ways:
                others[way].update(signal.needs)
    return frozenset(own), {way: frozenset(names) for way, names in others.items()}


OWN_METRICS, OTHER_METRICS = _metrics()


def selectors(names: Sequence[str], labels: Sequence[str]) -> list[str]:
    """What to ask a Prometheus for, to know what it has of services of these names."""
    ways = [(Way(label), OWN_METRICS) for label in labels] + list(OTHER_METRICS.items())
    return [f"{{{way.matcher(names)},{_named(metrics)}}}" for way, metrics in ways]


def described(matchers: str) -> str:
    """The same for a service whose own matchers are given."""
    return f"{{{matchers},{_named(OWN_METRICS)}}}"


def _named(metrics: Iterable[str]) -> str:
    wanted = sorted(metrics)
    one_bucket = ',le=~"|[+]Inf"' if any(name.endswith("_bucket") for name in wanted) else ""
    return f'__name__=~"{"|".join(name.replace(".", "[.]") for name in wanted)}"{one_bucket}'


def there(rows: Iterable[Labels], names: Sequence[str], labels: Sequence[str]) -> There:
    """What the rows say that there is, by way and name."""
    ways = [(way, way.reader(names), OWN_METRICS) for way in map(Way, labels)]
    ways += [(way, way.reader(names), metrics) for way, metrics in OTHER_METRICS.items()]
    telling = tuple(dict.fromkeys(("__name__", *(way.label for way, *_ in ways))))
    found: defaultdict[tuple[Way | None, str], dict[str, frozenset[str]]] = defaultdict(dict)
    alike = set()  # most rows differ in labels that tell nothing here
    for row in rows:
        having = frozenset(row)
        key = (having, *map(row.get, telling))
        if key in alike:
            continue
        alike.add(key)
        metric = row.get("__name__", "")
        for way, reader, metrics in ways:
            if metric in metrics and (name := reader(row)):
                seen = found[way, name]
                seen[metric] = seen.get(metric, frozenset()) | having
    return found


def there_of(rows: Iterable[Labels], name: str) -> There:
    """What the rows of a described service say that there is of it."""
    found: dict[str, frozenset[str]] = {}
    for row in rows:
        metric = row.get("__name__", "")
        found[metric] = found.get(metric, frozenset()) | row.keys()
    return {(None, name): found} if found else {}


def plan(
    found: There, names: Sequence[str], labels: Sequence[str], window: str, matchers: Mapping[str, str]
) -> tuple[Question, ...]:
    """The questions for all signals that these names have, each for as many of them as can be asked at once.

    `window` is the range of rates, `matchers` the selectors of described services by name.
    """
    plain = tuple(Way(label) for label in labels)
    planned: dict[tuple[int, Way | None, str, str, str], list[str]] = {}
    offered = [signal for group in SIGNALS for signal in group]
    numbers = {id(signal): number for number, signal in enumerate(offered)}
    for group in SIGNALS:
        for name in names:
            choice = next(_choices(group, found, name, plain), None)
            if choice is not None:
                signal, way, failed, peer = choice
                alone = name if way is None else ""
                planned.setdefault((numbers[id(signal)], way, failed, peer, alone), []).append(name)
    return tuple(
        Question(
            offered[number],
            Place(way, tuple(asked), way.matcher(asked) if way else matchers[alone], window, failed, peer),
        )
        for (number, way, failed, peer, alone), asked in planned.items()
    )


def _choices(
    group: Sequence[Signal], found: There, name: str, plain: Sequence[Way]
) -> Iterator[tuple[Signal, Way | None, str, str]]:
    """The signals of a group that can be asked of a name, with the way and the labels, the best first."""
    for signal in group:
        ways = (None, *plain) if isinstance(signal.ways, str) else signal.ways
        for way in ways:
            metrics = found.get((way, name), {})
            if not all(need in metrics for need in signal.needs):
                continue
            having = metrics[signal.needs[0]]
            failed = next((f'{spelt(label)}=~"{bad}"' for label, bad in FAILED.items() if label in having), "")
            peer = next((label for label in PEERS if label in having), "")
            if (failed or not signal.judged) and (peer or not signal.to_peer):
                yield signal, way, failed if signal.judged else "", peer if signal.to_peer else ""


def plainly(found: There, name: str) -> frozenset[str]:
    """The labels whose value is this name on series that a service itself exposes."""
    ways = (way for (way, one), metrics in found.items() if one == name and OWN_METRICS & metrics.keys())
    return frozenset(way.label for way in ways if way is not None and way.exact)


def covered(questions: Iterable[Question], name: str) -> tuple[str, ...]:
    """The metrics of a name that the questions ask about, so that nothing else needs to ask for them."""
    about = {m for q in questions if name in q.place.names for m in (*q.signal.needs, *q.signal.covers)}
    return tuple(sorted(about & OWN_METRICS))[:MOST_EXCLUDED]
