"""Several services in order: callers first for rollbacks, circles broken the same way each time, one after the other."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.actions.sequence import follows, halted, in_order, its_turn, ordered, standing, turn
from bot.domain.action import Action, ActionKind, ActionStatus, Plan, Stage
from bot.domain.service import ServiceGraph
from tests.fakes import NOON

ROLLBACK, DEPLOY = ActionKind.ROLLBACK, ActionKind.DEPLOY
S = ActionStatus
SHOP = ServiceGraph({"gateway": ("checkout",), "checkout": ("payments",), "payments": ("ledger",), "ledger": ()})
RING = ServiceGraph({"a": ("b",), "b": ("c",), "c": ("b",), "d": ("a",)})


@pytest.mark.parametrize(
    ("named", "graph", "kind", "order", "said"),
    [
        ("payments gateway checkout", SHOP, ROLLBACK, "gateway checkout payments", ""),
        ("payments gateway checkout", SHOP, DEPLOY, "payments checkout gateway", ""),
        ("ledger gateway", SHOP, ROLLBACK, "gateway ledger", ""),  # through what lies between them
        ("search payments", SHOP, ROLLBACK, "search payments", ""),
        ("search gateway mail", ServiceGraph(), ROLLBACK, "search gateway mail", ""),  # as named where nothing is known
        ("c b d", RING, ROLLBACK, "d c b", "c and b call each other and go in the order named"),
        ("b c a", RING, DEPLOY, "b c a", "b and c call each other and go in the order named"),
        ("checkout checkout", SHOP, ROLLBACK, "checkout", ""),
    ],
)
def test_the_order(named: str, graph: ServiceGraph, kind: ActionKind, order: str, said: str) -> None:
    found = ordered(named.split(), graph, kind)
    assert (" ".join(found.services), found.said) == (order, said)


NAMES = "abcdef"
graphs = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=3).map(tuple)).map(ServiceGraph)


@settings(max_examples=40)
@given(graphs, st.permutations(NAMES))
def test_no_service_goes_before_one_that_calls_it_unless_they_call_each_other(graph: ServiceGraph, named: list[str]) -> None:
    order = ordered(named, graph, ROLLBACK).services
    assert sorted(order) == sorted(named)
    for earlier, later in itertools.combinations(order, 2):
        up = graph.upstreams(later, 99)
        assert earlier not in up or later in graph.upstreams(earlier, 99)
    back = ordered(named, graph, DEPLOY).services
    for earlier, later in itertools.combinations(back, 2):
        assert later not in graph.upstreams(earlier, 99) or earlier in graph.upstreams(later, 99)


def batch(*statuses: ActionStatus, begun: int = 0) -> tuple[Action, ...]:
    """Parts checkout, payments, ledger ... in these states; the first `begun` of them were started at some time."""
    names = ("checkout", "payments", "ledger")
    found = []
    for n, (name, status) in enumerate(zip(names, statuses, strict=False)):
        part = Action(name, ROLLBACK, name, "production", "v1", status, "U1", NOON, NOON, Plan("v2", "c2", "v1", "c1"))
        stages = (Stage(S.EXECUTING, NOON),) if n < begun else ()
        found.append(replace(part, batch="b1", after=names[n - 1] if n else "", stages=stages, run="r" if stages else ""))
    return tuple(found)


@pytest.mark.parametrize(
    ("statuses", "start", "refused"),
    [
        ((S.AWAITING, S.AWAITING, S.AWAITING), "", ""),
        ((S.APPROVED, S.AWAITING, S.APPROVED), "", ""),  # nothing begins before all are approved
        ((S.APPROVED, S.APPROVED, S.APPROVED), "checkout", ""),
        ((S.EXECUTING, S.APPROVED, S.APPROVED), "", ""),
        ((S.VERIFYING, S.APPROVED, S.APPROVED), "", ""),  # deployed is not verified
        ((S.UNCERTAIN, S.APPROVED, S.APPROVED), "", ""),  # until somebody knows
        ((S.SUCCEEDED, S.APPROVED, S.APPROVED), "payments", ""),
        ((S.SUCCEEDED, S.SUCCEEDED, S.APPROVED), "ledger", ""),
        ((S.SUCCEEDED, S.SUCCEEDED, S.SUCCEEDED), "", ""),
        ((S.SUCCEEDED, S.FAILED, S.APPROVED), "", "ledger"),
        ((S.FAILED, S.APPROVED, S.APPROVED), "", "payments ledger"),
        ((S.AWAITING, S.REFUSED, S.APPROVED), "", "checkout ledger"),
        ((S.AWAITING, S.EXPIRED, S.AWAITING), "", "checkout ledger"),
        ((S.ROLLED_BACK, S.APPROVED, S.APPROVED), "", "payments ledger"),
        ((S.EXECUTING, S.REFUSED, S.APPROVED), "", "ledger"),
        ((S.FAILED, S.REFUSED, S.REFUSED), "", ""),
    ],
)
def test_whose_turn_it_is(statuses: tuple[ActionStatus, ...], start: str, refused: str) -> None:
    parts = batch(*statuses)
    for some in itertools.permutations(parts):
        now = turn(some)
        assert (now.start.service if now.start else "") == start
        assert " ".join(p.service for p in now.refuse) == refused
        assert bool(now.why) == bool(refused)
        assert [p.service for p in parts if its_turn(p, some)] == start.split()


def test_parts_stand_in_the_order_of_who_waits_for_whom() -> None:
    parts = batch(S.APPROVED, S.APPROVED, S.APPROVED)
    assert in_order(parts[::-1]) == parts
    assert follows(parts[0], parts[::-1]) == parts[1:]
    assert follows(parts[2], parts) == ()
    assert in_order(()) == ()


@pytest.mark.parametrize(
    ("statuses", "begun", "words"),
    [
        ((S.AWAITING, S.AWAITING), 0, ""),
        ((S.EXECUTING, S.APPROVED), 1, ""),
        ((S.SUCCEEDED, S.EXECUTING, S.APPROVED), 2, "Done: checkout to v1."),
        ((S.SUCCEEDED, S.SUCCEEDED), 2, "All 2 are done: checkout to v1, payments to v1."),
        (
            (S.SUCCEEDED, S.FAILED, S.REFUSED),
            2,
            "Done: checkout to v1. payments failed. Not begun: ledger. The way back: /deploy checkout v2 production",
        ),
        ((S.FAILED, S.REFUSED, S.REFUSED), 1, "checkout failed. Not begun: payments, ledger."),
        ((S.REFUSED, S.REFUSED), 0, ""),
    ],
)
def test_what_stands(statuses: tuple[ActionStatus, ...], begun: int, words: str) -> None:
    assert standing(batch(*statuses, begun=begun)) == words


def test_a_batch_has_halted_only_after_something_of_it_was_begun() -> None:
    assert halted(batch(S.REFUSED, S.REFUSED)) is None
    assert halted(batch(S.SUCCEEDED, S.APPROVED, begun=1)) is None
    assert halted(batch(S.EXECUTING, S.REFUSED, begun=1)) is None  # it is known when the last one has ended
    stopped = halted(batch(S.SUCCEEDED, S.FAILED, S.REFUSED, begun=2))
    assert stopped is not None
    assert stopped.service == "payments"
