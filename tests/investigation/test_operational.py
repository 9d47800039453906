"""Causes without a guilty change: each passes its check, and the keyword alone does not."""

from bot.domain.evidence import Remedy, Verdict
from bot.domain.service import ServiceGraph
from bot.investigation.diagnose import diagnose
from bot.investigation.exhibits import Exhibits
from bot.investigation.operational import Finding, operational
from bot.investigation.picture import paint
from tests.investigation.cases import alert, at, case, edit, logs, rises, series, shipped

ERRORS = [series("orders", "http_request_error_ratio", rises(0.001, 0.5, 20), 40)]
TIMES = [20 + n / 2 for n in range(20)]


def findings(lines: list, numbers: list | None = None, **more: object) -> dict[str, Finding]:  # type: ignore[type-arg]  # built by the helpers of cases.py
    one = case(alerts=[alert("orders", 24)], numbers=[*ERRORS, *(numbers or [])], lines=lines, **more)  # type: ignore[arg-type]  # as above
    return {f.name: f for f in operational(one, paint(one), Exhibits())}


def test_an_expired_certificate_is_found_by_its_message_and_by_its_countdown() -> None:
    said = logs("orders", "tls: x509: certificate has expired or is not yet valid", TIMES)
    assert findings(said)["certificate"].remedy is Remedy.ROTATE_CERTIFICATE
    countdown = series("billing", "tls_cert_seconds_until_expiry", lambda t: 20 - t, 40, noise=0)
    countdown = type(countdown)("billing", countdown.metric, tuple((t, 20 - i / 2) for i, (t, _) in enumerate(countdown.points)))
    assert findings([], [countdown])["certificate"].at == "billing"


def test_an_unknown_authority_is_not_an_expired_certificate() -> None:
    assert "certificate" not in findings(logs("orders", "x509: certificate signed by unknown authority", TIMES))


def test_names_of_two_unrelated_hosts_mean_the_resolver() -> None:
    two = logs("orders", "lookup api.cards.com: no such host", TIMES) + logs("web", "lookup smtp.post.net: no such host", TIMES)
    assert findings(two)["dns"].remedy is Remedy.FIX_DNS


def test_one_host_that_does_not_resolve_may_be_a_typing_error() -> None:
    assert "dns" not in findings(logs("orders", "lookup api.cadrs.com: no such host", TIMES))


def test_one_record_that_fails_again_and_again_is_bad_data() -> None:
    same = logs("orders", "validation error: price out of range record_id=book-7781 offset=99120", TIMES)
    found = findings(same)["bad_data"]
    assert found.remedy is Remedy.PURGE_BAD_DATA
    assert "20 times" in found.fact.text


def test_many_different_records_that_fail_are_not_one_bad_record() -> None:
    assert "bad_data" not in findings(logs("orders", "validation error: price out of range record_id=book-{n}1", TIMES))


def test_an_outside_service_that_fails_deepest_is_the_provider() -> None:
    lines = logs("billing", "POST https://api.cards.com/v1/pay returned 503", TIMES)
    lines += logs("orders", "billing failed: api.cards.com unavailable", TIMES)
    assert findings(lines, external=frozenset())["external_provider"].at == "cards.com"


def test_a_host_of_our_own_network_is_no_provider() -> None:
    lines = logs("billing", "GET http://stock.books.svc.cluster.local failed with 503", TIMES)
    assert "external_provider" not in findings(lines, external=frozenset())


def surge_numbers(factor: float) -> list:  # type: ignore[type-arg]  # series
    return [
        series("web", "http_requests_per_second", rises(20, 20 * factor, 15), 40),
        series("orders", "http_requests_per_second", rises(10, 10 * factor, 15), 40),
        series("orders", "http_request_latency_p95_seconds", rises(0.2, 3, 20), 40),
    ]


def test_more_traffic_at_the_edge_before_it_hurts_is_a_surge() -> None:
    assert findings([], surge_numbers(3))["surge"].at == "web"


def test_calls_that_grow_only_inside_are_no_surge() -> None:
    inside = [series("orders", "outbound_calls_per_second", rises(10, 90, 15), 40, target="stock"), *surge_numbers(1)]
    assert "surge" not in findings([], inside)


def test_traffic_with_a_crash_of_our_own_is_no_surge() -> None:
    assert "surge" not in findings(logs("orders", "fatal error: concurrent map writes", TIMES), surge_numbers(3))


def test_a_failing_node_needs_a_name_and_a_message() -> None:
    lines = logs("orders", "node ip-10-0-4-7 NodeNotReady: kubelet stopped posting status, evicting pods", TIMES)
    assert findings(lines)["node"].remedy is Remedy.FAILOVER
    assert "node" not in findings(logs("orders", "node version 22 started", TIMES))


def test_a_quota_counts_only_if_we_ask_no_more_than_before() -> None:
    lines = logs("billing", "cardco refused: monthly quota exceeded", TIMES)
    assert "quota" in findings(lines)
    more = [series("billing", "outbound_calls_per_second", rises(4, 40, 15), 40, target="cardco")]
    assert "quota" not in findings(lines, more)


def test_a_full_disk_is_a_symptom_not_a_cause() -> None:
    assert findings(logs("orders", "write failed: no space left on device", TIMES)) == {}


def test_an_expired_certificate_stands_against_an_innocent_deploy() -> None:
    lines = logs("orders", "tls handshake with billing failed: certificate has expired", TIMES)
    decoy = shipped("e1", "orders", 12, edit("services/orders/tls.py", 'ciphers = "A:B"', 'ciphers = "B:A"'))
    found = diagnose(case(alerts=[alert("orders", 24)], changes=[decoy], numbers=ERRORS, lines=lines))
    assert found.verdict is Verdict.OPERATIONAL
    assert found.onset is not None
    assert found.onset <= at(21)


def test_without_any_graph_the_checks_still_run() -> None:
    assert findings(logs("orders", "certificate has expired", TIMES), graph=ServiceGraph())["certificate"]
