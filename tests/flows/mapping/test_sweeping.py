"""The sweep asks every source, keeps what it saw under its name, and every replica's catalogue knows it."""

from collections.abc import Sequence
from datetime import timedelta

from bot.domain.telemetry import SourceStatus, Window
from bot.domain.topology import CallMinute, SeenCall
from bot.errors import Unavailable
from bot.flows.mapping.sweeping import note_calls, refresh_topology
from bot.storage.database import SqlDatabase
from bot.storage.topology import SqlTopologyStore
from bot.topology.current import LiveCatalogue
from bot.topology.minutes import MinuteEdges
from tests.desk import SHOP, a_desk
from tests.fakes import NOON, FakeClock


class FakeEdges:
    """Says always the same, or that it is away."""

    def __init__(self, name: str, seen: Sequence[SeenCall] | None) -> None:
        self.name, self._seen = name, seen

    async def seen(self, window: Window) -> tuple[SeenCall, ...]:
        if self._seen is None:
            raise Unavailable("It is away.")
        return tuple(self._seen)


async def test_what_a_source_saw_is_known_with_its_name_and_one_that_is_away_changes_nothing(
    database: SqlDatabase, clock: FakeClock
) -> None:
    live = LiveCatalogue(lambda: SHOP)
    sources = (FakeEdges("mesh", [SeenCall(" payments\n", "x" * 300), SeenCall("a", "")]), FakeEdges("broken", None))
    desk = a_desk(database, clock, edge_sources=sources, live=live)
    await refresh_topology({}, desk)
    (call,) = database.read_now(desk.topology.known)
    assert (call.caller, call.callee, call.source, call.last_seen) == ("payments", "x" * 100, "mesh", clock())
    assert live().whole.callees("payments") == ("acmepay", "x" * 100)
    assert live().graph.callees("payments") == ("acmepay",)


async def test_spans_of_an_investigation_teach_who_calls_whom(database: SqlDatabase, clock: FakeClock) -> None:
    desk = a_desk(database, clock)
    database.write_now(lambda tx: note_calls(tx, [("web", "cart"), ("web", "web"), ("web", "")], desk))
    assert [(k.caller, k.callee, k.source) for k in database.read_now(desk.topology.known)] == [("web", "cart", "traces")]


async def test_minutes_of_otlp_are_evidence_per_minute_and_edges_for_the_graph(database: SqlDatabase) -> None:
    store = SqlTopologyStore()
    rows = [CallMinute(NOON + timedelta(minutes=n), "web", "cart", 120, 60, 2400.0) for n in range(2)]
    database.write_now(lambda tx: store.add(tx, rows))
    source, window = MinuteEdges(database, store), Window(NOON + timedelta(seconds=30), NOON + timedelta(minutes=2))
    (found,) = await source.read(["cart"], window)
    assert [(e.at, e.calls, e.errors, e.latency_ms) for e in found.edges] == [(r.at, 2.0, 1.0, 20.0) for r in rows]
    assert await source.seen(window) == (SeenCall("web", "cart", 2.0, 1.0, 20.0),)
    (silent,) = await source.read(["search"], window)
    assert silent.status is SourceStatus.NO_DATA
