"""Past incidents are alike by services, neighbours, alerts and changes, and say why; a made-up estate holds the weights."""

from dataclasses import dataclass, replace

import pytest

from bot.domain.document import Document, DocumentKind, Found, Inquiry, Tier
from bot.domain.past import PastIncident, Surroundings
from bot.knowledge.kinship import Kinship, explained, family, kin, role
from bot.knowledge.library import Library
from bot.knowledge.past import document_of


def past(ref: str, service: str, alert: str, text: str, *neighbours: str, change: str = "") -> Document:
    """A past incident of one service."""
    incident = PastIncident(ref, text, services=(service,), alerts=(alert,), symptoms=(text,), cause=text, confirmed_by="U1")
    return document_of(incident, Surroundings(neighbours, change_kind=change))


PAYMENTS = past("INC-1", "payments", "HighErrorRate", "Card charges failed after the retry limit rose", "checkout", "acmepay")


def odds(document: Document, **inquiry: object) -> float:
    return float(Kinship([document]).odds(Inquiry(**inquiry))[0])  # type: ignore[arg-type]  # the test gives what it means


def test_the_same_service_counts_more_than_a_neighbour_and_that_more_than_one_of_the_same_kind() -> None:
    same = odds(PAYMENTS, services=("payments",))
    near = odds(PAYMENTS, services=("checkout",), neighbours=("payments", "storefront"))
    database = past("INC-2", "orders-db", "DiskFull", "The disk was full")
    alike = odds(database, services=("users-db",))
    strange = odds(PAYMENTS, services=("search",))
    assert same > near > alike > 0 > strange


def test_neighbours_are_those_of_then_as_well_as_those_of_now() -> None:
    then = odds(PAYMENTS, services=("checkout",))
    now = odds(past("INC-3", "payments", "X", "text"), services=("checkout",), neighbours=("payments",))
    assert then == now > 0


def test_an_alert_of_the_same_name_in_another_spelling_and_one_of_its_family_count() -> None:
    name = odds(PAYMENTS, name="high_error_rate", services=("payments",))
    akin = odds(PAYMENTS, name="HighErrorRateBudget", services=("payments",))
    other = odds(PAYMENTS, name="DiskFull", services=("payments",))
    assert name > akin > other


def test_the_same_kind_of_change_counts() -> None:
    configured = past("INC-4", "payments", "HighErrorRate", "text", change="config")
    assert odds(configured, services=("payments",), changes=("config",)) > odds(configured, services=("payments",))


def test_the_incident_itself_and_its_own_trouble_are_never_found() -> None:
    assert odds(PAYMENTS, services=("payments",), without=("incident:INC-1",)) == float("-inf")


def test_a_runbook_is_kin_of_nothing() -> None:
    assert odds(Document("r", DocumentKind.RUNBOOK, "Payments", "text", services=("payments",)), services=("payments",)) == 0


@pytest.mark.parametrize(
    ("name", "kind"), [("orders-postgres", "db"), ("edge_gateway", "gateway"), ("payments", ""), ("api2", "api")]
)
def test_what_kind_of_part_a_service_is(name: str, kind: str) -> None:
    assert role(name) == kind


def test_families_of_alerts_share_half_of_their_words() -> None:
    assert family("KubePodCrashLooping", "KubePodNotReady") is False
    assert family("PaymentsHighErrorRate", "HighErrorRate")
    assert not family("DiskFull", "HighErrorRate")
    assert not family("", "")


