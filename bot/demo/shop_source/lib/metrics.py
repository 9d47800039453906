"""Counters, gauges and histograms of one process, in the Prometheus text format."""

import os
from bisect import bisect_left

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 5.0)


class Metrics:
    """What one process has counted since it started."""

    def __init__(self) -> None:
        self._values: dict[str, float] = {}
        self._histograms: dict[str, list[int]] = {}

    def add(self, name: str, amount: float = 1.0, **labels: object) -> None:
        key = _series(name, labels)
        self._values[key] = self._values.get(key, 0.0) + amount

    def set(self, name: str, value: float, **labels: object) -> None:
        self._values[_series(name, labels)] = value

    def observe(self, name: str, seconds: float, **labels: object) -> None:
        counts = self._histograms.setdefault(_series(name, labels), [0] * (len(BUCKETS) + 1))
        counts[bisect_left(BUCKETS, seconds)] += 1

    def text(self) -> str:
        """The exposition that a scrape reads."""
        self.set("process_resident_memory_bytes", _resident_bytes())
        lines = [f"{key} {value:g}" for key, value in self._values.items()]
        for key, counts in self._histograms.items():
            name, _, labels = key.partition("{")
            inner = labels.rstrip("}")
            total = 0
            for bound, count in zip((*BUCKETS, float("inf")), counts, strict=True):
                total += count
                le = "+Inf" if bound == float("inf") else f"{bound:g}"
                lines.append(f'{name}_bucket{{{inner}{"," if inner else ""}le="{le}"}} {total}')
        return "\n".join(lines) + "\n"


def _series(name: str, labels: dict[str, object]) -> str:
    if not labels:
        return name
    return name + "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"


def _resident_bytes() -> int:
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0
