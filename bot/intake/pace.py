"""How much the drain takes at a time and how long it rests, so that senders never wait long and nothing waits for ever.

The door is a process of its own and waits for no transaction of ours, but it needs a processor. While deliveries come, the
drain keeps up with what people's systems send all day, a few batches a second; in a burst the door comes first, for a while.
When nothing comes any more it takes large batches, which cost each alert the least. On SQLite cards wait for its transactions.
"""

from collections import deque

LEAST, LARGE = 250, 2_000  # events in a batch when nothing comes in
LONG = 0.7  # seconds that a transaction then takes; PostgreSQL ends one that says nothing for five
FEWEST, MOST = 50, 2_000  # events in a batch while deliveries come in
FIRST = 200
SHORT = 0.1  # seconds that a transaction then takes, as near as the number of its events can bring it
QUIET = 0.3  # seconds without a delivery: nothing comes any more
SPAN = 1.0  # seconds over which arrivals are counted
BURST = 1_000  # events that arrived within it; more is a burst
CROWD = 8  # deliveries in a commit of the door, on average over it: so many senders wait at once, which is one too
BREATH = 0.1  # seconds at least between batches while deliveries come in
DOOR_FIRST = 30  # times what a batch took is left to the door in a burst
LONGEST = 3.0  # seconds at most between batches
PATIENCE = 10.0  # seconds of a burst; if it lasts longer, the door and the drain share


class Pace:
    """The pace of one drain. Times are seconds of a monotonic clock."""

    def __init__(self) -> None:
        self._came: deque[tuple[float, int]] = deque()  # the commits of the door within SPAN
        self._coming = 0  # deliveries in them
        self._last = float("-inf")
        self._burst_since: float | None = None
        self._few, self._many = FIRST, LARGE
        self._events_each = 1.0  # in a delivery, as seen in the last batch

    def arrived(self, deliveries: int, now: float) -> None:
        """A commit of the door kept so many more."""
        self._came.append((now, deliveries))
        self._coming += deliveries
        self._last = now
        self._forget(now)

    def events(self, now: float) -> int:
        """How many events the next batch takes."""
        return self._many if self.quiet(now) else self._few

    def parcels(self, events: int) -> int:
        """In how many parcels so many events may be, so that no more bodies are read than will be used."""
        return 1 + int(events / self._events_each)

    def rest(self, took: float, parcels: int, events: int, now: float) -> float:
        """Seconds until the next batch, after one whose transaction took so long and held so much."""
        if parcels:
            self._events_each = max(1.0, events / parcels)
        if self.quiet(now):
            self._many = _sized(self._many, events, took, LONG, (LEAST, LARGE))
            self._burst_since = None
            return 0.0
        self._few = _sized(self._few, events, took, SHORT, (FEWEST, MOST))
        self._forget(now)
        if not self._pressed:
            self._burst_since = None
            return max(BREATH, min(LONGEST, took))
        if self._burst_since is None:
            self._burst_since = now
        share = DOOR_FIRST if now - self._burst_since < PATIENCE else 1
        return max(BREATH, min(LONGEST, share * took))

    @property
    def _pressed(self) -> bool:
        return self._coming * self._events_each > BURST or self._coming > CROWD * max(4, len(self._came))

    def quiet(self, now: float) -> bool:
        """Nothing comes any more."""
        return now - self._last > QUIET

    def _forget(self, now: float) -> None:
        while self._came and now - self._came[0][0] > SPAN:
            self._coming -= self._came.popleft()[1]


def _sized(size: int, events: int, took: float, wanted: float, bounds: tuple[int, int]) -> int:
    """Half way to the size that would have taken as long as wanted; a batch of what little there was teaches nothing."""
    if took <= wanted and events < size:
        return size
    fits = events * wanted / max(took, 0.0001)
    return int(min(bounds[1], max(bounds[0], (size + fits) / 2)))
