"""What a log line says, whichever way it is written; stack traces in one piece."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.wire.loglines import RawLine, read_line, read_lines

START = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


def raw(text: str, second: float = 0, stream: str = "", level: str = "") -> RawLine:
    return RawLine(START + timedelta(seconds=second), "cart", text, stream, level)


@pytest.mark.parametrize(
    ("text", "level", "said"),
    [
        ('{"level":"error","message":"no stock","trace_id":"t9"}', "ERROR", "no stock"),
        ('{"severity":"WARNING","msg":"slow","error":"deadline exceeded"}', "WARN", "slow: deadline exceeded"),
        (
            '{"level":50,"msg":"crashed","err":{"type":"TypeError"},"error":{"type":"TypeError","message":"x is null"}}',
            "ERROR",
            "crashed: TypeError: x is null",
        ),
        (
            '{"log":{"level":"ERROR"},"message":"a","error":{"stack_trace":"KeyError\\n  File \\"a.py\\""}}',
            "ERROR",
            'a\nKeyError\n  File "a.py"',
        ),
        ('{"log":"{\\"level\\":\\"warn\\",\\"msg\\":\\"within\\"}\\n","stream":"stderr"}', "WARN", "within"),
        (
            'ts=2026-05-04T09:00:00Z level=warn caller=a.go:3 msg="dial failed" err="i/o \\"timeout\\""',
            "WARN",
            'dial failed: i/o "timeout"',
        ),
        ("level=info message=ok", "INFO", "ok"),
        ('{"level":"info","msg":"request done","res":{"statusCode":503}}', "INFO", "request done status=503"),
        ('level=info msg="GET /pay" status=429', "INFO", "GET /pay status=429"),
        ('level=info msg="GET /pay" status=404', "INFO", "GET /pay"),
        ('{"msg":"answered 502","status":502}', "", "answered 502"),
        ("user=ada msg is not a field", "", "user=ada msg is not a field"),
        ("E0504 09:00:00.1 7 a.go:3] gone", "ERROR", "E0504 09:00:00.1 7 a.go:3] gone"),
        ("2026-05-04 CRITICAL disk", "CRITICAL", "2026-05-04 CRITICAL disk"),
        ('{"broken": ', "", '{"broken": '),
        ('["no object"]', "", '["no object"]'),
        ("{}", "", "{}"),
    ],
)
def test_what_a_line_says_and_how_loud_it_is(text: str, level: str, said: str) -> None:
    found = read_line(raw(text))
    assert (found.level, found.text) == (level, said)


def test_the_trace_and_the_other_fields_of_a_line_are_kept() -> None:
    found = read_line(raw('{"msg":"no","traceId":"t1","peer":"db","http":{"status":503},"time":"now","nothing":null,"list":[1]}'))
    assert found.trace_id == "t1"
    assert found.fields == {"peer": "db", "http.status": "503"}


def test_a_traceback_of_python_is_one_line() -> None:
    lines = [
        "ERROR checkout failed",
        "Traceback (most recent call last):",
        '  File "a.py", line 3, in f',
        "KeyError: 'currency'",
        "INFO next",
    ]
    found = read_lines([raw(text, n / 1000) for n, text in enumerate(lines)])
    assert [line.text for line in found] == ["\n".join(lines[:4]), "INFO next"]


def test_frames_of_two_processes_are_not_mixed_and_late_ones_stand_alone() -> None:
    lines = [raw("ERROR a", 0, "one"), raw("ERROR b", 0, "two"), raw("  at x.Y", 0.1, "two"), raw("  at late", 9, "one")]
    assert [line.text for line in read_lines(lines)] == ["ERROR a", "ERROR b\n  at x.Y", "  at late"]


def test_a_line_that_names_an_error_is_not_part_of_the_calm_line_before_it() -> None:
    lines = [raw("INFO ready"), raw("java.io.IOException: gone", 0.1), raw("ConnectionError: refused", 0.2)]
    assert len(read_lines(lines)) == 3


def test_of_a_long_trace_beginning_and_end_are_kept() -> None:
    lines = [raw("ERROR begin"), *(raw(f"  at frame {n} {'x' * 90}", 0.1) for n in range(90)), raw("Caused by: the end", 0.2)]
    (found,) = read_lines(lines)
    assert found.text.startswith("ERROR begin\n")
    assert found.text.endswith("\nCaused by: the end")
    assert len(found.text) <= 4000


@given(st.lists(st.tuples(st.floats(0, 600), st.text(max_size=80)), max_size=40))
def test_no_line_breaks_it_and_none_is_lost(lines: list[tuple[float, str]]) -> None:
    found = read_lines([raw(text, second) for second, text in lines])
    assert len(found) <= len(lines)
    assert all(len(line.text) <= 4000 for line in found)
