"""What was declared and what was seen become one graph, each edge with who says so; what learned edges may do is a setting."""

from datetime import timedelta

import pytest

from bot.domain.service import Catalogue, Service
from bot.domain.telemetry import Edge, Readings, SourceStatus, Span, Window
from bot.domain.topology import KnownCall
from bot.incidents.kinship import kinship_of
from bot.topology.current import Learning, LiveCatalogue
from bot.topology.merging import as_known, learned, merged, names, of_spelling, unknown
from tests.fakes import NOON

DAY = timedelta(days=1)
SHOP = Catalogue(
    {
        s.name: s
        for s in (
            Service("web", depends_on=("checkout",)),
            Service("checkout", depends_on=("acmepay",)),
            Service("payments", aliases=("pay-api",)),
            Service("acmepay", external=True),
        )
    }
)


def known(
    caller: str, callee: str, source: str = "otlp", days: float = 0, external: bool = False, calls: float = 1.0
) -> KnownCall:
    seen = NOON - days * DAY
    return KnownCall(caller, callee, source, seen - DAY, seen, calls, external=external)


SEEN = (
    known("web", "checkout", days=2, calls=5.0),
    known("web", "checkout", "prometheus service graph", days=1, calls=4.0),
    known("checkout", "PAY_API", days=3),
    known("payments", "pg.internal", external=True),
    known("ledger", "payments"),
    known("web", "gone", days=15),
    known("payments", "pay-api"),
)


def test_an_edge_says_who_knows_it_and_its_traffic_is_of_whoever_saw_it_last() -> None:
    edges = {(e.caller, e.callee): e for e in merged(SHOP, SEEN, NOON)}
    both = edges["web", "checkout"]
    assert dict(both.sources) == {"catalogue": None, "otlp": NOON - 2 * DAY, "prometheus service graph": NOON - DAY}
    assert (both.declared, both.last_seen, both.calls) == (True, NOON - DAY, 4.0)
    assert edges["checkout", "acmepay"].last_seen is None
    assert edges["checkout", "acmepay"].external


def test_a_source_that_counts_nothing_does_not_hide_what_another_counted() -> None:
    seen = (known("web", "ledger", "kubernetes", calls=0.0), known("web", "ledger", "prometheus", calls=4.0, days=1))
    [edge] = [e for e in merged(SHOP, seen, NOON) if e.callee == "ledger"]
    assert (edge.calls, set(edge.sources)) == (4.0, {"kubernetes", "prometheus"})


def test_names_are_the_catalogues_what_faded_is_gone_and_nobody_calls_itself() -> None:
    edges = {(e.caller, e.callee) for e in merged(SHOP, SEEN, NOON)}
    assert edges == {
        ("web", "checkout"), ("checkout", "acmepay"), ("checkout", "payments"),
        ("payments", "pg.internal"), ("ledger", "payments"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("told", "name"),
    [
        ("payments.shop.svc.cluster.local:8080", "payments"),
        ("pay_api:443", "payments"),
        ("payments.shop", "payments"),
        ("payments.example.com", "payments.example.com"),
        ("10.0.0.7:5432", "10.0.0.7:5432"),
    ],
)
def test_a_host_in_the_cluster_is_its_service_and_another_host_stays_what_it_is(told: str, name: str) -> None:
    assert names(SHOP)(told) == name


def test_spans_and_edges_of_readings_call_services_as_the_catalogue_does() -> None:
    window = Window(NOON - DAY, NOON)
    span = Span("t", "1", "", "Pay_API", "GET /", NOON, 1.0)
    told = Readings("x", "q", window, SourceStatus.OK, spans=(span,), edges=(Edge(NOON, "web", "pay-api", 1.0),))
    silent = Readings("y", "q", window, SourceStatus.NO_DATA)
    first, second = as_known([told, silent], SHOP)
    assert (first.spans[0].service, first.edges[0].callee) == ("payments", "payments")
    assert second is silent


def test_what_nobody_described_is_listed_with_who_it_talks_to() -> None:
    edges = merged(SHOP, SEEN, NOON)
    assert [(u.name, u.external, u.sources, u.callers, u.callees) for u in unknown(edges, SHOP)] == [
        ("ledger", False, ("otlp",), (), ("payments",)),
        ("pg.internal", True, ("otlp",), ("payments",), ()),
    ]
    graph, outside = learned(edges)
    assert graph.calls == {"checkout": ("payments",), "ledger": ("payments",), "payments": ("pg.internal",)}
    assert outside == {"acmepay", "pg.internal"}
    assert of_spelling(edges, "PG_internal") == "pg.internal"


def live(learning: Learning) -> LiveCatalogue:
    catalogue = LiveCatalogue(lambda: SHOP, learning)
    catalogue.learn(SEEN, NOON)
    return catalogue


def test_by_default_learned_edges_lead_an_investigation_and_no_noise_rule() -> None:
    now = live(Learning.DIAGNOSIS)()
    assert now.whole.callees("checkout") == ("acmepay", "payments")
    assert now.graph.callees("checkout") == ("acmepay",)
    assert "payments" not in kinship_of(now).of("checkout")
    assert now.external == {"acmepay", "pg.internal"}


def test_where_they_may_do_everything_they_relate_alerts_too() -> None:
    now = live(Learning.EVERYTHING)()
    assert "payments" in kinship_of(now).of("checkout")
    assert "pg.internal" not in now.services


def test_where_they_may_do_nothing_only_the_files_count() -> None:
    assert live(Learning.OFF)() is SHOP


def test_the_catalogue_is_one_object_until_an_edge_comes_or_goes() -> None:
    catalogue = live(Learning.DIAGNOSIS)
    first = catalogue()
    catalogue.learn(tuple(known(k.caller, k.callee, k.source, calls=9.0, external=k.external) for k in SEEN), NOON + DAY / 24)
    assert catalogue() is first
    catalogue.learn((*SEEN, known("web", "search")), NOON)
    assert catalogue().whole.callees("web") == ("checkout", "search")
