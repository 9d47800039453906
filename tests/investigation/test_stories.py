"""The two stories at the pace of a demonstration: seconds, not hours, with innocent changes all around."""

import re
from dataclasses import replace
from datetime import datetime, timedelta

from bot.domain.change import Change, ChangeKind, Commit
from bot.domain.evidence import Confidence, Diagnosis, Remedy, Verdict
from bot.domain.telemetry import LogLine, Series
from bot.investigation.case import Case
from bot.investigation.diagnose import diagnose
from tests.investigation.cases import alert, at, case, edit, logs, rises, series, shipped

GUILTY = shipped(
    "a1",
    "billing",
    9,
    edit(
        "services/billing/settings.json",
        '    "retries": 2,\n    "pause_ms": 200',
        '    "retries": 10,\n    "pause_ms": 0',
        '  "cardco": {',
    ),
    "billing: tune the card client",
    "v43",
)


def innocents(onset: float) -> list[tuple[Change, Commit]]:
    """Six changes that did nothing: documentation, a value on the alerting service, a neighbour's, one after the onset."""
    return [
        shipped(
            "b2", "web", 3, edit("services/web/settings.json", '"page_size": 12', '"page_size": 15'), "web: more per page", "v7"
        ),
        shipped(
            "b3", "orders", 11, edit("services/orders/app.py", '"declined"', '"declined, sorry"'), "orders: kinder words", "v18"
        ),
        shipped(
            "b4", "stock", 5, edit("services/stock/settings.json", '"low_mark": 5', '"low_mark": 8'), "stock: warn earlier", "v9"
        ),
        shipped(
            "b5", "db", onset + 6, edit("services/db/settings.json", '"vacuum_hour": 3', '"vacuum_hour": 4'), "db: later", "v4"
        ),
        shipped("b6", "mail", 6, edit("services/mail/app.py", "send(x, 1)", "send(x, 2, True)"), "mail: flags", "v2"),
        documentation("b7", 2),
    ]


def documentation(sha: str, seconds: float) -> tuple[Change, Commit]:
    change, commit = shipped(sha, "billing", seconds, edit("docs/retries.md", "old words", "retries and timeouts explained"))
    return replace(change, kind=ChangeKind.COMMIT, version=""), commit


def suffering(onset: float, until: float) -> tuple[list[Series], list[LogLine]]:
    """Errors at the front, whatever the cause."""
    numbers = [
        series("web", "http_request_error_ratio", rises(0.002, 0.18, onset + 1), until),
        series("orders", "http_request_error_ratio", rises(0.002, 0.31, onset + 0.5), until),
        series("billing", "http_request_error_ratio", rises(0.001, 0.4, onset), until),
        series("stock", "http_request_error_ratio", rises(0.001, 0.001, onset), until),
        series("stock", "http_request_latency_p95_seconds", rises(0.2, 0.2, onset), until, noise=0.1),
        series("web", "http_requests_per_second", rises(20, 20, onset), until, noise=0.1),
    ]
    lines = logs("orders", "POST /orders failed: billing answered 502", [onset + 0.5 + n / 2 for n in range(20)])
    lines += logs("web", "shown page {n}", [n / 2 for n in range(60)], "INFO")
    return numbers, lines


def story_1() -> Case:
    numbers, lines = suffering(18, 40)
    numbers += [
        series("billing", "outbound_calls_per_second", rises(4, 19.2, 18), 40, target="cardco"),
        series("billing", "retries_per_second", rises(0, 15, 18), 40, target="cardco"),
        series("billing", "outbound_error_ratio", rises(0.001, 0.7, 18.5), 40, target="cardco"),
    ]
    lines += logs("billing", "retry budget exhausted for cardco after 11 attempts: status 503", [18.5 + n / 2 for n in range(20)])
    return case(alerts=[alert("orders", 22), alert("web", 23)], changes=[GUILTY, *innocents(18)], numbers=numbers, lines=lines)


def story_2() -> Case:
    numbers, lines = suffering(18, 40)
    numbers += [
        series("billing", "outbound_error_ratio", rises(0.001, 0.98, 18), 40, target="cardco"),
        series("billing", "retries_per_second", rises(0, 8, 18.5), 40, target="cardco"),
        series("billing", "outbound_calls_per_second", rises(4, 12, 18.5), 40, target="cardco"),
    ]
    lines += logs(
        "billing", "cardco attempt {n} of 3 failed: status 503 card network unreachable", [18 + n / 2 for n in range(30)]
    )
    wording = shipped("c1", "billing", 8, edit("services/billing/app.py", 'log.info("charged")', 'log.info("card charged")'))
    return case(alerts=[alert("orders", 22), alert("web", 23)], changes=[wording, *innocents(18)], numbers=numbers, lines=lines)


