"""The one source that would have helped most is named as something to do, and it is what this verdict lacks."""

from dataclasses import replace

from bot.domain.evidence import Verdict
from bot.domain.telemetry import Readings, SourceStatus, Window
from bot.investigation.case import Case
from bot.investigation.diagnose import diagnose
from tests.investigation.cases import START, alert, at, case, edit, logs, rises, series, shipped

RATIO = series("orders", "http_request_error_ratio", rises(0.001, 0.4, 20), 40)


def shop(**more: object) -> Case:
    change = shipped("a1", "orders", 12, edit("services/orders/a.py", "x = f(1)", "x = g(1)"))
    return case(alerts=[alert("orders", 24)], **{"changes": [change], "numbers": [RATIO], **more})  # type: ignore[arg-type]  # parts of a case


def asked(one: Case) -> str:
    found = diagnose(one)
    assert found.verdict is Verdict.UNDETERMINED
    return found.missing[0] if found.missing else ""


def test_without_changes_it_asks_for_deployments() -> None:
    assert asked(shop(changes=[])).startswith("tell of deployments: ")


def test_with_deployments_whose_diffs_nobody_can_read_it_asks_for_the_repository() -> None:
    one = shop()
    blind = replace(one, commits={sha: replace(c, diff="") for sha, c in one.commits.items()})
    assert asked(blind) == "connect the repository of orders: git, GitHub or GitLab, to read diffs"


def test_with_diffs_that_nothing_speaks_of_it_asks_for_the_logs_of_the_place_that_failed_first() -> None:
    assert asked(shop()) == "connect logs of orders: Loki, Elasticsearch or CloudWatch"
    elsewhere = shop(lines=logs("web", "page is slow", [20, 21, 22]))
    assert asked(elsewhere) == "connect logs of orders: Loki, Elasticsearch or CloudWatch"


def test_with_logs_of_the_place_it_asks_for_what_else_is_not_there() -> None:
    spoken = shop(lines=logs("orders", "boom", [20, 21, 22]))
    assert asked(spoken) == "connect traces of orders: Tempo, Jaeger or OTLP"
    unmeasured = shop(lines=logs("orders", "boom", [20, 21, 22]), numbers=[])
    assert asked(unmeasured) == "connect metrics of orders: Prometheus, Datadog or CloudWatch"


def test_a_service_that_does_not_stay_up_makes_it_ask_for_what_the_platform_saw() -> None:
    restarts = series("orders", "pod_restart_total", rises(0, 9, 20), 40)
    found = diagnose(shop(numbers=[RATIO, restarts], lines=logs("orders", "boom", [20, 21, 22])))
    assert "connect Kubernetes, for the events of orders" in found.missing


def test_a_source_that_is_there_and_did_not_answer_comes_first() -> None:
    down = Readings("loki", "{}", Window(START, at(40)), SourceStatus.FAILED, "connection refused")
    one = shop()
    assert asked(replace(one, readings=(*one.readings, down))) == "loki did not answer (connection refused): bring it back"
