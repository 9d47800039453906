"""Kinds of faults that no rule was made for: every rule and every named check is switched off, and structure alone must tell."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.domain.change import Change, ChangeKind, ChangeStatus, Commit
from bot.domain.evidence import Diagnosis, Remedy, Verdict
from bot.domain.telemetry import Happening, LogLine, Readings, Series, SourceStatus, Window
from bot.investigation.case import Case
from bot.investigation.diagnose import diagnose
from bot.investigation.operational import CHECKS
from bot.investigation.rules import RULES
from tests.investigation.cases import START, alert, at, case, edit, logs, rises, series, shipped

EVERYTHING = {r.tag for r in RULES} | {r.name for r in RULES} | {c.__name__ for c in CHECKS} | {"external_provider"}
TIMES = [20 + n / 2 for n in range(30)]
Shipped = tuple[Change, Commit | None]


def innocents() -> list[Shipped]:
    """What every team ships: a tidied handler just before it hurts, a bumped patch version, kinder words, a style."""
    return [
        shipped("b1", "orders", 19, edit(
            "services/orders/handler.py", "    data = json.loads(request.body)\n    if not data:\n        return reply(400)",
            "    data = parse(request)\n    if data is None:\n        return bad_request(request)",
        ), "orders: tidy the order handler", "v21"),
        shipped("b2", "orders", 9, edit("requirements.txt", "httpx==0.27.0", "httpx==0.27.2"), "bump httpx", "v19"),
        shipped("b3", "web", 12, edit("services/web/page.css", "padding: 2px", "padding: 4px"), "web: more air", "v7"),
        shipped("b4", "stock", 8, edit("services/stock/settings.json", '"low_mark": 5', '"low_mark": 8'), "stock: warn earlier"),
    ]  # fmt: skip


def broken(
    guilty: Sequence[Shipped],
    said: str,
    *,
    numbers: Sequence[Series] = (),
    lines: Sequence[LogLine] = (),
    happenings: Sequence[Happening] = (),
) -> Case:
    """Orders fails from second 20 on, and says so; nothing else of the shop does."""
    ratio = series("orders", "http_request_error_ratio", rises(0.001, 0.5, 20), 40)
    told = logs("orders", said, TIMES) if said else []
    fine = logs("orders", "placed order {n}", [n / 2 for n in range(80)], "INFO")
    found = case(
        alerts=[alert("orders", 24)], changes=[*guilty, *innocents()], numbers=[ratio, *numbers],
        lines=[*told, *fine, *lines],
    )  # fmt: skip
    events = Readings("kubernetes", "events", Window(START, at(40)), SourceStatus.OK, happenings=tuple(happenings))
    return replace(found, readings=(*found.readings, events))


def unaided(one: Case) -> Diagnosis:
    return diagnose(one, without=EVERYTHING)


def guilty_of(diff: str, words: str = "orders: small change") -> list[Shipped]:
    return [shipped("a1", "orders", 15, diff, words, "v20")]


FAULTS: dict[str, tuple[str, str]] = {
    "another database host": (
        edit("services/orders/config.yaml", "  db_host: books-db.internal", "  db_host: books-db-2.internal"),
        "could not connect to books-db-2.internal:5432",
    ),
    "a lower limit": (
        edit("services/orders/settings.json", '"max_basket_lines": 500', '"max_basket_lines": 40'),
        "basket of {n}7 lines is over the maximum of 40 lines",
    ),
    "another topic": (
        edit("services/orders/events.py", 'TOPIC = "orders.placed"', 'TOPIC = "orders.placed.v2"'),
        "publish failed: unknown topic or partition orders.placed.v2",
    ),
    "a column that nobody made": (
        edit("services/orders/store.py", '    q = "SELECT id FROM orders"', '    q = "SELECT id, gift_note FROM orders"'),
        'column "gift_note" does not exist',
    ),
    "a function that raises": (
        edit("services/orders/discount.py", "    return price", "    if voucher.percent > LIMIT:\n        raise VoucherError()"),
        "Traceback (most recent call last): File services/orders/discount.py, line 14, in apply_voucher: VoucherError",
    ),
    "a feature that was taken out": (
        edit("services/orders/routes.py", 'add("/orders/wishes", wishes)\nadd("/orders", place)', 'add("/orders", place)'),
        "no route for /orders/wishes",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_that_no_rule_knows_is_found_by_what_it_says(fault: str) -> None:
    diff, said = FAULTS[fault]
    found = unaided(broken(guilty_of(diff), said))
    assert found.suspects[0].commit == "a1" * 20
    assert found.verdict is Verdict.CONVICTED, [(f.rule, f.points) for f in found.suspects[0].facts]


@pytest.mark.parametrize("fault", FAULTS)
def test_without_the_guilty_change_nobody_is_convicted(fault: str) -> None:
    found = unaided(broken([], FAULTS[fault][1]))
    assert found.verdict is Verdict.UNDETERMINED, found.summary


def test_a_killed_container_after_less_memory_is_the_change_that_took_it() -> None:
    diff = edit("deploy/orders/values.yaml", "    memory: 512Mi", "    memory: 96Mi")
    killed = [
        Happening(at(20 + n), "orders", "OOMKilled", "exceeded its memory limit of 96Mi", f"pod/orders-{n}") for n in range(4)
    ]  # fmt: skip
    found = unaided(broken(guilty_of(diff), "", happenings=killed))
    assert found.verdict is Verdict.CONVICTED
    assert any(e.kind.value == "event" for e in found.evidence)


def test_an_image_that_nobody_built_is_named_by_the_platform() -> None:
    diff = edit("deploy/orders/values.yaml", "  image: registry.internal/orders:v19", "  image: registry.internal/orders:v20-arm")
    pulls = [
        Happening(
            at(20), "orders", "ErrImagePull", "manifest of registry.internal/orders:v20-arm unknown", "pod/orders-1", count=9
        )
    ]
    assert unaided(broken(guilty_of(diff), "", happenings=pulls)).verdict is Verdict.CONVICTED


def test_what_grows_steadily_since_a_rollout_long_ago_is_dated_by_its_beginning() -> None:
    quiet = rises(0.001, 0.5, 34)
    numbers = [
        series("orders", "worker_backlog_depth", lambda t: 20 if t < 10 else 20 + 30 * (t - 10), 40, noise=0.001),
        series("orders", "http_request_error_ratio", quiet, 40),
    ]
    slow = [
        shipped("a1", "orders", 10, edit("services/orders/work.py", "    done(job)", "    later(job)"), "orders: defer", "v20")
    ]
    late = [shipped("b1", "orders", 32, edit("services/orders/x.py", "a = f(b)", "a = g(b)"), "orders: tidy", "v21")]
    found = unaided(case(alerts=[alert("orders", 36)], changes=[*slow, *late], numbers=numbers))
    assert found.suspects[0].commit == "a1" * 20
    assert found.verdict is not Verdict.OPERATIONAL


def flag(seconds: float, title: str) -> Shipped:
    change = Change(
        f"flag:{title}", "launchdarkly", ChangeKind.FLAG, ChangeStatus.SUCCEEDED, at(seconds), title, ("orders",), "production",
    )  # fmt: skip
    return change, None


def test_a_flag_is_judged_by_the_same_evidence() -> None:
    said = "gift wrapping has no price for {n}: GiftWrapError"
    found = unaided(broken([flag(19.5, "orders-gift-wrapping off->on")], said))
    assert found.suspects[0].title == "orders-gift-wrapping off->on"
    assert found.verdict is Verdict.CONVICTED
    assert found.remedy is Remedy.CONFIG_REVERT


def test_a_flag_that_the_errors_do_not_speak_of_is_not_convicted() -> None:
    found = unaided(broken([flag(19.5, "orders-new-colours off->on")], "cannot place order: Boom"))
    assert found.verdict is Verdict.UNDETERMINED


def structured(said: str, fields: Sequence[dict[str, str]], level: str = "ERROR", since: float = 20) -> list[LogLine]:
    return [LogLine(at(since + n / 2), "orders", level, said.replace("{n}", str(n)), fields=f) for n, f in enumerate(fields)]


def places(key: str, values: Sequence[str], many: int = 40) -> list[dict[str, str]]:
    return [{key: values[n % len(values)]} for n in range(many)]


OUTSIDE: dict[str, list[LogLine]] = {
    "one partition of eight": [
        *structured("could not store {n}", places("partition", ["p5"])),
        *structured("stored {n}", places("partition", [f"p{n}" for n in range(8) if n != 5]), "INFO", 20.25),
    ],
    "one machine of four": [
        *structured("i/o error while storing {n}", places("k8s.node.name", ["ip-10-0-3-7"])),
        *structured("stored {n}", places("k8s.node.name", [f"ip-10-0-3-{n}" for n in (1, 2, 3)]), "INFO", 20.25),
    ],
    "one customer's file": logs("orders", "cannot read row {n}: unexpected end of file, import=catalogue-2291-b", TIMES),
    "a directory of somebody else": logs("orders", "bind to ldap.partner-shop.com failed: connection reset by peer", TIMES),
    "a licence that ended": logs("orders", "licence of the label printer expired at 2026-05-04T09:00:20Z", TIMES),
}  # fmt: skip


@pytest.mark.parametrize("cause", OUTSIDE)
def test_a_cause_outside_the_changes_is_found_by_structure(cause: str) -> None:
    one = broken([], "", lines=OUTSIDE[cause])
    found = unaided(replace(one, changes=tuple(replace(c, at=c.at - timedelta(hours=1)) for c in one.changes)))
    assert found.verdict is Verdict.OPERATIONAL
    assert found.cause is None


def test_what_ran_out_evenly_since_before_any_change_was_not_used_up_by_one() -> None:
    fills = series("orders", "volume_used_ratio", lambda t: min(1.0, 0.6 + 0.02 * t), 40, noise=0.0005)
    one = broken([], "write failed", numbers=[fills])
    none_before = tuple(replace(c, at=c.at + timedelta(seconds=10)) for c in one.changes if c.at < at(10))
    found = unaided(replace(one, changes=none_before))
    assert found.verdict is Verdict.OPERATIONAL
    assert found.operational_cause is not None
    assert "used ratio of orders ran out" in found.operational_cause.text
    assert unaided(broken(guilty_of(edit("services/orders/x.py", "a = 1", "a = f(2)")), "write failed", numbers=[
        series("orders", "volume_used_ratio", lambda t: 0.6 if t < 15 else min(1.0, 0.6 + 0.08 * (t - 15)), 40, noise=0.0005)
    ])).verdict is not Verdict.OPERATIONAL  # fmt: skip


@pytest.mark.parametrize(("busier", "verdict"), [(1, Verdict.OPERATIONAL), (9, Verdict.UNDETERMINED)])
def test_a_limit_of_somebody_else_counts_if_we_ask_no_more_than_before(busier: float, verdict: Verdict) -> None:
    said = logs("orders", "maps.route-finder.com answered 429: monthly quota is used up", TIMES)
    asked = series("orders", "outbound_calls_per_second", rises(4, 4 * busier, 16), 40)
    one = broken([], "", lines=said, numbers=[asked])
    assert unaided(replace(one, changes=tuple(replace(c, at=at(-5000)) for c in one.changes))).verdict is verdict


def test_services_that_fail_together_without_calling_each_other_share_something() -> None:
    numbers = [series(s, "http_request_error_ratio", rises(0.001, 0.5, 20), 40) for s in ("mail", "search", "labels")]
    lines = [line for s in ("mail", "search", "labels") for line in logs(s, "write tcp: broken pipe", TIMES)]
    found = unaided(broken([], "write tcp: broken pipe", numbers=numbers, lines=lines))
    assert found.verdict is Verdict.UNDETERMINED  # orders was deployed a second before: that may be what they share
    quiet = broken([], "write tcp: broken pipe", numbers=numbers, lines=lines)
    far = tuple(replace(c, at=at(-4000)) for c in quiet.changes)
    found = unaided(replace(quiet, changes=far))
    assert found.verdict is Verdict.OPERATIONAL
    assert found.operational_cause is not None
    assert "do not call each other" in found.operational_cause.text


NOT_OUTSIDE: dict[str, tuple[list[Shipped], list[LogLine]]] = {
    "a rollout reaches one machine first": (
        guilty_of(edit("services/orders/x.py", "a = 1", "a = f(2)")),
        OUTSIDE["one machine of four"],
    ),
    "a deadline of ours was cut": (
        guilty_of(edit("services/orders/clients.py", "CARDS_TIMEOUT = 30", "CARDS_TIMEOUT = 2")),
        logs("orders", "call to api.cards.com: deadline exceeded", TIMES),
    ),
    "they say that we ask wrongly": (
        guilty_of(edit("services/orders/x.py", "a = 1", "a = f(2)")),
        logs("orders", "api.cards.com answered 401 to attempt {n}", TIMES),
    ),
    "the time of the start is no end": (
        guilty_of(edit("services/orders/x.py", "a = 1", "a = f(2)")),
        logs("orders", "boom (process started 2026-05-04T09:00:19Z)", TIMES),
    ),
    "every request has another id": ([], logs("orders", "boom request_id=re{n}91827ab", TIMES)),
}


@pytest.mark.parametrize("trap", NOT_OUTSIDE)
def test_what_a_change_may_have_done_is_not_called_outside(trap: str) -> None:
    changes, lines = NOT_OUTSIDE[trap]
    assert unaided(broken(changes, "", lines=lines)).verdict is not Verdict.OPERATIONAL
