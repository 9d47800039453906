"""What is counted, in the words of the product; served at /metrics, holds nothing private.

The door's process counts what it lets in, the bot's all else: no family stands in both, so that the pages can be joined.
"""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class DoorMeters:
    """What came in, on a registry of its own, so that two apps in one process do not meet."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.deliveries = Counter(
            "tocsin_deliveries",
            "Webhook requests by what became of them: accepted, duplicate, or why refused.",
            ("connector", "outcome"),
            registry=self.registry,
        )
        self.commit = Histogram(
            "tocsin_inbox_commit_seconds",
            "How long it took to make a group of deliveries durable.",
            buckets=(0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
            registry=self.registry,
        )

    def page(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self.registry)


class Meters:
    """What became of it, on a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.watched = Counter(
            "tocsin_watched",
            "What watchers saw by what became of it: accepted, duplicate, or inbox full each time that it had to wait.",
            ("connector", "outcome"),
            registry=self.registry,
        )
        self.parcels = Counter(
            "tocsin_parcels",
            "Stored deliveries by what was in them: alerts, changes, ignored, unreadable.",
            ("connector", "outcome"),
            registry=self.registry,
        )
        self.events = Counter(
            "tocsin_events", "Alerts and changes that were read.", ("connector", "kind"), registry=self.registry
        )
        self.waiting = Gauge("tocsin_inbox_waiting", "Deliveries accepted and not yet worked on.", registry=self.registry)
        self.drain = Histogram(
            "tocsin_drain_seconds",
            "How long one batch of deliveries took from reading to commit.",
            buckets=(0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
            registry=self.registry,
        )

    def watch(self, name: str, about: str, label: str, ask: Callable[[], Mapping[str, float]]) -> None:
        """Have `ask` answered at every scrape: one gauge value per label value. It must be quick and not block."""
        self.registry.register(_Asked(name, about, label, ask))

    def page(self) -> bytes:
        """All of it in the text format of Prometheus."""
        return generate_latest(self.registry)


class _Asked(Collector):
    def __init__(self, name: str, about: str, label: str, ask: Callable[[], Mapping[str, float]]) -> None:
        self._name, self._about, self._label, self._ask = name, about, label, ask

    def collect(self) -> Iterable[Metric]:
        """What is true now."""
        family = GaugeMetricFamily(self._name, self._about, labels=[self._label])
        for value, number in self._ask().items():
            family.add_metric([value], number)
        yield family
