"""What platforms, providers and calls between services tell: signs, who is to blame, who merely suffers."""

from dataclasses import replace

from bot.domain.evidence import EvidenceKind, Remedy, Verdict
from bot.domain.telemetry import Edge, Happening, Readings, SourceStatus, Window
from bot.investigation.case import Case
from bot.investigation.diagnose import diagnose
from bot.investigation.picture import paint
from bot.investigation.vocabulary import Kind, kinds_of_happening
from tests.investigation.cases import START, alert, at, case, edit, rises, series, shipped


def told(one: Case, *happenings: Happening, edges: tuple[Edge, ...] = ()) -> Case:
    more = Readings("kubernetes", "events", Window(START, at(40)), SourceStatus.OK, happenings=happenings, edges=edges)
    return replace(one, readings=(*one.readings, more))


def shop(*changes: object) -> Case:
    numbers = [
        series("orders", "http_request_error_ratio", rises(0.001, 0.4, 20), 40),
        series("billing", "http_request_error_ratio", rises(0.001, 0.5, 20), 40),
    ]
    return case(alerts=[alert("orders", 24)], numbers=numbers, changes=changes)  # type: ignore[arg-type]  # pairs of shipped()


def edges(caller: str, callee: str, errors: float, latency: float, since: float = 20) -> tuple[Edge, ...]:
    return tuple(
        Edge(at(n), caller, callee, 10.0, errors if n >= since else 0.0, latency if n >= since else 40.0) for n in range(40)
    )


def test_reasons_of_platforms_are_kinds_of_trouble() -> None:
    assert Kind.MEMORY in kinds_of_happening("OOMKilled", "")
    assert Kind.STARTUP in kinds_of_happening("Unhealthy", "Readiness probe failed: HTTP 503")
    assert Kind.STARTUP in kinds_of_happening("BackOff", "Back-off restarting failed container")
    assert Kind.NODE in kinds_of_happening("FailedScheduling", "0/4 nodes are available")
    assert Kind.DISK in kinds_of_happening("NodeHasDiskPressure", "")
    assert Kind.ERRORS in kinds_of_happening("major_outage", "Elevated error rates")
    assert kinds_of_happening("Scheduled", "Successfully assigned default/orders-1") == frozenset()


def test_a_report_of_ordinary_life_and_an_old_habit_are_no_signs() -> None:
    calm = Happening(at(22), "orders", "Pulled", "image present", bad=False)
    habit = [Happening(at(s), "orders", "Unhealthy", "Liveness probe failed") for s in (3, 23)]
    fresh = Happening(at(21), "billing", "OOMKilled", "over its limit", "pod/billing-1", count=3)
    signs = [s for s in paint(told(shop(), calm, *habit, fresh)).signs if s.what is EvidenceKind.EVENT]
    assert [s.text for s in signs] == ["billing: OOMKilled (3 ×) at pod/billing-1: over its limit"]


def test_a_providers_own_incident_makes_it_the_provider() -> None:
    incident = Happening(at(-600), "cardco", "major_outage", "Card payments fail in all regions")
    found = diagnose(told(shop(), incident))
    assert found.verdict is Verdict.OPERATIONAL
    assert found.remedy is Remedy.ESCALATE_PROVIDER
    assert found.operational_cause is not None
    cited = [found.cited(c) for c in found.operational_cause.cites]
    assert any(e and e.kind is EvidenceKind.EVENT for e in cited)


def test_an_incident_of_a_provider_that_nobody_here_calls_is_no_cause() -> None:
    other = replace(shop(), external=frozenset({"cardco", "postco"}))
    incident = Happening(at(10), "postco", "major_outage", "Labels cannot be printed")
    assert diagnose(told(other, incident)).verdict is Verdict.UNDETERMINED


def test_calls_that_fail_show_where_it_began_and_who_suffers() -> None:
    one = told(case(alerts=[alert("web", 24)]), edges=(*edges("web", "orders", 4, 900), *edges("orders", "billing", 5, 1900)))
    picture = paint(one)
    assert {"web", "orders"} <= set(picture.affected)
    said = [s.text for s in picture.signs if s.what is EvidenceKind.METRIC and s.about == "billing"]
    assert any("error ratio to billing" in t for t in said)
    assert any("latency to billing" in t for t in said)


def test_pods_that_die_right_after_a_rollout_speak_for_it() -> None:
    change = shipped("a1", "billing", 18, edit("services/billing/app.py", "keep(1)", "keep(2)"), "billing: keep more", "v9")
    crash = Happening(at(20), "billing", "BackOff", "Back-off restarting failed container", "pod/billing-2")
    facts = {f.rule: f.text for f in diagnose(told(shop(change), crash)).suspects[0].facts}
    assert "billing does not stay up since 09:00:20" in facts["not_started"]
    late = {f.rule for f in diagnose(told(shop(shipped("a1", "billing", -4000, change[1].diff)), crash)).suspects[0].facts}
    assert "not_started" not in late