def test_the_guilty_deploy_is_convicted_among_innocent_ones() -> None:
    found = diagnose(story_1())
    assert found.verdict is Verdict.CONVICTED
    assert found.confidence is Confidence.STRONG
    assert found.cause is not None
    assert (found.cause.service, found.cause.version, found.cause.commit) == ("billing", "v43", GUILTY[1].sha)
    assert found.remedy is Remedy.ROLLBACK
    assert found.first_service == "billing"
    assert set(found.blast_radius) == {"orders", "web"}
    assert found.onset is not None
    assert abs((found.onset - at(18)).total_seconds()) <= 1.5


def test_its_facts_name_the_line_the_metric_and_the_time() -> None:
    found = diagnose(story_1())
    assert found.cause is not None
    best = found.cause.facts[0]
    assert best.rule == "retry"
    assert best.text.startswith("retries 2 → 10 · ")
    assert "09:00:18" in best.text
    texts = [found.cited(id).text for id in best.cites if found.cited(id)]  # type: ignore[union-attr]  # checked just before
    assert any("retries 2 → 10" in t for t in texts)
    assert any("cardco" in t for t in texts)


def test_the_others_are_ruled_out_with_reasons_for_people() -> None:
    reasons = {(c.service, c.ruled_out) for c in diagnose(story_1()).ruled_out}
    assert ("db", "shipped after the onset") in reasons
    assert any(reason == "documentation only" for _, reason in reasons)


def test_a_neighbour_without_a_path_is_ruled_out() -> None:
    one = story_1()
    calls = {**one.graph.calls, "mail": ("postbox",)}
    reasons = {c.service: c.ruled_out for c in diagnose(replace(one, graph=replace(one.graph, calls=calls))).ruled_out}
    assert reasons["mail"] == "no path to billing"


def test_the_symptom_is_said_with_figures_and_the_next_step_in_words() -> None:
    found = diagnose(story_1())
    assert re.match(r"Orders and web answer with errors \(3\d %, was 0\.\d+ %\) \[E\d+\]$", found.symptom)
    assert found.next_step == "Roll back billing to the version before v43."
    before = shipped("d1", "billing", -4000, edit("services/billing/x.py", "a = 1", "a = f(2)"), version="v42")[0]
    known = story_1()
    assert diagnose(replace(known, changes=(*known.changes, before))).next_step == "Roll back billing to v42."


def test_a_failing_provider_is_no_change_and_no_rollback() -> None:
    found = diagnose(story_2())
    assert found.verdict is Verdict.OPERATIONAL
    assert found.cause is None
    assert found.operational_cause is not None
    assert found.operational_cause.text.startswith("Cardco, which is outside our estate")
    assert found.remedy is Remedy.ESCALATE_PROVIDER
    assert "Contact cardco" in found.next_step


def test_every_cite_exists_and_ids_are_in_order() -> None:
    for found in (diagnose(story_1()), diagnose(story_2())):
        ids = [e.id for e in found.evidence]
        assert ids == [f"E{n}" for n in range(1, len(ids) + 1)]
        assert cited(found) <= set(ids)
        assert set(re.findall(r"\[(E\d+)\]", found.symptom)) <= set(ids)


def cited(found: Diagnosis) -> set[str]:
    people = [*found.suspects, *([found.cause] if found.cause else [])]
    facts = [f for c in people for f in c.facts] + ([found.operational_cause] if found.operational_cause else [])
    return {id for f in facts for id in f.cites}


def test_the_same_case_gives_the_same_diagnosis() -> None:
    assert diagnose(story_1()) == diagnose(story_1())


def test_with_alerts_alone_it_admits_that_it_does_not_know() -> None:
    found = diagnose(case(alerts=[alert("orders", 22)]))
    assert found.verdict is Verdict.UNDETERMINED
    assert found.summary == "No change explains this"
    assert found.missing[0].startswith("tell of deployments: GitHub")
    assert found.missing[1:3] == (
        "connect logs of orders: Loki, Elasticsearch or CloudWatch",
        "connect metrics of orders: Prometheus, Datadog or CloudWatch",
    )


def test_with_deployments_but_no_diffs_nobody_is_convicted() -> None:
    bare = replace(story_1(), commits={})
    found = diagnose(bare)
    assert found.verdict is not Verdict.CONVICTED
    assert found.suspects or found.operational_cause