def test_what_matched_is_told_the_strongest_first_and_how_sure_that_is() -> None:
    found = Found(PAYMENTS, "", "", "", Tier.SEARCH, 0.9)
    asked = Inquiry("HighErrorRate", "card charges fail", ("payments",))
    told = explained(found, asked)
    assert told.why == ("HighErrorRate fired then too", "payments was hit then too", "both speak of charges and card")
    assert told.likeness == "same as"
    shipped = replace(asked, changes=("deploy",))
    assert explained(found, shipped).likeness == "like", "nothing had shipped then"
    neighbour = explained(found, Inquiry("Slow", "", ("checkout",)))
    assert (neighbour.why, neighbour.likeness) == (("payments, next to checkout, was hit then",), "like")
    doubtful = Found(PAYMENTS, "", "", "", Tier.POSSIBLE, 0.9)
    assert explained(doubtful, asked).likeness == "possibly like"


def test_services_of_the_same_kind_are_told_only_where_nothing_is_closer() -> None:
    database = past("INC-2", "orders-db", "DiskFull", "The disk was full")
    assert kin(database, Inquiry(services=("users-db",))).roles == (("users-db", "orders-db"),)
    told = explained(Found(database, "", "", "", Tier.SEARCH, 0.6), Inquiry(services=("users-db",)))
    assert told.why == ("orders-db, a db like users-db, was hit then",)


@dataclass(frozen=True, slots=True)
class Again:
    """A fault that comes back and is told in other words: what is asked, and which past incident it is."""

    inquiry: Inquiry
    wanted: str


ESTATE = [
    past("INC-11", "payments", "HighErrorRate", "Charges failed: the provider answered 503 while retries piled up", "checkout"),
    past("INC-12", "search", "HighLatency", "Queries were slow: the index was rebuilt on the live nodes", "storefront"),
    past("INC-13", "orders-db", "ReplicationLag", "Replica fell behind after a bulk import of old orders", "orders"),
    past("INC-14", "storefront", "HighErrorRate", "Pages failed: a flag showed a banner without template", "checkout", "search"),
    past("INC-15", "mail-worker", "QueueGrowing", "Mails waited: the worker had lost its connection to the relay", "orders"),
    past("INC-16", "checkout", "HighLatency", "Baskets were slow: a lock was held to fetch prices", "payments", "storefront"),
    past("INC-17", "inventory", "PodCrashLooping", "Stock counts were stale: memory ran out while a report was made", "orders"),
    past("INC-18", "auth", "CertificateExpiry", "Logins failed: a certificate ran out over the weekend", "storefront"),
]
REPEATS = [
    Again(Inquiry("HighErrorRate", "5xx above 20 %: pages failed for some", ("payments",), neighbours=("checkout",)), "INC-11"),
    Again(Inquiry("HighLatency", "p99 above 2 s: prices and baskets load", ("search",), neighbours=("storefront",)), "INC-12"),
    Again(Inquiry("ReplicationLag", "seconds behind primary: mails waited", ("orders-db",), neighbours=("orders",)), "INC-13"),
    Again(Inquiry("HighErrorRate", "the provider answered slowly, banner missing", ("storefront",)), "INC-14"),
    Again(Inquiry("QueueGrowing", "depth above 10,000, stock counts late", ("mail-worker",)), "INC-15"),
    Again(Inquiry("HighLatency", "p99 above 2 s: index, queries", ("checkout",), neighbours=("payments",)), "INC-16"),
    Again(Inquiry("PodCrashLooping", "restarts: logins, certificate", ("inventory",)), "INC-17"),
    Again(Inquiry("ServiceDown", "orders cannot be placed, replica", ("mail-relay",), neighbours=("mail-worker",)), "INC-15"),
]


async def hits(*, topology: bool) -> int:
    library = Library([lambda: ESTATE], None)
    await library.sync()
    count = 0
    for again in REPEATS:
        one = again.inquiry
        asked = one if topology else Inquiry(one.name, one.text)
        found = (await library.find(asked, DocumentKind.INCIDENT, 1)).found
        count += bool(found) and found[0].document.name == again.wanted
    return count


async def test_services_and_symptoms_find_what_words_alone_mistake() -> None:
    words, both = await hits(topology=False), await hits(topology=True)
    assert both >= 7
    assert both >= words + 3, (words, both)
