"""What the OTLP receiver counted, as evidence and as a source of edges: per minute, in whole minutes."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from bot.domain.telemetry import Edge, Readings, SourceStatus, Window
from bot.domain.topology import CallMinute, SeenCall
from bot.errors import Unavailable
from bot.ports import Database, TopologyStore

NAME = "otlp"
MINUTE = timedelta(minutes=1)


class MinuteEdges:
    """ports.EvidenceSource and ports.EdgeSource on the minutes that are kept."""

    name = NAME

    def __init__(self, db: Database, store: TopologyStore) -> None:
        self._db = db
        self._store = store

    async def read(self, services: Sequence[str], window: Window) -> tuple[Readings, ...]:
        """One answer: the edges from and to these services, one per minute in which something passed."""
        if not services:
            return ()
        start, end = _whole(window.start), window.end
        query = f"spans received by OTLP, per minute, from or to {', '.join(services)}"
        try:
            found = await self._db.read(lambda tx: self._store.minutes(tx, start, end, services))
        except Unavailable as error:
            return (Readings(NAME, query, window, SourceStatus.FAILED, str(error)[:200]),)
        edges = tuple(edge_of(minute) for minute in found)
        status = SourceStatus.OK if edges else SourceStatus.NO_DATA
        return (Readings(NAME, query, window, status, "" if edges else "no span named these services", edges=edges),)

    async def seen(self, window: Window) -> tuple[SeenCall, ...]:
        """Every call of the window. Raises Unavailable."""
        start = _whole(window.start)
        seconds = max(60.0, (window.end - start).total_seconds())
        found = await self._db.read(lambda tx: self._store.totals(tx, start, window.end))
        return tuple(
            SeenCall(m.caller, m.callee, m.calls / seconds, m.errors / seconds, _mean(m), m.external) for m in found if m.calls
        )


def edge_of(minute: CallMinute) -> Edge:
    """The minute per second."""
    return Edge(minute.at, minute.caller, minute.callee, minute.calls / 60, minute.errors / 60, _mean(minute))


def _mean(minute: CallMinute) -> float:
    return minute.total_ms / minute.calls if minute.calls else 0.0


def _whole(at: datetime) -> datetime:
    """The minute that a time lies in."""
    return at - timedelta(seconds=at.second, microseconds=at.microsecond)
