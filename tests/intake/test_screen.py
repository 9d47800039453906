"""The cheap scan: what may be kept, what may not, and that nothing makes it slow."""

import json
import time

import pytest

from bot.intake.screen import DEEPEST, fault, too_deep


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "empty"),
        (b"\xff\xfe{}", "not UTF-8 text (byte 0)"),
        (b'{"a": "\xc3("}', "not UTF-8 text (byte 7)"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 100 + b"1" + b"}" * 100, "nested deeper"),
        (b"{}", ""),
        (b"truncated: {", ""),
        ('{"text": "日本語"}'.encode(), ""),
    ],
)
def test_a_body_is_refused_with_its_reason(body: bytes, reason: str) -> None:
    assert reason in fault(body)
    assert bool(fault(body)) == bool(reason)


@pytest.mark.parametrize("depth", [1, DEEPEST - 1, DEEPEST])
def test_as_deep_as_allowed_is_allowed(depth: int) -> None:
    wide = b",".join([b"[" * depth + b"]" * depth] * 3)
    assert not too_deep(wide)


@pytest.mark.parametrize("pair", ["[]", "{}"])
def test_one_level_more_is_too_deep(pair: str) -> None:
    assert too_deep(pair[0].encode() * (DEEPEST + 1) + pair[1].encode() * (DEEPEST + 1))


def test_brackets_in_strings_do_not_count_and_cannot_hide_depth() -> None:
    assert not too_deep(json.dumps({"text": "[" * 500, "more": '\\"' + "{" * 500}).encode())
    assert too_deep(b'["]",' * 100 + b"1" + b"]" * 100)


def test_many_flat_things_are_not_deep() -> None:
    assert not too_deep(json.dumps([{"labels": {"a": [1]}}] * 5000).encode())


def test_two_thousand_alerts_with_long_words_are_not_too_many() -> None:
    alert = {"labels": {f"l{n}": "a, b, c" for n in range(20)}, "annotations": {"text": "one, two {three}"}, "status": "firing"}
    assert fault(json.dumps({"alerts": [alert] * 2000}).encode()) == ""


@pytest.mark.parametrize(
    "body", [b"[" * 65 + b'"' + b'\\"' * 500_000, b"[" * 65 + b'"' * 1_000_000, b"[" * 500_000 + b"]" * 500_000]
)
def test_no_megabyte_takes_long(body: bytes) -> None:
    began = time.thread_time()
    fault(body)
    assert time.thread_time() - began < 0.5
