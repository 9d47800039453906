"""Telemetry that repeats a change: stack traces, values, statements; and what merely looks like it."""

import pytest

from bot.domain.evidence import Candidate, Fact
from bot.domain.telemetry import LogLine
from bot.investigation.diagnose import diagnose
from bot.investigation.diff import edits, is_pin, parse
from tests.investigation.cases import alert, at, case, edit, rises, series, shipped

TIMES = [20 + n / 2 for n in range(12)]


def suspect(diff: str, said: str, fields: dict[str, str] | None = None, *, when: float = 12) -> Candidate:
    """The change as a suspect, once orders logs this."""
    lines = [LogLine(at(t), "orders", "ERROR", said, fields=fields or {}) for t in TIMES]
    ratio = series("orders", "http_request_error_ratio", rises(0.001, 0.5, 20), 40)
    changes = [shipped("a1", "orders", when, diff), shipped("b1", "orders", 6, edit("services/orders/z.py", "y = 1", "y = f(1)"))]
    found = diagnose(case(alerts=[alert("orders", 24)], changes=changes, numbers=[ratio], lines=lines))
    return next(s for s in found.suspects if s.commit.startswith("a1"))


def fact(one: Candidate, rule: str) -> Fact | None:
    return next((f for f in one.facts if f.rule == rule), None)


GO = """diff --git a/orders/limit/bucket.go b/orders/limit/bucket.go
--- a/orders/limit/bucket.go
+++ b/orders/limit/bucket.go
@@ -10,6 +10,5 @@ func (b *Bucket) Take(name string) bool {
-\tb.guard.Enter()
 \tb.left[name]--
"""


def test_a_stack_in_a_field_convicts_by_file_and_function() -> None:
    stack = {"stack": "runtime.fault -> shop/orders/limit.(*Bucket).Take(bucket.go:14) -> net/http.serve"}
    told = fact(suspect(GO, "boom", stack), "stack_trace")
    assert told is not None
    assert told.points == 4.0
    assert "through Take in orders/limit/bucket.go" in told.text


@pytest.mark.parametrize(
    "stack",
    [
        "shop/mail/limit.(*Bucket).Take(other.go:14)",  # another file
        "shop/payments/queue.(*Line).Put(bucket.go:14)",  # a file of that name elsewhere, and another function
    ],
)
def test_another_place_in_the_stack_says_nothing(stack: str) -> None:
    assert fact(suspect(GO, "boom", {"stack": stack}), "stack_trace") is None


def test_a_field_that_is_always_there_says_nothing() -> None:
    usual = [LogLine(at(n), "orders", "INFO", "fine", fields={"host": "gift_wrapping_host"}) for n in range(18)]
    lines = [LogLine(at(t), "orders", "ERROR", "boom", fields={"host": "gift_wrapping_host"}) for t in TIMES]
    ratio = series("orders", "http_request_error_ratio", rises(0.001, 0.5, 20), 40)
    change = shipped("a1", "orders", 12, edit("services/orders/a.py", "x = 1", "x = gift_wrapping_host"))
    found = diagnose(case(alerts=[alert("orders", 24)], changes=[change], numbers=[ratio], lines=[*usual, *lines]))
    assert fact(found.suspects[0], "overlap") is None


def test_a_statement_that_a_change_brought_is_recognised_with_its_values_filled_in() -> None:
    diff = edit(
        "services/orders/a.py", "rows = all()", 'rows = q("SELECT title FROM shelves WHERE room = ? AND floor = ?", r, f)'
    )
    told = fact(suspect(diff, "slow: SELECT title FROM shelves WHERE room = $1 AND floor = $2"), "verbatim")
    assert told is not None
    assert "SELECT title FROM shelves" in told.text


def test_a_figure_counts_beside_a_word_of_its_name_only() -> None:
    diff = edit("services/orders/settings.json", '"max_basket_lines": 500', '"max_basket_lines": 40')
    assert fact(suspect(diff, "basket has more than 40 lines"), "value_said") is not None
    assert fact(suspect(diff, "answered with code 40 by the till"), "value_said") is None


def test_signs_older_than_a_change_are_not_its_doing() -> None:
    diff = edit("services/orders/gift_wrapping.py", "wrap(1)", "gift_wrapping(2)")
    assert fact(suspect(diff, "gift wrapping failed"), "overlap") is not None
    late = suspect(diff, "gift wrapping failed", when=20.5)  # reported a little late: that happens
    assert fact(late, "overlap") is not None


def test_a_version_on_a_line_of_its_own_is_an_edit_of_its_package() -> None:
    diff = "@@ go.mod @@\n-\texample.org/pdf v1.4.0\n+\texample.org/pdf v2.0.1"
    (found,) = edits(parse(diff))
    assert (found.key, found.old, found.new) == ("example.org/pdf", "v1.4.0", "v2.0.1")
    assert is_pin(found)
    (value,) = edits(parse(edit("a.yaml", "timeout: 1.5", "timeout: 2.5")))
    assert not is_pin(value)
