"""A vendor's JSON is read step by step, and what is wrong says where."""

from datetime import UTC, datetime

import pytest

from bot.domain.payload import MOST_TEXTS, Node, read_json, scrubbed
from bot.domain.vocabulary import line
from bot.errors import BadPayload


def test_a_path_leads_to_the_value_and_names_itself() -> None:
    payload = read_json(b'{"alerts": [{"labels": {"a": "x", "n": 7, "b": true, "o": {}, "z": null}}]}')
    (alert,) = payload["alerts"].items()
    assert alert["labels"].path == "$.alerts[0].labels"
    assert alert["labels"].texts() == {"a": "x", "n": "7", "b": "true"}
    assert payload["nothing"]["below"].text("default") == "default"


@pytest.mark.parametrize(
    ("value", "path"),
    [({}, "$.ref"), ({"ref": ""}, "$.ref"), ({"ref": []}, "$.ref"), ([], "$.ref")],
)
def test_what_is_needed_and_not_there_is_refused_with_its_path(value: object, path: str) -> None:
    with pytest.raises(BadPayload) as refused:
        Node(value)["ref"].needed()
    assert refused.value.path == path


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-11-22T12:00:00Z", datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("2026-11-22T13:00:00.123456789+01:00", datetime(2026, 11, 22, 12, 0, 0, 123456, tzinfo=UTC)),
        (1795348800, datetime(2026, 11, 22, 12, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", None),
        (None, None),
        ("", None),
    ],
)
def test_times_are_read_in_the_ways_vendors_write_them(value: object, expected: datetime | None) -> None:
    assert Node(value).time() == expected


@pytest.mark.parametrize("value", ["yesterday", True, [], 1e300, float("nan"), float("inf"), "9999-12-31T23:59:59-14:00"])
def test_what_is_no_time_is_refused(value: object) -> None:
    with pytest.raises(BadPayload):
        Node(value).time()


def test_text_never_holds_what_no_database_takes() -> None:
    assert scrubbed("a\0b\ud800é") == "ab?é"
    assert Node("x\0").text() == "x"


def test_of_an_absurd_number_of_labels_the_usual_ones_are_read() -> None:
    told = Node({**{f"k{n}": "v" for n in range(60_000)}, "service": "payments", "alertname": "Slow"}).texts()
    assert len(told) == MOST_TEXTS
    assert (told["service"], told["alertname"], told["k0"]) == ("payments", "Slow", "v")


@pytest.mark.parametrize("value", ["Bearer " + "k7" * 30, ["k7k7k7k7k7k7"] * 90, {"password": "k7" * 30}, int("7" * 60)])
def test_an_error_tells_no_more_than_the_beginning_of_what_is_long(value: object) -> None:
    with pytest.raises(BadPayload) as refused:
        Node({"at": value})["at"].time()
    assert len(str(refused.value)) < 100
    assert "k7k7k7k7" not in str(refused.value)


@pytest.mark.parametrize(("text", "most", "kept"), [
    ("deploy with token ghp_0123456789abcdefghij", 40, "deploy with token"),
    ("deploy with token ghp_0123456789abcdefghij", 42, "deploy with token ghp_0123456789abcdefghij"),
    ("a short word is cut", 17, "a short word is c"),
    ("x" * 50, 40, "x" * 40),
    ("first\nsecond", 40, "first"),
])  # fmt: skip
def test_a_line_that_is_cut_to_size_holds_no_half_of_a_long_word(text: str, most: int, kept: str) -> None:
    assert line(text, most) == kept
