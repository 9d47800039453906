"""Two services are related by who calls whom, never by what everybody calls."""

from bot.domain.service import Catalogue, Service
from bot.incidents.kinship import CALLS, CROWDED, SHARED, THROUGH, Kinship
from tests.flows.desk_of_alerts import SHOP


def test_the_nearer_relation_counts_and_says_how() -> None:
    kin = Kinship(SHOP).of("checkout")
    assert {name: k.weight for name, k in kin.items()} == {
        "payments": CALLS, "inventory": CALLS, "storefront": CALLS, "store": THROUGH, "acmepay": THROUGH,
    }  # fmt: skip
    assert kin["store"].sentence == "checkout calls store through payments"
    assert [name for name, k in kin.items() if not k.needed] == ["storefront"]


def test_what_everybody_calls_relates_nobody() -> None:
    few = {f"s{n}": Service(f"s{n}", depends_on=("auth",)) for n in range(CROWDED)}
    many = {**few, "one-more": Service("one-more", depends_on=("auth",))}
    assert Kinship(Catalogue({**few, "auth": Service("auth")})).of("s0")["s1"].weight == SHARED
    assert set(Kinship(Catalogue({**many, "auth": Service("auth")})).of("s0")) == {"auth"}


def test_a_circle_of_calls_ends() -> None:
    ring = Catalogue({"a": Service("a", depends_on=("b",)), "b": Service("b", depends_on=("a",))})
    assert set(Kinship(ring).of("a")) == {"b"}


def test_a_service_nobody_described_has_no_kin() -> None:
    assert Kinship(SHOP).of("mystery") == {}
