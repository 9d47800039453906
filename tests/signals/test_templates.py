"""Log templates: what varies is masked, what is new is seen, and no line breaks it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.telemetry import LogLine
from bot.signals.masking import signature
from bot.signals.templates import growth, templates

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def said(*texts: str) -> list[str]:
    """The templates of these lines."""
    return [t.text for t in templates([line(text) for text in texts])]


def line(text: str, second: int = 0, level: str = "INFO", service: str = "cart") -> LogLine:
    return LogLine(START + timedelta(seconds=second), service, level, text)


def test_numbers_ids_times_and_addresses_are_masked() -> None:
    text = "took 35ms for 9f86d081-884c-4d65-9a2f-eaa0c55ad015 at 2026-03-01T12:00:00Z from 10.0.0.7:443 commit 3f2c1a9"
    assert said(text) == ["took <*> for <*> at <*> from <*> commit <*>"]


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("GET /v2/ab/items?all=True&since=2 HTTP/1.1", "GET <*> HTTP/<*>"),
        ("open C:\\jobs\\run.log or ./run as ada@example.com", "open <*> or <*> as <*>"),
        ("synced with 10.0.0.7,10.0.0.8 and ntp.example.com:123", "synced with <*> and <*>"),
        ("card FF:F2:9F:16:DC:15 changed Fri Jul 15 01:07:12 PDT 2005", "card <*> changed <*>"),
        ("stored as bytes (size 5.2 KB, free 900 B)", "stored as bytes (size <*>, free <*>)"),
        ('lock=17 tag="View Lock" name=system state={a b}', "lock=<*> tag=<*> name=<*> state={a b}"),
        ('attempt=3 err="i/o timeout" result=failed user=ada', 'attempt=<*> err="i/o timeout" result=failed user=<*>'),
        ("disk full............0", "disk full............<*>"),
        ("ORA-00600: internal error, E11000 and ECONNREFUSED", "ORA-00600: internal error, E11000 and ECONNREFUSED"),
        ('"GET /pay?id=500 HTTP/1.1" 500 1234 took 512', '"GET <*> HTTP/<*>" 500 <*> took <*>'),
        ('"GET /pay HTTP/1.1" 404 1234', '"GET <*> HTTP/<*>" <*>'),
        ("http_status_code=502 bytes=512", "http_status_code=502 bytes=<*>"),
        ('{"status": 503, "ms": 503}', '{"status": 503, "ms": <*>}'),
        ("payments answered 429, waiting 500 ms", "payments answered 429, waiting <*>"),
        ("upstream responded with 502 from 10.0.0.7:443", "upstream responded with 502 from <*>"),
        ("returned 512 rows, exit code 137, status 500ms, code=5021", "returned <*> rows, exit code <*>, status <*>, code=<*>"),
        ("", "(empty)"),
    ],
)
def test_what_varies_is_masked_and_what_tells_stays(text: str, template: str) -> None:
    assert said(text) == [template]


def test_lines_that_differ_in_a_name_become_one_template() -> None:
    found = templates([line(f"user {name} logged in from web") for name in ("ada", "bob", "cem")])
    assert [(t.text, t.count) for t in found] == [("user <*> logged in from web", 3)]


def test_statuses_of_a_server_that_fails_are_told_apart_however_many_they_are() -> None:
    lines = [f"GET /cart/{n} HTTP/1.1 status={status} took {n}" for n, status in enumerate((200, 201, 204, 500, 502, 503) * 3)]
    assert sorted(said(*lines)) == sorted(
        ["GET <*> HTTP/<*> status=<*> took <*>", *(f"GET <*> HTTP/<*> status={n} took <*>" for n in (500, 502, 503))]
    )


def test_a_line_cannot_bring_what_we_keep_statuses_with() -> None:
    assert said("a \ue005\ue000 b", "a b") == ["a b"]


def test_names_that_come_again_are_names_if_they_are_many() -> None:
    names = ("ada", "bob", "cem", "dora", "emil", "fritz", "greta", "hugo", "ines")
    assert said(*(f"removing user {name} from the list" for name in names for _ in range(5))) == [
        "removing user <*> from the list"
    ]


def test_states_that_come_again_and_again_are_told_apart() -> None:
    texts = [f"VM {state} (Lifecycle Event)" for state in ("Started", "Paused", "Resumed", "Stopped") for _ in range(5)]
    assert len(said(*texts)) == 4
    assert len(said(*(f"order {i} moved from PAID to {to}" for i, to in enumerate(["SHIPPED", "FAILED"] * 6)))) == 2


def test_names_of_errors_are_told_apart_though_each_comes_once() -> None:
    errors = ("java.io.IOException", "java.net.ConnectException", "TimeoutError", "ECONNRESET", "SIGKILL", "FETCH_FAILED")
    assert len(said(*(f"worker ended with {error} in the queue" for error in errors))) == len(errors)


def test_lists_of_any_length_are_one_template() -> None:
    assert said("delete blk_1", "delete blk_2 blk_-3", "delete blk_4, blk_5, blk_6 blk_7") == ["delete <*>"]


def test_two_names_at_a_time_become_one_template() -> None:
    services = ("cart", "pay", "mail", "ship", "search", "stock", "price", "tax")
    users = ("ada", "bob", "cem", "dora", "emil", "fritz", "greta", "hugo", "ines")
    assert said(*(f"service {a} was asked by {b} again" for a in services for b in users)) == [
        "service <*> was asked by <*> again"
    ]


def test_a_word_where_others_have_a_name_is_one() -> None:
    texts = ["no link on device eth0", "no link on device eth1", "no link on device lo"]
    assert said(*texts) == ["no link on device <*>"]
    assert said("synced to 10.1.2.3, stratum 2", "synced to 10.1.2.4, stratum 3", "synced to LOCAL(0), stratum 9") == [
        "synced to <*>, stratum <*>"
    ]
    assert len(said("worker 5 exited", "worker 6 exited", "worker process exited")) == 2


def test_hosts_are_names_however_few_they_are() -> None:
    assert said("lost contact with db.example.org again", "lost contact with cache.internal again") == [
        "lost contact with <*> again"
    ]


def test_a_stack_trace_is_told_by_its_first_line_and_its_cause() -> None:
    python = "Traceback (most recent call last):\n  File \"a.py\", line 3, in f\nKeyError: 'currency'"
    java = "order failed\n\tat a.B.c(B.java:3)\nCaused by: java.io.IOException: gone\n\tat a.D.e(D.java:9)"
    assert said(python) == ["Traceback (most recent call last): KeyError: 'currency'"]
    assert said(java) == ["order failed Caused by: java.io.IOException: gone"]


def test_of_too_many_different_lines_warnings_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.signals.templates.MOST", 40)
    words = ["".join(chr(97 + (i // 26**k) % 26) for k in range(4)) for i in range(50)]
    lines = [line(f"{word} {word[::-1]} {word}x") for word in words] + [line("pool exhausted", level="ERROR")]
    texts = {t.text: t.count for t in templates(lines)}
    assert texts["pool exhausted"] == 1
    assert texts["(other lines)"] == 11


def test_services_are_kept_apart() -> None:
    assert len(templates([line("started"), line("started", service="pay")])) == 2


def test_a_new_template_comes_before_a_grown_one_and_a_steady_one() -> None:
    steady = [line("request done", s) for s in range(0, 40, 2)]
    grown = [line("retrying call", 1), *(line("retrying call", s, "WARN") for s in range(20, 40))]
    new = [line("pool exhausted", s, "ERROR") for s in (25, 30)]
    found = growth([*steady, *grown, *new], START + timedelta(seconds=20))
    assert [g.text for g in found] == ["pool exhausted", "retrying call", "request done"]
    assert found[0].new
    assert found[0].negative
    assert found[0].first == START + timedelta(seconds=25)
    assert (found[1].before, found[1].during) == (1, 20)


def test_a_line_counts_for_as_many_as_it_stands_for() -> None:
    early = [replace(line("request done", s), stands_for=250.0) for s in (0, 1)]
    found = growth([*early, line("request done", 30), line("refused", 31, "ERROR")], START + timedelta(seconds=20))
    assert [(g.text, g.before, g.during, g.sampled) for g in found] == [("refused", 0, 1, False), ("request done", 500, 1, True)]


def test_the_end_of_a_stack_trace_is_kept() -> None:
    trace = "crashed\n" + "  frame\n" * 400 + "KeyError: 'currency'"
    assert templates([line(trace, level="ERROR")])[0].example.endswith("KeyError: 'currency'")


@given(st.lists(st.text(max_size=200), max_size=30))
def test_no_line_breaks_it(texts: list[str]) -> None:
    found = templates([line(t, i) for i, t in enumerate(texts)])
    assert sum(t.count for t in found) == len(texts)
    growth([line(t, i) for i, t in enumerate(texts)], START + timedelta(seconds=5))


@given(st.text(alphabet='ab1./=:\\\x00\x01 <*>\n"(', max_size=300))
def test_no_signature_breaks_on_marks_and_delimiters(text: str) -> None:
    assert "\n" not in signature(text)