def test_an_outage_that_ended_before_is_another_story() -> None:
    """The same kind of trouble a minute ago, repaired since, moves neither the onset nor the verdict."""
    one = story_1()
    reading = one.readings[0]
    numbers = tuple(replace(s, points=(*_a_minute_ago(s), *s.points)) for s in reading.series)
    lines = tuple(replace(line, at=line.at - timedelta(seconds=60)) for line in reading.logs)
    found = diagnose(replace(one, readings=(replace(reading, series=numbers, logs=(*lines, *reading.logs)),)))
    assert found.cause is not None
    assert found.cause.commit == GUILTY[1].sha
    assert found.onset is not None
    assert abs((found.onset - at(18)).total_seconds()) <= 1.5


def _a_minute_ago(series: Series) -> list[tuple[datetime, float]]:
    """The same course, sixty seconds earlier: healthy, 22 s of trouble, and healthy again until now."""
    healthy = series.points[:36]
    course = [(t - timedelta(seconds=60), v) for t, v in series.points]
    return [*course, *((t - timedelta(seconds=20), v) for t, v in healthy)]


def test_taking_a_change_back_is_not_blamed_for_what_fails_afterwards() -> None:
    """The first story's change is reverted and shipped; then the provider fails: the revert only put back what ran before."""
    guilty = shipped("a1", "billing", -120, GUILTY[1].diff, version="v43")
    old, new = ('    "retries": 10,\n    "pause_ms": 0', '    "retries": 2,\n    "pause_ms": 200')
    revert = shipped("a2", "billing", 6, edit("services/billing/settings.json", old, new), "Revert", "v44")
    two = story_2()
    again = replace(
        two, changes=(*two.changes, guilty[0], revert[0]), commits={**two.commits, **{c.sha: c for _, c in (guilty, revert)}}
    )
    found = diagnose(again)
    assert found.verdict is Verdict.OPERATIONAL
    reasons = {c.commit: c.ruled_out for c in found.ruled_out}
    assert reasons[revert[1].sha] == "only puts back what ran before"
    alone = diagnose(replace(two, changes=(*two.changes, revert[0]), commits={**two.commits, revert[1].sha: revert[1]}))
    assert revert[1].sha not in {c.commit for c in alone.ruled_out}


def test_a_cache_that_is_filled_anew_shortly_before_does_not_date_the_trouble() -> None:
    """A passing wait on the alerting service, over before the alert, is older than the guilty change and not its trouble."""
    refill = series("web", "outbound_latency_p95_seconds", lambda t: 0.39 if 5.5 <= t < 13.5 else 0.005, 40, target="stock")
    found = diagnose(_with(story_1(), refill))
    assert found.verdict is Verdict.CONVICTED
    assert found.cause is not None
    assert found.cause.commit == GUILTY[1].sha
    assert found.onset is not None
    assert abs((found.onset - at(18)).total_seconds()) <= 1.5


def test_noise_that_grew_a_little_does_not_date_what_is_far_louder() -> None:
    faint = series("orders", "outbound_latency_p95_seconds", rises(0.146, 0.21, 5.5), 40, noise=0.005, target="stock")
    found = diagnose(_with(story_1(), faint))
    assert found.verdict is Verdict.CONVICTED
    assert found.cause is not None
    assert found.cause.commit == GUILTY[1].sha
    assert found.onset is not None
    assert abs((found.onset - at(18)).total_seconds()) <= 1.5


def test_a_passing_wait_deep_below_that_was_over_before_is_not_where_it_began() -> None:
    wait = series("db", "worker_wait_p95_seconds", lambda t: 0.5 if 8 <= t < 14 else 0.005, 40)
    found = diagnose(_with(story_1(), wait))
    assert found.first_service == "billing"
    assert "db" not in found.blast_radius
    assert found.cause is not None
    assert found.cause.commit == GUILTY[1].sha


def test_a_faint_wait_deep_below_that_overlaps_is_not_where_it_began() -> None:
    wait = series("db", "worker_wait_p95_seconds", lambda t: 0.5 if t >= 17 else 0.35, 40, noise=0.04)
    found = diagnose(_with(story_1(), wait))
    assert found.first_service == "billing"
    assert found.cause is not None
    assert found.cause.commit == GUILTY[1].sha


def _with(case: Case, more: Series) -> Case:
    reading = case.readings[0]
    return replace(case, readings=(replace(reading, series=(*reading.series, more)),))
