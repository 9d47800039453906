"""Whom a change may reach: callers and their callers, by hops and tier, what was only seen told apart."""

from bot.domain.service import Catalogue, Service, ServiceGraph
from bot.topology.impact import reach

SHOP = Catalogue(
    {
        s.name: s
        for s in (
            Service("web", tier=1, owner="team-web", depends_on=("checkout",)),
            Service("checkout", tier=1, depends_on=("payments", "stock")),
            Service("admin", tier=3, depends_on=("payments",)),
            Service("payments", aliases=("pay",), depends_on=("acmepay",)),
            Service("stock"),
            Service("acmepay", external=True),
            Service("app", tier=2, depends_on=("web",)),
        )
    },
    learned=ServiceGraph({"ledger": ("payments",), "web": ("payments",), "payments": ("payments",)}),
)


def test_callers_are_told_by_hops_and_tier() -> None:
    found = reach(SHOP, ["pay"])
    assert found.services == ("payments",)
    assert [(d.name, d.hops, d.tier, d.declared) for d in found.dependants] == [
        ("checkout", 1, 1, True), ("web", 1, 1, False), ("admin", 1, 3, True), ("ledger", 1, 0, False), ("app", 2, 2, False),
    ]  # fmt: skip
    assert found.sentence == "5 services within two hops, 2 of tier 1"
    assert found.tiers == ((1, 2), (2, 1), (3, 1), (0, 1))
    assert [(hops, len(there)) for hops, there in found.by_hops] == [(1, 4), (2, 1)]


def test_services_that_change_together_do_not_reach_each_other() -> None:
    assert {d.name for d in reach(SHOP, ["payments", "checkout"], 1).dependants} == {"web", "admin", "ledger"}


def test_what_nobody_calls_reaches_nobody_and_one_is_one() -> None:
    assert reach(SHOP, ["app"]).sentence == "no service is known to depend on it"
    assert reach(SHOP, ["web"], 1).sentence == "1 service within one hop, none of tier 1"
