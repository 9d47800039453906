"""What is wrong with which runbook, which nobody uses, which alerts have none."""

import time
from dataclasses import replace
from datetime import date, timedelta

import pytest

from bot.domain.alert import Severity
from bot.domain.care import CareLimits, Check, Fired, Health, Known, Tried
from bot.domain.document import Document, DocumentKind
from bot.knowledge import care
from tests.fakes import NOON

TODAY = date(2026, 11, 22)
BOOK = Document(
    "runbook:runbooks/payments/errors.md",
    DocumentKind.RUNBOOK,
    "Payments errors",
    "See `rate(errors_total[5m])` and <https://wiki.shop/pay>.",
    path="runbooks/payments/errors.md",
    services=("payments",),
    alerts=("HighErrorRate",),
    owner="team-payments",
    reviewed=TODAY - timedelta(days=10),
)
KNOWN = Known(services=frozenset({"payments", "cart"}), paths=frozenset({BOOK.path}), today=TODAY)


def reasons(book: Document, known: Known = KNOWN, checks: tuple[Check, ...] = ()) -> tuple[str, ...]:
    found = care.ailing([book], checks, known, CareLimits())
    return found[0].reasons if found else ()


def test_a_runbook_that_is_well_is_not_on_the_list() -> None:
    assert reasons(BOOK) == ()


def test_one_that_was_reviewed_long_ago_or_never_is() -> None:
    assert reasons(replace(BOOK, reviewed=date(2026, 1, 1))) == ("reviewed on 2026-01-01, 325 days ago",)
    assert reasons(replace(BOOK, reviewed=None)) == ("never reviewed",)


def test_services_that_are_gone_are_named_but_only_where_there_is_a_catalogue() -> None:
    old = replace(BOOK, services=("payments", "billing"))
    assert reasons(old) == ("names the service billing, which is not in services.yaml",)
    assert reasons(old, replace(KNOWN, services=frozenset())) == ()


@pytest.mark.parametrize(
    ("command", "named"),
    [
        ("kubectl rollout undo deployment/basket -n shop", ("basket",)),
        ("$ kubectl logs svc/cart", ("cart",)),
        ("/rollback basket v41", ("basket",)),
        ("kubectl rollout undo deployment/<name>", ()),
        ("kubectl rollout undo deployment/$SERVICE", ()),
        ("look at deployment/basket in the wiki", ()),
    ],
)
def test_workloads_are_read_from_commands(command: str, named: tuple[str, ...]) -> None:
    assert care.commanded(f"```\n{command}\n```") == named


def test_a_command_about_a_service_that_is_gone_is_told() -> None:
    book = replace(BOOK, text="```bash\nkubectl rollout undo deployment/basket\n```")
    assert reasons(book) == ("its commands name basket, which is no service in services.yaml",)


def test_an_alert_without_a_rule_is_gone_only_if_rules_are_known_and_it_did_not_fire() -> None:
    assert reasons(BOOK, replace(KNOWN, rules=None)) == ()
    assert reasons(BOOK, replace(KNOWN, rules=frozenset({"other"}), fired=frozenset({"higherrorrate"}))) == ()
    assert "no rule fires" in reasons(BOOK, replace(KNOWN, rules=frozenset({"other"})))[0]


def test_a_file_beside_it_that_is_gone_is_told() -> None:
    book = replace(BOOK, text="See [more](../cart/slow.md#first), [all](../README.md), [up](../../x.md) and [me](errors.md).")
    assert reasons(book) == ("links to runbooks/cart/slow.md, which is not there",)


def test_what_failed_at_night_comes_first_with_when_it_was_last_well() -> None:
    query = Check(BOOK.id, Tried.QUERY, "rate(errors_total[5m])", Health.NO_METRIC, "errors_total had no sample", NOON, NOON)
    page = Check(BOOK.id, Tried.LINK, "https://wiki.shop/pay", Health.DEAD, "no such page", NOON)
    empty = replace(query, text="up", health=Health.NO_DATA)
    assert reasons(replace(BOOK, reviewed=None), checks=(query, page, empty)) == (
        "its query rate(errors_total[5m]) fails: errors_total had no sample (it was last well on 2026-11-22)",
        "links to https://wiki.shop/pay, which is gone",
        "never reviewed",
    )


def test_the_worst_runbook_is_first() -> None:
    other = replace(BOOK, id="runbook:b", title="B", reviewed=None)
    bad = replace(BOOK, id="runbook:c", title="C", services=("gone",))
    assert [a.title for a in care.ailing([other, bad, BOOK], (), KNOWN, CareLimits())] == ["C", "B"]


def test_what_can_be_tried_leaves_out_code_anchors_and_placeholders() -> None:
    text = "[a](https://wiki.shop/a) https://wiki.shop/b. `https://wiki.shop/c` [d](#here) [e](https://wiki.shop/$SERVICE)"
    tried = care.tries(replace(BOOK, text=text))
    assert [(t.text, t.health) for t in tried] == [
        ("https://wiki.shop/a", Health.UNKNOWN),
        ("https://wiki.shop/$SERVICE", Health.SKIPPED),
        ("https://wiki.shop/b", Health.UNKNOWN),
    ]


def test_unused_is_what_was_known_all_the_while_and_never_shown() -> None:
    old, new = NOON - timedelta(days=100), NOON - timedelta(days=5)
    used, fresh, idle = (replace(BOOK, id=f"runbook:{n}", title=n) for n in ("used", "fresh", "idle"))
    since = {"runbook:used": old, "runbook:fresh": new, "runbook:idle": old}
    found = care.unused([used, fresh, idle, BOOK], {"runbook:used": new}, since, NOON, CareLimits())
    assert [(a.title, a.reasons) for a in found] == [("idle", ("of no use to anybody in 100 days",))]
    again = care.unused([used], {"runbook:used": old}, since, NOON, CareLimits())
    assert again[0].reasons == ("last of use on 2026-08-14",)


def test_missing_counts_incidents_without_a_runbook_and_weighs_how_bad_they_were() -> None:
    often = Fired("DiskFull", "cart", 5, Severity.SEV4, ("1", "2", "3", "4", "5"))
    bad = Fired("NoLogin", "web", 1, Severity.SEV1, ("6",))
    shown = Fired("Slow", "cart", 2, Severity.SEV2, ("7", "8"))
    named, linked = Fired("HighErrorRate", "payments", 9, Severity.SEV1), Fired("Odd", "cart", 9, Severity.SEV1)
    found = care.missing([often, bad, shown, named, linked], {"7", "8", "5"}, [BOOK], {("odd", "cart")}, {"cart": "team-cart"})
    assert [(m.name, m.times, m.without, m.owner) for m in found] == [("NoLogin", 1, 1, ""), ("DiskFull", 5, 4, "team-cart")]


def test_the_first_monday_is_one_day_a_month() -> None:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(365)]
    assert [d for d in days if care.is_first_monday(d)][:3] == [date(2026, 1, 5), date(2026, 2, 2), date(2026, 3, 2)]
    assert len([d for d in days if care.is_first_monday(d)]) == 12


def test_a_page_of_empty_lines_takes_no_time() -> None:
    began = time.process_time()
    assert care.commanded("\n" * 100_000 + "  $ kubectl rollout undo deployment/cart") == ("cart",)
    assert time.process_time() - began < 1
