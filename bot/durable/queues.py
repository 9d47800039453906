"""The queues: how much of each at once, how often per partition, how patient."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bot.errors import BotError, Unavailable
from bot.ports import QUEUES


@dataclass(frozen=True, slots=True)
class Queue:
    """The rules of one queue; all times in seconds.

    `cap` holds over all replicas; `pace` is the least time between two starts in one partition. A failure that more
    tries may heal is tried again after `first_wait`, twice that, ... at most `longest_wait`: up to `tries` times, or
    for `patience` while something outside is merely Unavailable. `crashes` ends of the process during the same item
    are taken as its fault.
    """

    name: str
    cap: int
    timeout: float
    pace: float = 0.0
    tries: int = 6
    first_wait: float = 1.0
    longest_wait: float = 300.0
    patience: float = 86_400.0
    crashes: int = 5


DEFAULTS: Mapping[str, Queue] = MappingProxyType(
    {
        q.name: q
        for q in (
            Queue("investigate", cap=4, timeout=180),
            Queue("model", cap=4, timeout=300, tries=2, patience=120),
            Queue("actions", cap=8, timeout=900),
            Queue("slack", cap=8, timeout=60, pace=1.0, longest_wait=60),
            Queue("reach", cap=8, timeout=60, longest_wait=60, patience=6 * 3600),
            Queue("housekeeping", cap=2, timeout=1800),
        )
    }
)
assert set(DEFAULTS) == set(QUEUES)  # noqa: S101  the port and its rules name the same queues


def next_try(queue: Queue, error: BaseException, attempts: int, age: float) -> float | None:
    """Seconds until an item that failed `attempts` times and is `age` old is tried again; None: give it up."""
    if isinstance(error, Unavailable):
        if age >= queue.patience:
            return None
        asked = error.retry_after or 0.0
    elif isinstance(error, BotError) and not error.retry:
        return None
    else:
        if attempts >= queue.tries:
            return None
        asked = 0.0
    wait: float = min(queue.longest_wait, queue.first_wait * 2.0 ** min(attempts - 1, 30))
    return max(asked, wait)
