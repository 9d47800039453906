"""Log templates: what varies is masked, what is new is seen, and no line breaks it."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from bot.domain.telemetry import LogLine
from bot.signals.templates import growth, mask, templates

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def line(text: str, second: int = 0, level: str = "INFO", service: str = "cart") -> LogLine:
    return LogLine(START + timedelta(seconds=second), service, level, text)


def test_numbers_ids_times_and_addresses_are_masked() -> None:
    text = "took 35ms for 9f86d081-884c-4d65-9a2f-eaa0c55ad015 at 2026-03-01T12:00:00Z from 10.0.0.7:443 commit 3f2c1a9"
    assert " ".join(mask(text)) == "took <*> for <*> at <*> from <*> commit <*>"


def test_lines_that_differ_in_a_word_become_one_template() -> None:
    found = templates([line(f"user {name} logged in from web") for name in ("ada", "bob", "cem")])
    assert [(t.text, t.count) for t in found] == [("user <*> logged in from web", 3)]


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


def test_the_end_of_a_stack_trace_is_kept() -> None:
    trace = "crashed\n" + "  frame\n" * 400 + "KeyError: 'currency'"
    assert templates([line(trace, level="ERROR")])[0].example.endswith("KeyError: 'currency'")


@given(st.lists(st.text(max_size=200), max_size=30))
def test_no_line_breaks_it(texts: list[str]) -> None:
    found = templates([line(t, i) for i, t in enumerate(texts)])
    assert sum(t.count for t in found) == len(texts)
    growth([line(t, i) for i, t in enumerate(texts)], START + timedelta(seconds=5))
