"""Both sides of a call meet across batches and count once; what never meets is known by its peer; all of it is bounded."""

import time
from datetime import UTC, datetime
from itertools import pairwise

from bot.domain.calls import CallSpan, Side
from bot.domain.topology import CallMinute
from bot.topology.pairing import LATE, Pairing

NOW = 1_790_000_010.0
MINUTE = datetime.fromtimestamp(NOW // 60 * 60, UTC)


def call(
    number: int,
    caller: str = "web",
    *,
    at: float = NOW,
    ms: float = 40.0,
    failed: bool = False,
    peer: str = "",
    outside: bool = False,
) -> CallSpan:
    return CallSpan("t1", f"c{number}", "", caller, Side.CLIENT, at, ms, failed, peer, outside)


def answer(number: int, callee: str = "cart", *, of: int | None = None, at: float = NOW, failed: bool = False) -> CallSpan:
    return CallSpan("t1", f"s{number}", f"c{number if of is None else of}", callee, Side.SERVER, at, 30.0, failed)


def test_a_call_counts_when_its_two_spans_meet_in_whichever_order_and_batch() -> None:
    pairing = Pairing()
    pairing.add([call(1)], NOW)
    pairing.add([answer(1), answer(2, failed=True)], NOW + 5)
    pairing.add([call(2, ms=60.0)], NOW + 6)
    assert pairing.take(NOW + 7) == (CallMinute(MINUTE, "web", "cart", 2, 1, 100.0),)
    assert pairing.take(NOW + 60) == ()


def test_spans_that_are_sent_again_count_once() -> None:
    pairing = Pairing()
    for _ in range(3):
        pairing.add([call(1), answer(1)], NOW)
    assert [m.calls for m in pairing.take(NOW)] == [1]


def test_a_message_that_two_services_consume_is_two_calls() -> None:
    pairing = Pairing()
    pairing.add([call(1), answer(1, "billing"), answer(2, "mail", of=1)], NOW)
    assert [(m.callee, m.calls) for m in pairing.take(NOW)] == [("billing", 1), ("mail", 1)]


def test_whoever_sends_no_spans_is_known_by_what_the_caller_says_once_it_has_waited() -> None:
    pairing = Pairing()
    pairing.add([call(1, peer="postgresql/orders", outside=True), call(2, peer="stock"), call(3), answer(9)], NOW)
    assert pairing.take(NOW + 5) == ()
    assert [(m.callee, m.external) for m in pairing.take(NOW + 16)] == [("postgresql/orders", True), ("stock", False)]


def test_a_service_that_calls_itself_is_no_edge() -> None:
    pairing = Pairing()
    pairing.add([call(1, "cart"), answer(1, "cart"), call(2, "cart", peer="cart")], NOW)
    assert pairing.take(NOW, everything=True) == ()


def test_a_late_span_counts_in_its_own_minute_and_one_that_is_too_late_not_at_all() -> None:
    pairing = Pairing()
    missed = pairing.add([call(1, at=NOW - 120), answer(1, at=NOW - 120), call(2, at=NOW - LATE - 1)], NOW)
    assert (missed.late, missed.reason) == (1, "1 are older than 10 minutes")
    (minute,) = pairing.take(NOW)
    assert (MINUTE - minute.at).total_seconds() == 120


def test_a_clock_that_is_a_year_ahead_counts_now() -> None:
    pairing = Pairing()
    pairing.add([call(1, at=NOW + 3e7), answer(1)], NOW)
    assert [m.at for m in pairing.take(NOW)] == [MINUTE]


def test_when_too_many_wait_the_oldest_wait_no_longer() -> None:
    pairing = Pairing(most_waiting=10)
    for n in range(50):
        pairing.add([call(n, peer="stock"), answer(n + 1000)], NOW)
    assert sum(m.calls for m in pairing.take(NOW)) == 40
    assert (len(pairing._callers), len(pairing._callees), len(pairing._alone)) == (10, 10, 10)
    pairing.take(NOW + 60)
    assert (len(pairing._callers), len(pairing._callees), len(pairing._alone)) == (0, 0, 0)


def test_very_many_answers_to_one_call_cost_no_more_than_others() -> None:
    pairing, began = Pairing(most_waiting=4_000), time.process_time()
    pairing.add([answer(n, of=7) for n in range(12_000)], NOW)
    assert time.process_time() - began < 1  # a tenth of it; each is found without looking at the others
    pairing.add([call(7)], NOW)
    assert [m.calls for m in pairing.take(NOW)] == [4_000]


def test_more_edges_than_there_is_room_for_are_refused_and_said() -> None:
    pairing = Pairing(most_edges=3)
    names = [f"s{n}" for n in range(6)]
    for n, (caller, callee) in enumerate(pairwise(names)):
        missed = pairing.add([call(n, caller), answer(n, callee)], NOW)
    assert pairing.full
    assert missed.no_room == 1
    assert pairing.missed.no_room == 2
    assert len(pairing.take(NOW)) == 3
    assert not pairing.full
